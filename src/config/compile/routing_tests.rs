//! What the configuration accepts and refuses of hosts, conditions, rewriting, redirects, header fields, CORS, weights and
//! mirrors.

use super::from_str;
use crate::config::{Api, Config, Problems};
use std::path::Path;

fn load(source: &str) -> Result<Config, Problems> {
    let env = |_: &str| Some("0123456789-0123456789-0123456789".to_owned());
    from_str(source, "portcullis.yaml", Path::new("/nowhere"), &env)
}

/// A small file with these APIs.
fn with_apis(apis: &str) -> String {
    format!(
        "listeners: [{{ address: \"127.0.0.1:8080\" }}]\nstore: {{ url: \"sqlite://x.db\" }}\n\
         jwt: {{ secret: \"${{JWT_SECRET}}\" }}\n\
         upstreams:\n  one: {{ endpoints: [\"http://127.0.0.1:1\"] }}\n  two: {{ endpoints: [\"http://127.0.0.1:2\"] }}\n\
         apis:\n{apis}\n"
    )
}

/// An API with these keys, in flow style, and these routes.
fn api(keys: &str, routes: &[&str]) -> String {
    let comma = if keys.is_empty() { "" } else { ", " };
    let routes = routes.join(", ");
    with_apis(&format!(
        "  - {{ name: a, dialect: problem, prefixes: [/v1]{comma}{keys}, routes: [{routes}] }}"
    ))
}

fn good(source: &str) -> Api {
    load(source).unwrap_or_else(|problems| panic!("{source}\n{problems}")).apis.remove(0)
}

fn route_is_good(keys: &str) {
    good(&api("", &[&format!("{{ path: \"/v1/x/{{id}}/**\", {keys} }}")]));
}

/// `code path` of the only problem.
fn only(source: &str) -> String {
    let problems = load(source).err().unwrap_or_else(|| panic!("this is content: {source}"));
    let found: Vec<String> = problems.iter().map(|p| format!("{} {}", p.code.as_str(), p.path)).collect();
    assert_eq!(found.len(), 1, "{source}\n{problems}");
    found.into_iter().next().unwrap()
}

/// The problem of a route with an upstream and these keys; its path below `apis[0].routes[0]`.
fn bad(keys: &str) -> String {
    let found = only(&api("", &[&format!("{{ path: \"/v1/x/{{id}}/**\", {keys} }}")]));
    found.replace("apis[0].routes[0].", "")
}

fn both(one: &str, other: &str) -> String {
    api(
        "",
        &[
            &format!("{{ path: /v1/a, upstream: one, {one} }}"),
            &format!("{{ path: /v1/a, upstream: two, {other} }}"),
        ],
    )
}

#[test]
fn hosts_are_names_and_those_of_routes_are_the_apis() {
    let made = good(&api("hosts: [API.example.com., \"*.example.org\"]", &[]));
    assert_eq!(
        made.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["api.example.com", "*.example.org"]
    );
    for wrong in ["\"a:80\"", "\"https://a\"", "\"*\"", "\"a.*.b\"", "ä.de"] {
        assert_eq!(
            only(&api(&format!("hosts: [{wrong}]"), &[])),
            "invalid-value apis[0].hosts[0]",
            "{wrong}"
        );
    }
    assert_eq!(only(&api("hosts: [a.b, A.B]", &[])), "conflict apis[0].hosts[1]");
    assert_eq!(only(&api("hosts: []", &[])), "invalid-value apis[0].hosts");
    let of_route = |host: &str| {
        api("hosts: [\"*.b\"]", &[&format!("{{ path: /v1/a, upstream: one, hosts: [{host}] }}")])
    };
    good(&of_route("a.b"));
    assert_eq!(only(&of_route("a.c")), "conflict apis[0].routes[0].hosts[0]");
}

#[test]
fn a_prefix_may_be_had_once_on_each_host() {
    let two = |one: &str, other: &str| {
        with_apis(&format!(
            "  - {{ name: a, dialect: problem, prefixes: [/v1], {one} }}\n  - {{ name: b, dialect: problem, prefixes: [/v1], {other} }}"
        ))
    };
    for (one, other) in [
        ("hosts: [a.b]", "hosts: [c.b]"),
        ("hosts: [a.b]", "identity: none"),
        ("hosts: [\"*.b\"]", "hosts: [a.b]"),
    ] {
        good(&two(one, other));
    }
    for (one, other) in [("hosts: [a.b]", "hosts: [c.b, a.b]"), ("identity: none", "identity: none")] {
        assert_eq!(only(&two(one, other)), "conflict apis[1].prefixes[0]");
    }
}

