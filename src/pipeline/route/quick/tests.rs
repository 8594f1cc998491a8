//! What the compact form says is what the long way says, and what a plain reading of the configuration says.

use super::super::path;
use super::super::{Asked, Led, Router};
use crate::config::{self, Api, Config, Segment};
use crate::limiter::Limiter;
use crate::pipeline::reject::Reject;
use crate::telemetry::Metrics;
use crate::upstream::Services;
use crate::wire::{Fields, Request, Scratch, Target};
use http::Method;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

/// Words that differ in case, in escapes, in length, and in what stands behind eight bytes.
const WORDS: [&str; 16] = [
    "a",
    "b",
    "A",
    "ab",
    "aB",
    "v1",
    "resource",
    "resources",
    "Resources",
    "resource-1",
    "resource-12345678",
    "resource-12345679",
    "b+c",
    "b%2Bc",
    "%C3%A9",
    "12345678",
];
const HOSTS: [&str; 6] = ["a.test", "b.test", "x.a.test", "*.test", "*.a.test", "*.x.a.test"];
const ASKED_HOSTS: [&str; 14] = [
    "a.test",
    "b.test",
    "x.a.test",
    "y.x.a.test",
    "z.test",
    "other",
    "A.Test:8080",
    ".a.test",
    "a.test.",
    "a/b.test",
    "b.a.test",
    "",
    "..test",
    "x@b.test",
];
const METHODS: [&str; 6] = [
    "",
    "methods: [GET], ",
    "methods: [POST], ",
    "methods: [GET, PUT], ",
    "methods: [PROPFIND], ",
    "methods: [HEAD], ",
];

/// Numbers that look drawn, and are the same in every run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<'t>(&mut self, words: &[&'t str]) -> &'t str {
        words[self.below(words.len())]
    }
}

fn compiled(apis: &str) -> Option<Config> {
    let head = "listeners: [{ address: '127.0.0.1:8080' }]\nstore: { url: 'sqlite://x.db' }\n\
                jwt: { secret: 0123456789-0123456789-0123456789 }\n\
                upstreams: { one: { endpoints: ['http://127.0.0.1:1'] } }\napis:\n";
    config::compile::from_str(&format!("{head}{apis}"), "x.yaml", std::path::Path::new("/nowhere"), &|_| None)
        .ok()
}

fn router(config: &Config) -> Router {
    let (limiter, metrics) = (Limiter::new(), Metrics::new(1));
    let services = Services::new(&config.upstreams, &[], &metrics).unwrap();
    Router::new(&config.apis, &services, &limiter, &metrics)
}

/// Some APIs, `None` where they contradict each other.
fn drawn(drawn: &mut Drawn, most_routes: usize) -> Option<Config> {
    let (mut text, mut taken) = (String::new(), HashSet::new());
    for api in 0..1 + drawn.below(5) {
        let host = if drawn.below(2) == 0 { "" } else { drawn.of(&HOSTS) };
        let prefixes: Vec<String> = (0..1 + drawn.below(2)).map(|_| prefix(drawn)).collect();
        let prefixes: Vec<String> =
            prefixes.into_iter().filter(|prefix| taken.insert((host, prefix.clone()))).collect();
        if prefixes.is_empty() {
            continue;
        }
        let hosts = if host.is_empty() { String::new() } else { format!("hosts: ['{host}'], ") };
        let listed = prefixes.iter().map(|prefix| format!("'{prefix}'")).collect::<Vec<_>>().join(", ");
        let _ =
            write!(text, "  - {{ name: api-{api}, dialect: problem, {hosts}prefixes: [{listed}], routes: [");
        let mut seen = HashSet::new();
        for _ in 0..1 + drawn.below(most_routes) {
            let prefix = &prefixes[drawn.below(prefixes.len())];
            let path = format!("{}{}", prefix.trim_end_matches('/'), pattern(drawn));
            if seen.insert(path.clone()) {
                routes_of(drawn, &mut text, &path);
            }
        }
        text.push_str("] }\n");
    }
    compiled(&text)
}

fn prefix(drawn: &mut Drawn) -> String {
    let path: String = (0..drawn.below(3)).map(|_| format!("/{}", drawn.of(&WORDS))).collect();
    if path.is_empty() { "/".to_owned() } else { path }
}

