//! Where requests go: hosts, conditions, rewritten paths, redirects, altered header fields; through the front door.

use crate::support::certificate;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::h2::H2;
use crate::support::settings::{P1, Settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::{organization, with_one_key};
use crate::support::{Reply, Request, assert_ocore, assert_ocriva, get, method, post};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A gateway with one route for each question, two upstreams and a key.
struct Place {
    gateway: Gateway,
    main: Upstream,
    other: Upstream,
    key: String,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Option<Place>> = OnceLock::new();
    let place = PLACE.get_or_init(|| std::panic::catch_unwind(start).ok());
    place.as_ref().expect("the gateway of these tests did not start: see the first that failed")
}

fn start() -> Place {
    let (main, other) = (Upstream::http(), Upstream::http());
    let settings = Settings::usual(&main.url()).unlimited().with(|value| {
        value["upstreams"]["other"] = json!({ "endpoints": [other.url()] });
        let apis = value["apis"].as_array_mut().expect("apis");
        apis.push(hosted());
        apis.push(json!({ "name": "by-host-ocore", "dialect": "ocore", "prefixes": ["/byhost"],
            "hosts": ["*.example.com"], "identity": "none",
            "routes": [{ "path": "/byhost/**", "upstream": "main" }] }));
        apis.push(json!({ "name": "by-host-none", "dialect": "ocriva", "prefixes": ["/byhost"], "builtin": false,
            "routes": [{ "path": "/byhost/**", "auth": "none", "respond": { "status": 200, "body": "none" } }] }));
        apis.push(json!({ "name": "routing", "dialect": "ocriva", "prefixes": ["/r"], "builtin": false,
            "request_headers": { "set": { "X-Stage": "api" }, "add": { "X-Via": "api" }, "remove": ["X-Debug"] },
            "response_headers": { "set": { "X-Frame-Options": "DENY" }, "remove": ["Server"] },
            "routes": routes() }));
    });
    let (gateway, key) = with_one_key(&settings);
    Place { gateway, main, other, key }
}

fn hosted() -> Value {
    json!({ "name": "by-host", "dialect": "ocriva", "prefixes": ["/byhost", "/v9"],
        "hosts": ["api.example.com", "*.deep.example.com"],
        "routes": [{ "path": "/byhost/**", "upstream": "other" },
                   { "path": "/v9/**", "upstream": "other", "hosts": ["api.example.com"] },
                   { "path": "/v9/only", "upstream": "main", "hosts": ["a.deep.example.com"] }] })
}

fn routes() -> Value {
    json!([
        { "path": "/r/version", "upstream": "main" },
        { "path": "/r/version", "upstream": "other", "headers": { "X-Version": "2" } },
        { "path": "/r/version", "respond": { "status": 200, "body": "both" },
          "headers": { "X-Version": "2", "X-Beta": { "present": true } } },
        { "path": "/r/version", "respond": { "status": 200, "body": "begins" },
          "headers": { "X-Version": { "prefix": "2024-" } } },
        { "path": "/r/query", "upstream": "main" },
        { "path": "/r/query", "upstream": "other", "query": { "version": "2" } },
        { "path": "/r/only", "methods": ["GET"], "upstream": "main", "headers": { "X-Only": "yes" } },
        { "path": "/r/**", "upstream": "main" },
        { "path": "/r/strip/**", "upstream": "main", "rewrite": { "strip_prefix": "/r/strip" } },
        { "path": "/r/new/{id}/x/**", "upstream": "main", "project": { "in": "query" },
          "rewrite": { "path": "/internal/{id}/**" } },
        { "path": "/r/moved/{id}", "auth": "none", "redirect": { "to": "/r/here/{id}", "status": 301 } },
        { "path": "/r/away/**", "auth": "none", "redirect": { "to": "https://docs.example.com/old/**" } },
        { "path": "/r/same/**", "auth": "none", "hosts": ["api.example.com", "*.example.org"],
          "redirect": { "to": "https://{host}/**", "status": 307 } },
        { "path": "/r/edited", "upstream": "main",
          "request_headers": { "set": { "X-Stage": "route", "X-API-Key": "backend-key" }, "remove": ["X-Secret"] },
          "response_headers": { "add": { "X-Frame-Options": "SAMEORIGIN" }, "set": { "X-Served": "edge" } } },
        { "path": "/r/small", "methods": ["POST"], "upstream": "main", "body_limit": "10B" },
        { "path": "/r/large", "methods": ["POST"], "upstream": "main", "body_limit": "100MiB" },
        { "path": "/r/slow", "upstream": "main", "timeout": "250ms" },
    ])
}

impl Place {
    fn send(&self, request: Request) -> Reply {
        self.gateway.send(&request.key(&self.key))
    }

    /// Which upstream got it, and as what target.
    #[track_caller]
    fn went(&self, request: Request) -> (&'static str, String) {
        let reply = self.send(request).expect(200);
        match (self.main.seen(&reply.tag).pop(), self.other.seen(&reply.tag).pop()) {
            (Some(record), None) => ("main", record.target),
            (None, Some(record)) => ("other", record.target),
            (None, None) => ("nobody", reply.text()),
            both => panic!("{both:?}"),
        }
    }

    #[track_caller]
    fn who(&self, request: Request) -> &'static str {
        self.went(request).0
    }
}