#[test]
fn routes_that_no_request_can_tell_apart_are_refused() {
    for (one, other) in [
        ("headers: { X-A: \"1\" }", "methods: [GET]"),
        ("headers: { X-A: \"1\" }", "headers: { X-A: \"2\" }"),
        ("headers: { X-A: \"1\" }", "headers: { X-A: { prefix: \"1\" } }"),
        ("headers: { X-A: { prefix: a } }", "headers: { X-A: { prefix: ab } }"),
        ("headers: { X-A: { present: true } }", "headers: { x-a: { present: false } }"),
        ("query: { v: \"1\" }", "query: { v: \"1\" }, headers: { X-A: b }"),
        ("hosts: [a.b]", "hosts: [\"*.b\"]"),
        ("hosts: [a.b]", "headers: { X-A: \"1\" }"),
    ] {
        good(&both(one, other));
    }
    for (one, other) in [
        ("headers: { X-A: \"1\" }", "headers: { x-a: \"1\" }"),
        ("headers: { X-A: \"1\" }", "headers: { X-B: \"1\" }"),
        ("headers: { X-A: \"1\" }", "query: { v: \"1\" }"),
        ("hosts: [a.b]", "hosts: [c.b, a.b]"),
        ("headers: { X-A: { prefix: ab } }", "headers: { X-B: { prefix: cd } }"),
    ] {
        let problems = load(&both(one, other)).unwrap_err().to_string();
        assert!(problems.contains("in line 8"), "{problems}");
        assert_eq!(only(&both(one, other)), "conflict apis[0].routes[1].path", "{one} {other}");
    }
}

#[test]
fn conditions_are_of_fields_that_a_client_has_a_say_in() {
    for keys in ["headers: { X-V: { exact: \"2\" } }", "query: { v: { present: false }, w: \"\" }"] {
        route_is_good(&format!("upstream: one, {keys}"));
    }
    for (keys, problem) in [
        ("headers: { Authorization: x }", "invalid-value headers.Authorization"),
        ("headers: { X-Gateway-Token-Id: x }", "invalid-value headers.X-Gateway-Token-Id"),
        ("headers: { x_forwarded_for: x }", "invalid-value headers.x_forwarded_for"),
        ("headers: { Host: x }", "invalid-value headers.Host"),
        ("headers: { \"a b\": x }", "invalid-value headers.a b"),
        ("headers: { X-A: x, x-a: y }", "conflict headers.x-a"),
        ("headers: { X-A: {} }", "missing-key headers.X-A"),
        ("headers: { X-A: { exact: a, prefix: b } }", "conflict headers.X-A"),
        ("headers: { X-A: { regex: a } }", "unknown-key headers.X-A.regex"),
        ("query: { projectId: x }", "invalid-value query.projectId"),
    ] {
        let found = load(&api("", &[&format!("{{ path: /v1/x, upstream: one, {keys} }}")])).unwrap_err();
        let first = found.iter().next().unwrap();
        let found = format!("{} {}", first.code.as_str(), first.path.replace("apis[0].routes[0].", ""));
        assert_eq!(found, problem, "{keys}");
    }
}

#[test]
fn what_is_rewritten_is_in_the_path() {
    for keys in ["strip_prefix: /v1/x", "path: \"/internal/{id}/**\"", "path: /fixed", "path: /"] {
        route_is_good(&format!("upstream: one, rewrite: {{ {keys} }}").replace("{{", "{").replace("}}", "}"));
    }
    for (keys, problem) in [
        ("strip_prefix: /v2", "conflict rewrite.strip_prefix"),
        ("strip_prefix: /v1/x/y", "conflict rewrite.strip_prefix"),
        ("strip_prefix: /", "invalid-value rewrite.strip_prefix"),
        ("path: \"/{other}\"", "unknown-reference rewrite.path"),
        ("path: /a/../b", "invalid-value rewrite.path"),
        ("path: /a?b", "invalid-value rewrite.path"),
        ("strip_prefix: /v1, path: /", "conflict rewrite.path"),
        ("", "missing-key rewrite"),
    ] {
        assert_eq!(bad(&format!("upstream: one, rewrite: {{ {keys} }}")), problem, "{keys}");
    }
}

#[test]
fn a_redirect_leads_where_the_file_says() {
    for to in ["/new/{id}", "https://docs.example.com/**", "http://[::1]:8080/", "https://example.com"] {
        route_is_good(&format!("auth: none, redirect: {{ to: \"{to}\", status: 302 }}"));
    }
    for (to, problem) in [
        ("https://{host}/x", "conflict redirect.to"),
        ("https://{id}/x", "invalid-value redirect.to"),
        ("https://a@b/x", "invalid-value redirect.to"),
        ("ftp://a/x", "invalid-value redirect.to"),
        ("//evil/x", "invalid-value redirect.to"),
        ("new", "invalid-value redirect.to"),
        ("/new/{name}", "unknown-reference redirect.to"),
        ("https://a:0/", "invalid-value redirect.to"),
    ] {
        assert_eq!(bad(&format!("auth: none, redirect: {{ to: \"{to}\" }}")), problem, "{to}");
    }
    assert_eq!(bad("redirect: { to: /a, status: 304 }"), "invalid-value redirect.status");
    assert_eq!(bad("redirect: { to: /a }, upstream: one"), "conflict redirect");
    assert_eq!(bad("redirect: { to: /a }, timeout: 1s"), "conflict timeout");
    route_is_good("hosts: [a.b], redirect: { to: \"https://{host}/x\" }");
    assert_eq!(only(&api("redirect_to_https: true", &[])), "conflict apis[0].redirect_to_https");
}