fn pattern(drawn: &mut Drawn) -> String {
    let mut path = String::new();
    for _ in 0..drawn.below(4) {
        match drawn.below(3) {
            0 => path.push_str("/{}"),
            _ => write!(path, "/{}", drawn.of(&WORDS)).unwrap(),
        }
    }
    if drawn.below(5) == 0 || path.is_empty() {
        path.push_str("/**");
    }
    // Parameters have names, and each its own.
    let mut named = String::new();
    for (number, part) in path.split("{}").enumerate() {
        if number > 0 {
            let _ = write!(named, "{{p{number}}}");
        }
        named.push_str(part);
    }
    named
}

fn routes_of(drawn: &mut Drawn, text: &mut String, path: &str) {
    let mut route = |more: &str| {
        let _ = write!(text, "{{ path: '{path}', {more}upstream: one, auth: none }}, ");
    };
    match drawn.below(4) {
        0 => {
            route("methods: [GET], ");
            route("methods: [POST], ");
            if drawn.below(2) == 0 {
                route("headers: { X-Canary: yes }, ");
            }
        }
        _ => route(drawn.of(&METHODS)),
    }
}

/// A request whose path is near to those of the routes.
fn request(drawn: &mut Drawn, paths: &[Vec<Segment>]) -> Request {
    let mut path = String::new();
    let pattern: &[Segment] = if drawn.below(8) == 0 { &[] } else { &paths[drawn.below(paths.len())] };
    for segment in pattern {
        match segment {
            Segment::Literal(text) if drawn.below(10) > 0 => write!(path, "/{text}").unwrap(),
            Segment::Rest => {}
            Segment::Literal(_) | Segment::Parameter(_) => write!(path, "/{}", drawn.of(&WORDS)).unwrap(),
        }
    }
    for _ in 0..[0, 0, 0, 1, 2][drawn.below(5)] {
        write!(path, "/{}", drawn.of(&WORDS)).unwrap();
    }
    if path.is_empty() || drawn.below(6) == 0 {
        path.push('/');
    }
    let path = match drawn.below(12) {
        0 => path.to_ascii_uppercase(),
        1 => path.replacen('a', "%61", 1),
        2 => path.replacen('b', "b;x=y", 1),
        3 => path.replacen('/', "//", 1),
        _ => path,
    };
    let method = drawn.of(&["GET", "GET", "HEAD", "POST", "PUT", "PROPFIND", "OPTIONS"]);
    let mut request =
        http::Request::builder().method(method).uri(format!("http://x{path}").trim_start_matches("http://x"));
    if drawn.below(8) > 0 {
        request = request.header("host", drawn.of(&ASKED_HOSTS));
    }
    if drawn.below(2) == 0 {
        request = request.header("x-canary", drawn.of(&["yes", "no"]));
    }
    Request::of(request.body(()).unwrap().into_parts().0, &Scratch::default())
}

fn said(led: Led<'_>) -> (usize, usize, String) {
    (led.0.index, led.1.index, format!("{:?}", led.2))
}

/// Which pattern of an API wins for a path without odd characters: of all that match, the one that first has a literal
/// where others have a parameter, or a parameter where others have `**`.
fn plainly<'a>(api: &'a Api, path: &str) -> Option<&'a [Segment]> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let shape = |pattern: &[Segment]| -> Vec<u8> {
        let kind = |segment: &Segment| match segment {
            Segment::Literal(_) => 1,
            Segment::Parameter(_) => 2,
            Segment::Rest => 3,
        };
        pattern.iter().map(kind).collect()
    };
    let matches = |pattern: &[Segment]| {
        let (fixed, open) = match pattern {
            [fixed @ .., Segment::Rest] => (fixed, true),
            fixed => (fixed, false),
        };
        let one = |(segment, text): (&Segment, &&str)| !matches!(segment, Segment::Literal(literal) if **literal != **text);
        (fixed.len() == segments.len() || open && fixed.len() < segments.len())
            && fixed.iter().zip(&segments).all(one)
    };
    let patterns = api.routes.iter().map(|route| &*route.pattern);
    patterns.filter(|pattern| matches(pattern)).min_by_key(|pattern| shape(pattern))
}