#[test]
fn an_exact_host_wins_over_a_wildcard_and_that_over_none() {
    let p = place();
    let at = |host: &str| get("/byhost/x").header("Host", host);
    assert_eq!(p.who(at("api.example.com")), "other");
    // However the host is spelled.
    for host in ["API.Example.COM", "api.example.com:8443", "api.example.com."] {
        assert_eq!(p.who(at(host)), "other", "{host}");
    }
    assert_eq!(p.who(at("a.deep.example.com")), "other", "the longer wildcard");
    assert_eq!(p.who(at("b.a.deep.example.com")), "other", "more labels than one");
    // The wider wildcard is an API of another dialect: its errors are its own.
    let reply = p.gateway.send(&at("www.example.com"));
    assert_ocore(&reply, 401);
    assert_eq!(p.who(at("example.com")), "nobody", "a wildcard needs a label");
    assert_eq!(p.who(at("elsewhere.net")), "nobody");
}

#[test]
fn endpoints_of_the_gateway_are_served_on_the_hosts_of_their_api() {
    let p = place();
    let inside = p.gateway.send(&get("/v9/nothing").header("Host", "a.deep.example.com"));
    assert_ocriva(&inside, 404, None);
    // Nobody has the path on other hosts, so that nobody's dialect answers.
    let outside = p.gateway.send(&get("/v9/nothing").header("Host", "elsewhere.net"));
    assert_eq!((outside.status, outside.header("content-type")), (404, Some("application/problem+json")));
}

#[test]
fn a_route_can_have_some_of_the_hosts_of_its_api() {
    let p = place();
    assert_eq!(p.who(get("/v9/x").header("Host", "api.example.com")), "other");
    assert_eq!(p.send(get("/v9/x").header("Host", "a.deep.example.com")).status, 404);
    assert_eq!(p.who(get("/v9/only").header("Host", "a.deep.example.com")), "main");
    // The more specific path decides, whoever it is for: the wider route is no way around it.
    assert_eq!(p.send(get("/v9/only").header("Host", "api.example.com")).status, 404);
}

#[test]
fn over_http2_the_authority_is_the_host_and_another_host_is_refused() {
    let p = place();
    let mut client = H2::plain(p.gateway.address);
    let agreed = client.send(&get("/byhost/x").header("Host", p.gateway.address.to_string()));
    assert_eq!(agreed.status, 200, "{}", agreed.text());
    let differing = client.send(&get("/byhost/x").header("Host", "api.example.com").key(&p.key));
    assert_eq!(differing.status, 400, "{}", differing.text());
}

#[test]
fn an_absolute_target_names_the_host() {
    let p = place();
    let absolute = get("http://api.example.com/byhost/x").header("Host", "api.example.com");
    assert_eq!(p.who(absolute), "other");
}

#[test]
fn more_conditions_win_whatever_the_order_in_the_file() {
    let p = place();
    let version = |value: &str| get("/r/version").header("X-Version", value);
    assert_eq!(p.who(get("/r/version")), "main");
    assert_eq!(p.who(version("2")), "other");
    assert_eq!(p.who(version("3")), "main");
    assert_eq!(p.went(version("2").header("X-Beta", "")).1, "both");
    assert_eq!(p.went(version("2024-10-01")).1, "begins");
    // Two lines are one value, which is not the one that is asked for.
    assert_eq!(p.who(version("2").header("X-Version", "2")), "main");
}

#[test]
fn a_query_parameter_has_one_spelling() {
    let p = place();
    assert_eq!(p.went(get("/r/query?a=1&version=2")), ("other", "/r/query?a=1&version=2".into()));
    for query in ["", "?version=1", "?versions=2", "?a=version"] {
        assert_eq!(p.who(get(&format!("/r/query{query}"))), "main", "{query}");
    }
    for query in
        ["version=2&version=1", "Version=2", "version[]=2", "version%00=2", "a=1;version=2", "version=%ff"]
    {
        let reply = p.send(get(&format!("/r/query?{query}")));
        assert_ocriva(&reply, 400, None);
    }
    assert_eq!(p.send(get("/r/query?version=%2")).status, 400);
}