#[test]
fn fields_that_are_the_gateways_are_not_altered() {
    let none = |keys: &str| api("identity: none", &[&format!("{{ path: /v1/x, upstream: one, {keys} }}")]);
    good(&none("request_headers: { set: { Authorization: Basic eA==, X-A: b }, remove: [User-Agent] }"));
    for (keys, problem) in [
        ("request_headers: { set: { Content-Length: \"1\" } }", "set.Content-Length"),
        ("request_headers: { add: { Transfer-Encoding: chunked } }", "add.Transfer-Encoding"),
        ("request_headers: { set: { Host: a } }", "set.Host"),
        ("request_headers: { set: { X-Gateway-Token-Id: a } }", "set.X-Gateway-Token-Id"),
        ("request_headers: { set: { X-Forwarded-For: a } }", "set.X-Forwarded-For"),
        ("request_headers: { remove: [X-Request-Id] }", "remove[0]"),
        ("request_headers: { set: { X-A: \"a\\nb\" } }", "set.X-A"),
    ] {
        assert_eq!(
            only(&none(keys)),
            format!("invalid-value apis[0].routes[0].request_headers.{problem}"),
            "{keys}"
        );
    }
    for (keys, problem) in [
        ("set: { Content-Length: \"1\" }", "set.Content-Length"),
        ("set: { X-RateLimit-Limit: \"1\" }", "set.X-RateLimit-Limit"),
        ("remove: [Access-Control-Allow-Origin]", "remove[0]"),
    ] {
        assert_eq!(
            only(&none(&format!("response_headers: {{ {keys} }}"))),
            format!("invalid-value apis[0].routes[0].response_headers.{problem}")
        );
    }
    // Where the signed identity goes, nothing else can.
    let signed = api("", &["{ path: /v1/x, upstream: one, request_headers: { set: { Authorization: a } } }"]);
    assert_eq!(only(&signed), "invalid-value apis[0].routes[0].request_headers.set.Authorization");
}

#[test]
fn cors_names_origins_and_never_lets_every_page_act_for_people() {
    let cors = |keys: &str| api(&format!("cors: {{ {keys} }}"), &[]);
    good(&cors(
        "origins: [\"https://a.b\", \"https://*.c.d:8443\", \"http://localhost:5173\"], credentials: true",
    ));
    good(&cors("origins: [\"*\"], headers: [\"*\"], methods: [GET], max_age: 1d"));
    for (keys, problem) in [
        ("origins: [\"*\"], credentials: true", "conflict apis[0].cors.credentials"),
        ("origins: [\"*\", \"https://a.b\"]", "conflict apis[0].cors.origins[1]"),
        ("origins: [\"null\"]", "invalid-value apis[0].cors.origins[0]"),
        ("origins: [a.b]", "invalid-value apis[0].cors.origins[0]"),
        ("origins: [\"https://a.b/c\"]", "invalid-value apis[0].cors.origins[0]"),
        ("origins: []", "invalid-value apis[0].cors.origins"),
        ("methods: [GET]", "missing-key apis[0].cors.origins"),
        ("origins: [\"*\"], headers: [\"a b\"]", "invalid-value apis[0].cors.headers[0]"),
    ] {
        assert_eq!(only(&cors(keys)), problem, "{keys}");
    }
}

#[test]
fn weights_and_mirrors_name_upstreams() {
    for keys in [
        "upstream: { one: 95, two: 5 }, sticky: key",
        "upstream: one, mirror: { upstream: two, share: 0.5% }",
    ] {
        route_is_good(keys);
    }
    for (keys, problem) in [
        ("upstream: { one: 95, too: 5 }", "unknown-reference upstream.too"),
        ("upstream: { one: 0, two: 0 }", "invalid-value upstream"),
        ("upstream: { one: -1 }", "wrong-type upstream.one"),
        ("upstream: one, sticky: key", "conflict sticky"),
        ("upstream: one, mirror: { upstream: three }", "unknown-reference mirror.upstream"),
        ("upstream: one, mirror: { upstream: two, share: 0% }", "invalid-value mirror.share"),
        ("upstream: one, mirror: { upstream: two, share: 110% }", "invalid-value mirror.share"),
        ("upstream: one, mirror: { upstream: two, share: 0.1 }", "invalid-value mirror.share"),
        ("respond: { status: 200 }, mirror: { upstream: two }", "conflict mirror"),
    ] {
        assert_eq!(bad(keys), problem, "{keys}");
    }
}

#[test]
fn thousands_of_routes_are_not_compared_with_each_other() {
    let routes: Vec<String> = (0..3_000).map(|n| format!("{{ path: /v1/r{n}/x, upstream: one }}")).collect();
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    assert_eq!(good(&api("", &routes)).routes.len(), 3_000);
}
