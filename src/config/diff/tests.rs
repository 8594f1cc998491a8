//! What a diff tells, and what it marks as weaker.

use super::*;
use crate::config::compile::compile;

const BASE: &str = "listeners:
  - { address: 127.0.0.1:8080 }
store: { url: sqlite://x.db }
jwt: { secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }
upstreams:
  main: { endpoints: [\"https://a.test:1\"] }
apis:
  - name: open
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: { requests: 60, per: 1m }
    routes:
      - { path: /v1/x, methods: [GET], require: { scopes: [a, b] }, upstream: main }
      - { path: /v1/x, methods: [POST], upstream: main }
      - { path: /v1/y, upstream: main }
";

fn outline(source: &str) -> Outline {
    let env = |name: &str| (name == "S").then(|| "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned());
    compile(source, "f.yaml", "/".as_ref(), &env).unwrap_or_else(|problems| panic!("{problems}")).outline
}

#[track_caller]
fn changes(alter: &[(&str, &str)]) -> Vec<String> {
    let mut altered = BASE.to_owned();
    for (from, to) in alter {
        assert!(altered.contains(from), "{from}");
        altered = altered.replacen(from, to, 1);
    }
    Changes::between(&outline(BASE), &outline(&altered)).list.iter().map(ToString::to_string).collect()
}

#[test]
fn what_means_the_same_is_no_change() {
    for same in [
        ("per: 1m", "per: 60s"),
        ("requests: 60,", "requests: 6_0, algorithm: token_bucket,"),
        ("127.0.0.1:8080", "\"127.0.0.1:8080\""),
        ("store: { url: sqlite://x.db }", "store: { url: sqlite://x.db, max_staleness: 5000ms }\nlimits: {}"),
        ("[\"https://a.test:1\"] }", "[\"https://a.test:1\"], timeouts: { connect: 2s } }"),
    ] {
        assert_eq!(changes(&[same]), Vec::<String>::new(), "{same:?}");
    }
    let moved = "      - { path: /v1/y, upstream: main }\n";
    let first = "      - { path: /v1/x, methods: [GET]";
    assert_eq!(changes(&[(moved, ""), (first, &format!("{moved}{first}"))]), Vec::<String>::new());
}

#[test]
fn each_change_is_told_once_at_its_place() {
    assert_eq!(
        changes(&[("requests: 60", "requests: 30"), ("/v1/y", "/v1/z")]),
        [
            "~ apis[open].rate_limit.requests: 60 -> 30",
            "+ apis[open].routes[/v1/z]: { path: /v1/z, upstream: main }  [weaker: a route for which any key is enough]",
            "- apis[open].routes[/v1/y]: { path: /v1/y, upstream: main }",
        ]
    );
    assert_eq!(
        changes(&[("methods: [POST], upstream", "methods: [POST], project: { in: json }, upstream")]),
        ["+ apis[open].routes[POST /v1/x].project: { in: json }"]
    );
    assert_eq!(
        changes(&[("[\"https://a.test:1\"] }", "[\"https://a.test:1\"], timeouts: { connect: 1s } }")]),
        ["~ upstreams.main.timeouts.connect: 2s (the default) -> 1s"]
    );
    assert_eq!(
        changes(&[("x.db }", "x.db, max_staleness: 1s }")]),
        ["~ store.max_staleness: 5s (the default) -> 1s"]
    );
}

#[test]
fn what_is_more_permissive_is_marked() {
    for (alter, mark) in [
        (("methods: [POST], upstream", "methods: [POST], auth: none, upstream"), "open to everyone"),
        (("require: { scopes: [a, b] }, ", ""), "any key is enough"),
        (("scopes: [a, b]", "scopes: [a]"), "less is asked"),
        (("scopes: [a, b]", "scopes: [a, b], mode: observe"), "no longer refuses"),
        (("rate_limit: { requests: 60, per: 1m }", "rate_limit: none"), "the limit falls away"),
        (("requests: 60", "requests: 600"), "more requests"),
        (("per: 1m", "per: 1s"), "more requests"),
        (("    rate_limit", "    body_limit: 1GiB\n    rate_limit"), "larger bodies"),
        (("8080 }", "8080 }\n  - { address: 127.0.0.1:8081 }"), "without TLS"),
        (("8080 }", "8080, trusted_proxies: [10.0.0.0/8] }"), "believed"),
        (("x.db }", "x.db }\nlimits: { unknown_keys: none }"), "strangers"),
        (("x.db }", "x.db }\naccounts: { signup: open }"), "more people"),
        (("https://a.test:1", "http://a.test:1"), "without encryption"),
        (
            ("      - { path: /v1/y", "      - { path: /v1/n, upstream: main }\n      - { path: /v1/y"),
            "any key",
        ),
        (
            (
                "      - { path: /v1/y",
                "      - { path: /v1/n, require: { scopes: [a], mode: observe }, upstream: main }\n      - { path: /v1/y",
            ),
            "only recorded",
        ),
        (
            ("    rate_limit", "    cors: { origins: [https://a.test] }\n    rate_limit"),
            "pages of other origins",
        ),
        (("{ path: /v1/y,", "{ path: /v1/y, body_limit: 60MiB,"), "larger bodies"),
        (
            ("      - { path: /v1/x, methods: [GET], require: { scopes: [a, b] }, upstream: main }\n", ""),
            "requirement goes",
        ),
    ] {
        let found = changes(&[alter]);
        assert!(found.len() == 1 && found[0].contains("[weaker: ") && found[0].contains(mark), "{found:?}");
    }
    for alter in [
        ("{ path: /v1/y,", "{ path: /v1/y, body_limit: 40MiB,"),
        (
            "      - { path: /v1/y",
            "      - { path: /v1/n, require: { scopes: [a] }, upstream: main }\n      - { path: /v1/y",
        ),
        ("requests: 60", "requests: 6"),
        ("scopes: [a, b]", "scopes: [a, b, c]"),
        ("x.db }", "x.db }\naccounts: { signup: closed }"),
        ("    rate_limit", "    body_limit: 1MiB\n    rate_limit"),
        ("8080 }", "8080, limits: { max_streams: 5 } }"),
    ] {
        let found = changes(&[alter]);
        assert!(found.len() == 1 && !found[0].contains("weaker"), "{found:?}");
    }
}

/// What becomes of one file, `before` the alterations in place of the usual one.
#[track_caller]
fn marks(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
    let alter = |source: &str, alterations: &[(&str, &str)]| {
        alterations.iter().fold(source.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        })
    };
    let old = alter(BASE, before);
    let new = alter(&old, after);
    Changes::between(&outline(&old), &outline(&new)).list.iter().map(ToString::to_string).collect()
}

#[test]
fn what_held_without_being_said_is_compared_too() {
    let limit = ("    rate_limit: { requests: 60, per: 1m }\n", "");
    let ocore = [limit, ("ocriva", "ocore")];
    let problem = [limit, ("ocriva", "problem")];
    let hosts = [("    rate_limit", "    hosts: [a.test]\n    rate_limit")];
    let cors = [("    rate_limit", "    cors: { origins: [https://a.test] }\n    rate_limit")];
    let memory = [("x.db }", "x.db }\nlimits: { memory: 1GiB }")];
    let body = [("{ path: /v1/y,", "{ path: /v1/y, body_limit: 1MiB,")];
    let (year, forever) = ([("x.db }", "x.db, audit: 365d }")], [("x.db }", "x.db, audit: forever }")]);
    let with = |rate: &str| format!("    rate_limit: {rate}\n    routes:");
    for (before, (from, to), mark) in [
        (&[limit][..], ("    routes:", &*with("{ requests: 61, per: 1m }")), "more requests"),
        (&[limit], ("    routes:", &with("{ requests: 10, per: 1s }")), "more requests"),
        (&[limit], ("    routes:", &with("{ requests: 6, per: 1m, mode: observe }")), "only records"),
        (&[limit], ("    routes:", &with("{ requests: 60, per: 2m }")), ""),
        (&ocore, ("    routes:", &with("{ requests: 600, per: 1m }")), ""),
        (&ocore, ("    routes:", &with("{ requests: 601, per: 1m }")), "more requests"),
        (&problem, ("    routes:", &with("{ requests: 6000, per: 1m }")), ""),
        (&hosts, ("    hosts: [a.test]\n", ""), "on every host"),
        (&cors, ("[https://a.test]", "[https://a.test, https://b.test]"), "more origins"),
        (&cors, ("a.test] }", "a.test], credentials: true }"), "browser's credentials"),
        (&memory, ("limits: { memory: 1GiB }", ""), "no ceiling"),
        (&body, ("1MiB", "2MiB"), "larger bodies"),
        (&body, (" body_limit: 1MiB,", ""), "larger bodies"),
        (&body, ("1MiB", "900KiB"), ""),
        (&[], ("x.db }", "x.db, audit: 30d }"), "deleted for good"),
        (&forever, ("forever", "30d"), "deleted for good"),
        (&year, ("365d", "30d"), "deleted for good"),
        (&year, ("365d", "400d"), ""),
        (&year, ("365d", "forever"), ""),
        (&year, (", audit: 365d", ""), ""),
    ] {
        let found = marks(before, &[(from, to)]);
        let weaker = found.len() == 1 && found[0].contains("[weaker: ");
        assert!(weaker != mark.is_empty() && found[0].contains(mark), "{to}: {found:?}");
    }
}

#[test]
fn to_send_nobody_to_tls_any_more_is_weaker() {
    let word = |text: &str| {
        outline::Part::Scalar(outline::Scalar { meaning: text.to_owned(), shown: Some(text.to_owned()) })
    };
    let (yes, no, nothing) = (word("true"), word("false"), outline::Part::Nothing);
    let is_weaker =
        |old, new| weaker::how("apis[].redirect_to_https", old, new, Some("false"), None).is_some();
    assert!(is_weaker(&yes, &no) && is_weaker(&yes, &nothing));
    assert!(!is_weaker(&nothing, &yes) && !is_weaker(&no, &yes));
}

#[test]
fn values_of_header_fields_are_not_shown() {
    let fields = |value: &str| {
        let edits = format!("    request_headers: {{ set: {{ X-Internal-Auth: {value} }} }}\n");
        let answers = format!("    response_headers: {{ add: {{ X-Mark: {value} }} }}\n");
        ("    rate_limit".to_owned(), format!("{edits}{answers}    rate_limit"))
    };
    let (at, first) = fields("s3cret");
    let found = changes(&[(&at, &first)]).join("\n");
    assert!(found.contains("X-Internal-Auth") && !found.contains("s3cret"), "{found}");
    let found =
        marks(&[(&at, &first)], &[("Auth: s3cret", "Auth: s3cret2"), ("Mark: s3cret", "Mark: s3cret2")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|line| line.ends_with("changed (not shown)")), "{found:?}");
    let (_, from_outside) = fields("\"${S}\"");
    let found = changes(&[(&at, &from_outside)]).join("\n");
    assert!(found.contains("X-Internal-Auth: ${S}") && !found.contains("bbbb"), "{found}");
    let (_, partly) = fields("\"s3cret-${S}\"");
    let found = changes(&[(&at, &partly)]).join("\n");
    assert!(!found.contains("s3cret") && !found.contains("bbbb"), "{found}");
    let inside = ("{ path: /v1/y,", "{ path: /v1/y, request_headers: { set: { X-Internal-Auth: s3cret } },");
    let found = changes(&[inside]).join("\n");
    assert!(found.contains("X-Internal-Auth") && !found.contains("s3cret"), "{found}");
}

#[test]
fn secrets_are_not_shown() {
    let (one, two) = (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, other_secret: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb }",
    );
    let found = changes(&[(one, two)]);
    assert_eq!(
        found,
        ["+ jwt.other_secret: added (not shown)  [weaker: tokens of another secret are accepted]"]
    );
    let found =
        changes(&[("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "cccccccccccccccccccccccccccccccccccccccc")]);
    assert_eq!(found, ["~ jwt.secret: changed (not shown)"]);
    let found = changes(&[("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\"${S}\"")]);
    assert_eq!(found, ["~ jwt.secret: changed (not shown)"]);
    let outlines = format!("{:?}", outline(BASE));
    assert!(!outlines.contains("aaaaaaaa"), "{outlines}");
}
