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
            "+ apis[open].routes[/v1/z]: { path: /v1/z, upstream: main }",
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
            ("      - { path: /v1/x, methods: [GET], require: { scopes: [a, b] }, upstream: main }\n", ""),
            "requirement goes",
        ),
    ] {
        let found = changes(&[alter]);
        assert!(found.len() == 1 && found[0].contains("[weaker: ") && found[0].contains(mark), "{found:?}");
    }
    for alter in [
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

#[test]
fn secrets_are_not_shown() {
    let found =
        changes(&[("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "cccccccccccccccccccccccccccccccccccccccc")]);
    assert_eq!(found, ["~ jwt.secret: changed (not shown)"]);
    let found = changes(&[("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\"${S}\"")]);
    assert_eq!(found, ["~ jwt.secret: changed (not shown)"]);
    let outlines = format!("{:?}", outline(BASE));
    assert!(!outlines.contains("aaaaaaaa"), "{outlines}");
}
