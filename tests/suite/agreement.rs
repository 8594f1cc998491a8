//! What the edge checked and what an upstream reads are the same, over hundreds of spellings of queries and paths.

use super::readings;
use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, P1, P2, Settings};
use crate::support::upstream::{Record, Upstream};
use crate::support::world::{foreign, organization};
use crate::support::{Reply, Request, get};

/// A gateway without limits, and one key of each kind.
pub(super) struct Arena {
    gateway: Gateway,
    upstream: Upstream,
    pub(super) keys: [String; 2],
    /// Requests tried, and how many of them went through.
    pub(super) tried: usize,
    pub(super) passed: usize,
    connection: Option<Connection>,
}

impl Arena {
    pub(super) fn new() -> Self {
        let upstream = Upstream::http();
        let mut org = organization();
        let keys = [org.org_key(), org.project_key(P1)];
        let fixture = Fixture::default().with(org).with(foreign());
        let gateway = Gateway::start(&Settings::usual(&upstream.url()).unlimited(), &fixture);
        Self { gateway, upstream, keys, tried: 0, passed: 0, connection: None }
    }

    /// Sends a request; gives what the upstream saw when it went through. Anything else must be a 4xx.
    pub(super) fn ask(&mut self, request: &Request) -> Option<Record> {
        self.tried += 1;
        let reply = self.reply(request);
        if reply.status == 200 {
            self.passed += 1;
            return Some(self.upstream.one(&reply.tag));
        }
        assert!((400..500).contains(&reply.status), "{request:?}: {reply:?}");
        assert!(self.upstream.seen(&request.tag).is_empty(), "refused, and forwarded: {request:?}");
        None
    }

    /// Over a connection that is kept while the gateway keeps it.
    fn reply(&mut self, request: &Request) -> Reply {
        if let Some(mut kept) = self.connection.take()
            && let Ok(reply) = kept.try_send(request)
        {
            self.connection = (reply.status == 200).then_some(kept);
            return reply;
        }
        let mut fresh = self.gateway.connect();
        let reply = fresh.send(request);
        self.connection = (reply.status == 200).then_some(fresh);
        reply
    }

    /// Fails unless every reading is the project the edge named, or none at all.
    pub(super) fn assert_agreed(record: &Record, readings: &[Option<String>], request: &Request) {
        let edge = record.header("x-gateway-project-id").filter(|id| !id.is_empty());
        for reading in readings.iter().flatten().filter(|reading| !reading.is_empty()) {
            assert_eq!(
                Some(reading.as_str()),
                edge,
                "the upstream reads another project: {request:?}\n{record:?}"
            );
        }
    }

    pub(super) fn assert_enough(&self, tried: usize, passed: usize) {
        assert!(self.tried >= tried, "only {} spellings were tried", self.tried);
        assert!(self.passed >= passed, "only {} of {} went through", self.passed, self.tried);
    }
}

const NAMES: [&str; 24] = [
    "projectId",
    "%70rojectId",
    "project%49d",
    "projectI%64",
    "%70%72%6f%6a%65%63%74%49%64",
    "projectid",
    "PROJECTID",
    "ProjectId",
    "project%69d",
    "projectId[]",
    "projectId%5B%5D",
    "projectId[0]",
    "projectId[$ne]",
    "projectId%00",
    "projectId%00x",
    "+projectId",
    "projectId+",
    "%20projectId",
    "projectId%20",
    "projectId%09",
    "%2570rojectId",
    "project_id",
    "xprojectId",
    "projectId.x",
];

fn values() -> Vec<String> {
    let spelled = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    let mut list: Vec<String> = ["", "%", "%4", "null", "*"].map(str::to_owned).to_vec();
    list.extend([P1.to_owned(), FOREIGN.to_owned(), spelled(P1), spelled(FOREIGN), P1.to_uppercase()]);
    list.extend([
        format!("{P1}%00"),
        format!("+{P1}"),
        format!("{P1}%2C{FOREIGN}"),
        format!("{P1};{FOREIGN}"),
    ]);
    list
}