#[test]
fn the_quick_way_and_the_long_one_lead_to_the_same() {
    let mut draw = Drawn(7);
    let (mut configs, mut known, mut asked_for, mut reasons) = (0, 0, 0, HashSet::new());
    while configs < 25 {
        let most = if configs % 10 == 0 { 200 } else { 12 };
        let Some(config) = drawn(&mut draw, most) else { continue };
        configs += 1;
        let router = router(&config);
        let paths: Vec<Vec<Segment>> =
            config.apis.iter().flat_map(|api| api.routes.iter().map(|route| route.pattern.clone())).collect();
        if paths.is_empty() {
            continue;
        }
        for _ in 0..300 {
            let request = request(&mut draw, &paths);
            let asked = Asked { method: &request.method, target: &request.target, fields: &request.fields };
            let Ok(normal) = path::normalise(request.target.path()) else { continue };
            asked_for += 1;
            if normal.contains(['%', ';']) {
                continue;
            }
            let Some(quick) = router.quickly(asked, &normal) else { continue };
            let (quick, long) = (said(quick), said(router.thoroughly(asked, &normal)));
            assert_eq!(quick, long, "{request:?}\n{:#?}", config.apis);
            known += 1;
            reasons.insert(long.2);
        }
    }
    assert!(known * 3 > asked_for, "{known} of {asked_for}");
    assert!(
        reasons.contains("None") && reasons.contains(&format!("{:?}", Some(Reject::NoRoute))),
        "{reasons:?}"
    );
}

#[test]
fn of_many_routes_the_most_specific_wins() {
    let mut draw = Drawn(11);
    let words: Vec<String> = (0..60).map(|number| format!("word-{number}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut text = String::from("  - { name: many, dialect: problem, prefixes: [/], routes: [");
    let mut seen = HashSet::new();
    for _ in 0..1_500 {
        let mut path = String::new();
        for place in 0..1 + draw.below(5) {
            match draw.below(3) {
                0 => write!(path, "/{{p{place}}}").unwrap(),
                _ => write!(path, "/{}", draw.of(&words)).unwrap(),
            }
        }
        if draw.below(6) == 0 {
            path.push_str("/**");
        }
        if seen.insert(path.clone()) {
            let _ = write!(text, "{{ path: '{path}', upstream: one }}, ");
        }
    }
    // What has the same parameters in the same places is one pattern: they have one name for each place.
    let config = compiled(&(text + "] }\n")).expect("no route twice");
    let (router, mut found) = (router(&config), 0);
    for _ in 0..20_000 {
        let path: String = (0..1 + draw.below(6)).map(|_| format!("/{}", draw.of(&words))).collect();
        let target = Target::read(&path, &Scratch::default()).unwrap();
        let asked = Asked { method: &Method::GET, target: &target, fields: &Fields::default() };
        let (_, route, refused) = router.quickly(asked, &path).expect("a plain path");
        let expected = plainly(&config.apis[0], &path);
        assert_eq!(refused.is_none(), expected.is_some(), "{path}");
        if let Some(expected) = expected {
            assert_eq!(route.config.pattern, expected, "{path}");
            found += 1;
        }
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn what_is_borrowed_as_normal_has_nothing_odd() {
    for path in ["/a%2Ab", "/a;b", "/a/b;c=d/e", "/a%20b/long-enough-for-two-chunks-of-sixteen"] {
        assert!(!matches!(path::normalise(path), Ok(Cow::Borrowed(_))), "{path}");
    }
}

#[test]
fn plain_paths_need_no_second_look() {
    let apis = "  - name: a\n    dialect: problem\n    prefixes: [/v1]\n    hosts: [a.test, '*.b.test']\n    routes:\n\
                \u{20}     - { path: '/v1/projectUsers', upstream: one }\n\
                \u{20}     - { path: '/v1/projectUsers/{id}', upstream: one }\n\
                \u{20}     - { path: '/v1/projectUsers/new', upstream: one, headers: { X-Canary: yes } }\n\
                \u{20}     - { path: '/v1/caf%C3%A9', upstream: one }\n";
    let config = compiled(apis).unwrap();
    let router = router(&config);
    for (path, host, known) in [
        ("/v1/projectUsers", "a.test", true),
        ("/v1/projectUsers/", "x.b.test:443", true),
        ("/v1/projectUsers/01ARZ3NDEKTSV4RRFFQ69G5FAV", "A.TEST", true),
        ("/v1/projectUsers/new", "a.test", true),
        ("/other", "a.test", true),
        ("/v1", "nobody.test", true),
        ("/v1/projectusers", "a.test", false),
        ("/V1/projectUsers", "a.test", false),
        ("/v1/projectUsers/NEW", "a.test", false),
        ("/v1/unknown", "a.test", false), // beside a literal with escapes
    ] {
        let request = http::Request::get(path).header("host", host).body(()).unwrap();
        let request = Request::of(request.into_parts().0, &Scratch::default());
        let asked = Asked { method: &request.method, target: &request.target, fields: &request.fields };
        let normal = path::normalise(path).unwrap();
        assert_eq!(router.quickly(asked, &normal).is_some(), known, "{path}");
    }
}