#[test]
fn a_wider_route_is_no_way_around_conditions() {
    let p = place();
    assert_eq!(p.who(get("/r/only").header("X-Only", "yes")), "main");
    assert_ocriva(&p.send(get("/r/only")), 404, None);
    assert_ocriva(&p.send(get("/r/only").header("X-Only", "no")), 404, None);
    let other_method = p.send(post("/r/only").header("X-Only", "yes"));
    assert_eq!((other_method.status, other_method.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_prefix_is_stripped_and_told() {
    let p = place();
    for (sent, arrives) in [
        ("/r/strip/a/b?x=1", "/a/b?x=1"),
        ("/r/strip", "/"),
        ("/r/strip/", "/"),
        ("//r/./strip//a/", "/a/"),
        ("/r/%73trip/%7e", "/~"),
    ] {
        let reply = p.send(get(sent).header("X-Forwarded-Prefix", "/forged")).expect(200);
        let record = p.main.one(&reply.tag);
        assert_eq!(record.target, arrives, "{sent}");
        assert_eq!(record.header("x-forwarded-prefix"), Some("/r/strip"));
    }
    assert_eq!(p.send(get("/r/strip/../version")).status, 400);
}

#[test]
fn a_path_is_written_anew_with_what_matched() {
    let p = place();
    let reply = p.send(get(&format!("/r/new/7/x/a/b/?projectId={P1}&y=1"))).expect(200);
    let record = p.main.one(&reply.tag);
    assert_eq!(record.target, format!("/internal/7/a/b/?projectId={P1}&y=1"));
    assert_eq!(record.header("x-forwarded-prefix"), None);
    assert_eq!(record.header("x-gateway-project-id"), Some(P1));
    // The project rule is the route's, whatever path the upstream gets.
    assert_ocriva(&p.send(get("/r/new/7/x/a")), 400, None);
}

#[test]
fn redirects_keep_the_query_and_lead_where_the_file_says() {
    let p = place();
    let location = |request: Request| {
        let reply = p.gateway.send(&request);
        (reply.status, reply.header("location").map(str::to_owned))
    };
    let to = |status: u16, place: &str| (status, Some(place.to_owned()));
    assert_eq!(location(get("/r/moved/7?a=%20b")), to(301, "/r/here/7?a=%20b"));
    assert_eq!(location(post("/r/away/a/b/")), to(308, "https://docs.example.com/old/a/b/"));
    assert_eq!(location(get("/r/away//evil.net")), to(308, "https://docs.example.com/old/evil.net"));
    let hosted = |host: &str| get("/r/same/x").header("Host", host);
    assert_eq!(location(hosted("API.example.com:99")), to(307, "https://api.example.com/x"));
    assert_eq!(location(hosted("a.example.org")), to(307, "https://a.example.org/x"));
    for forged in ["evil.net", "api.example.com.evil.net", "evil.net/.example.org", "evil.net?.example.org"] {
        let (status, place) = location(hosted(forged));
        assert!(status == 404 || status == 400, "{forged}: {status}");
        assert_eq!(place, None, "{forged}");
    }
}

#[test]
fn header_fields_are_altered_the_api_first_and_then_the_route() {
    let p = place();
    p.main.script(
        "edited",
        Answer {
            headers: vec![
                ("server", "apache".into()),
                ("x-frame-options", "ALLOW".into()),
                ("x-served", "app".into()),
            ],
            ..Answer::default()
        },
    );
    let asked = || {
        get("/r/edited")
            .header("X-Stage", "client")
            .header("X-Via", "client")
            .header("X-Debug", "1")
            .header("X-Secret", "1")
            // A client can not have a field of the configuration removed.
            .header("Connection", "X-Stage, X-Via")
            .script("edited")
    };
    let reply = p.send(asked()).expect(200);
    let record = p.main.one(&reply.tag);
    let all = |name: &str| crate::support::reply::values(&record.headers, name).join("|");
    assert_eq!(all("x-stage"), "route");
    assert_eq!(all("x-via"), "api");
    assert_eq!((all("x-debug"), all("x-secret")), (String::new(), String::new()));
    assert_eq!(all("x-api-key"), "backend-key");
    assert_eq!(reply.all("x-frame-options"), ["DENY", "SAMEORIGIN"]);
    assert_eq!((reply.header("server"), reply.header("x-served")), (None, Some("edge")));
    // The API's go for all its routes, and for the gateway's own answers.
    let plain = p.send(get("/r/anything").header("X-Via", "client")).expect(200);
    let record = p.main.one(&plain.tag);
    assert_eq!(crate::support::reply::values(&record.headers, "x-via"), ["client", "api"]);
    assert_eq!(record.header("x-stage"), Some("api"));
    let refused = p.gateway.send(&get("/r/anything"));
    assert_eq!((refused.status, refused.header("x-frame-options")), (401, Some("DENY")));
}

#[test]
fn no_other_spelling_of_a_field_passes_by_what_the_file_says_of_it() {
    let p = place();
    let asked = get("/r/edited").header("X_Stage", "evil").header("x.debug", "1").header("X_Secret", "1");
    let reply = p.send(asked.header("X_Other", "kept")).expect(200);
    let record = p.main.one(&reply.tag);
    let seen = |name: &str| record.header(name);
    assert_eq!((seen("x_stage"), seen("x.debug"), seen("x_secret")), (None, None, None));
    assert_eq!((seen("x-stage"), seen("x_other")), (Some("route"), Some("kept")));
    // What decides: another spelling neither meets the condition nor reaches a backend that would take it for the field.
    let reply = p.send(get("/r/version").header("X_Version", "2").header("X_Only", "kept")).expect(200);
    let record = p.main.one(&reply.tag);
    assert_eq!((record.header("x_version"), record.header("x_only")), (None, Some("kept")));
    let reply = p.send(get("/r/version").header("X-Version", "2").header("X_Version", "1")).expect(200);
    let record = p.other.one(&reply.tag);
    assert_eq!((record.header("x_version"), record.header("x-version")), (None, Some("2")));
}

#[test]
fn a_route_has_a_body_limit_and_a_timeout_of_its_own() {
    let p = place();
    assert_eq!(p.send(post("/r/small").raw_body("0123456789")).status, 200);
    assert_ocriva(&p.send(post("/r/small").raw_body("0123456789a")), 413, None);
    assert_ocriva(&p.send(post("/r/small").raw_body("0123456789a").chunked(4)), 413, None);
    let large = vec![b'x'; 300 * 1024];
    assert_eq!(p.send(post("/v1/openapi/other").raw_body(&large)).status, 413);
    assert_eq!(p.send(post("/r/large").raw_body(&large)).status, 200);
    let delay = std::time::Duration::from_secs(20);
    p.main.script("very slow", Answer { delay, ..Answer::default() });
    assert_ocriva(&p.send(get("/r/slow").script("very slow")), 504, None);
}

#[test]
fn codings_and_validators_pass_untouched_both_ways() {
    let p = place();
    let body = b"\x1f\x8b\x08 not really gzip \x00\xff".to_vec();
    p.main.script(
        "coded",
        Answer {
            status: 206,
            headers: vec![
                ("content-encoding", "gzip".into()),
                ("vary", "accept-encoding".into()),
                ("etag", "W/\"1\"".into()),
                ("content-range", "bytes 0-22/100".into()),
                ("accept-ranges", "bytes".into()),
            ],
            body: body.clone(),
            ..Answer::default()
        },
    );
    let request = method("PUT", "/r/coded")
        .header("Accept-Encoding", "br;q=1.0, gzip;q=0.5, *;q=0")
        .header("Content-Encoding", "gzip")
        .header("Range", "bytes=0-22")
        .header("If-None-Match", "W/\"1\", \"2\"")
        .raw_body(&body)
        .script("coded");
    let reply = p.send(request).expect(206);
    let record = p.main.one(&reply.tag);
    assert_eq!((&record.body, &reply.body), (&body, &body));
    for (name, value) in [
        ("accept-encoding", "br;q=1.0, gzip;q=0.5, *;q=0"),
        ("content-encoding", "gzip"),
        ("range", "bytes=0-22"),
        ("if-none-match", "W/\"1\", \"2\""),
    ] {
        assert_eq!(record.header(name), Some(value), "{name}");
    }
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("vary", "accept-encoding"),
        ("etag", "W/\"1\""),
        ("content-range", "bytes 0-22/100"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
}

#[test]
fn plain_requests_are_sent_to_tls() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).tls(&["a"]).with(|value| {
        value["apis"][0]["redirect_to_https"] = json!(true);
    });
    let mut gateway = Gateway::prepare(&settings);
    certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
    gateway.import(&Fixture::default().with(organization()).text()).expect_success();
    gateway.serve();
    let reply = gateway.send(&get("/v1/openapi/other?a=1").header("Host", "api.example.com:8080"));
    assert_eq!(
        (reply.status, reply.header("location")),
        (308, Some("https://api.example.com/v1/openapi/other?a=1"))
    );
    let odd = gateway.send(&get("/v1/openapi/other").header("Host", "api.example.com/x"));
    assert_eq!(odd.header("location"), None);
    assert_eq!(gateway.send(&get("/api/open")).status, 200, "another API");
    assert_eq!(upstream.count(), 1);
}