fn queries() -> Vec<String> {
    let mut list = Vec::new();
    for name in NAMES {
        for value in values() {
            list.push(format!("{name}={value}"));
        }
        for value in [P1, P2, FOREIGN] {
            for joint in ["&", ";", "&&", "&amp;", "%26", "&x=1&", ";x=1;", "\u{26}%3b"] {
                list.push(format!("projectId={P1}{joint}{name}={value}"));
                list.push(format!("{name}={value}{joint}projectId={P1}"));
            }
        }
        list.push(name.to_owned());
        list.push(format!("x=a;{name}={FOREIGN}"));
        list.push(format!("x={name}={FOREIGN}"));
        list.push(format!("{name}=={P1}"));
        list.push(format!("a=b?{name}={FOREIGN}"));
    }
    list
}

#[test]
fn queries_are_read_alike_by_the_edge_and_by_every_upstream() {
    let mut arena = Arena::new();
    let keys = arena.keys.clone();
    for (number, query) in queries().into_iter().enumerate() {
        let path = ["/v1/openapi/processing-history", "/v1/openapi/other"][number % 2];
        let request = get(&format!("{path}?{query}")).key(&keys[number / 2 % 2]);
        let Some(record) = arena.ask(&request) else { continue };
        Arena::assert_agreed(&record, &readings::of_query(record.query()), &request);
        if path.ends_with("history") {
            let edge = record.header("x-gateway-project-id").map(str::to_owned);
            assert!(edge.is_some(), "a project is needed there: {request:?}");
            assert_eq!(readings::of_query(record.query())[0], edge, "it is named in the query: {record:?}");
        }
    }
    arena.assert_enough(1000, 100);
}

/// Ways to write the slash before the last segment, and that segment.
fn paths() -> Vec<String> {
    const SLASHES: [&str; 18] = [
        "/",
        "//",
        "///",
        "/./",
        "/././",
        "/x/../",
        "/../openapi/",
        "%2f",
        "%2F",
        "\\",
        "%5c",
        "/;/",
        "/.;/",
        "/%2e/",
        "/%00/",
        "/%2e%2e/openapi/",
        "/..%2f",
        "%252f",
    ];
    const LAST: [&str; 24] = [
        "batch",
        "%62atch",
        "b%61tch",
        "batc%68",
        "%2562atch",
        "%62%61%74%63%68",
        "batch/",
        "batch//",
        "batch/.",
        "batch/..",
        "batch/../batch",
        "batch;x=1",
        "batch%3bx=1",
        "batch%20",
        "batch%00",
        "batch%3f",
        "batch%23x",
        "batch/%2e",
        "batch.",
        "batch%2f",
        "Batch",
        "BATCH",
        "batch%5c",
        "processing-history/a",
    ];
    let mut list = Vec::new();
    for slash in SLASHES {
        for last in LAST {
            list.push(format!("/v1/openapi{slash}{last}"));
            list.push(format!("/v1{slash}openapi/{last}"));
            list.push(format!("{slash}v1/openapi/{last}"));
        }
    }
    let absolute: Vec<_> = list.iter().step_by(7).map(|path| format!("http://api.test{path}")).collect();
    list.extend(absolute);
    list
}

/// Whether the path leads to a route that needs a project; case counts, as it does for the gateway.
fn needs_project(path: &str) -> bool {
    let history = "/v1/openapi/processing-history";
    path == "/v1/openapi/batch" || path == history || path.starts_with(&format!("{history}/"))
}

#[test]
fn paths_lead_to_the_same_route_at_the_edge_and_at_every_upstream() {
    let mut arena = Arena::new();
    let key = arena.keys[0].clone();
    for path in paths() {
        // Without a project: what goes through was taken for a route that needs none.
        if let Some(record) = arena.ask(&get(&path).key(&key)) {
            let read = readings::sloppy_path(&record.target);
            assert!(!needs_project(&read), "{path} passed unguarded as {}, read as {read}", record.target);
        }
        // With one: the upstream's path is in its normal form, so that every reader sees the same.
        if let Some(record) = arena.ask(&get(&format!("{path}?projectId={P1}")).key(&key)) {
            let seen = record.target.split('?').next().unwrap_or_default();
            assert!(seen.starts_with("/v1/openapi/"), "{path} became {seen}");
            assert!(
                !seen.contains("//") && !seen.contains("/./") && !seen.contains('\\'),
                "{path} became {seen}"
            );
            let strict = seen.trim_end_matches('/');
            assert_eq!(
                needs_project(strict),
                needs_project(&readings::sloppy_path(seen)),
                "{path} became {seen}"
            );
        }
    }
    arena.assert_enough(2000, 100);
}
