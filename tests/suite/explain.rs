//! `portcullis explain` says what the gateway does: its answers are held against those of a gateway that runs.

use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, ORG, OTHER_SLUG, P1, P2, SLUG, Settings};
use crate::support::world::{BOTH, DEVELOPER, VIEWER, World, organization, with_one_key, world};
use crate::support::{Request, delete, get, method, post};
use serde_json::{Value, json};
use std::process::Output;

const HISTORY: &str = "/v1/openapi/processing-history/7";

/// Runs `explain` for this request, and checks that it succeeds and shows no credential.
#[track_caller]
fn run(gateway: &Gateway, request: &Request, more: &[&str]) -> String {
    let fields: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    let mut arguments = vec![request.method.as_str(), request.target.as_str()];
    arguments.extend(fields.iter().flat_map(|field| ["-H", field]));
    arguments.extend(more);
    let output = gateway.run("explain", &arguments);
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{request:?}");
    for (name, value) in &request.headers {
        let secret = String::from_utf8_lossy(value);
        let secret = secret.trim_start_matches("Bearer ").trim_start_matches("access_token=");
        let is_one = ["x-api-key", "authorization", "cookie"].iter().any(|n| name.eq_ignore_ascii_case(n));
        assert!(!is_one || !stdout.contains(secret), "{name} is shown:\n{stdout}");
    }
    stdout
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn explained(gateway: &Gateway, request: &Request, more: &[&str]) -> Value {
    let text = run(gateway, request, &[more, &["--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The step of this stage.
#[track_caller]
fn step<'e>(explanation: &'e Value, stage: &str) -> &'e Value {
    let steps = explanation["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["stage"] == stage).unwrap_or_else(|| panic!("no {stage}: {explanation:#}"))
}

/// A request that is refused at this stage, and answered by the gateway exactly as explained.
#[track_caller]
fn refused(w: &World, request: &Request, stage: &str, status: u16) -> Value {
    let explanation = explained(&w.gateway, request, &[]);
    assert_eq!(explanation["result"], "refused", "{explanation:#}");
    assert_eq!(step(&explanation, stage)["outcome"], "refused", "{explanation:#}");
    assert_eq!(explanation["answer"]["status"], status, "{explanation:#}");
    let reply = w.send(request);
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (status, explanation["answer"]["body"].as_str().expect("a body"))
    );
    for (name, value) in explanation["answer"]["headers"].as_object().expect("header fields") {
        assert_eq!(reply.header(name), value.as_str(), "{name}");
    }
    explanation
}

/// A request that arrives at the backend exactly as explained.
#[track_caller]
fn forwarded(w: &World, request: &Request) -> Value {
    let explanation = explained(&w.gateway, request, &[]);
    assert_eq!(explanation["result"], "forwarded", "{explanation:#}");
    let forwarded = &explanation["forwarded"];
    let (_, record) = w.arrives(request);
    assert_eq!((&forwarded["method"], &forwarded["target"]), (&json!(record.method), &json!(record.target)));
    for (name, value) in forwarded["set"].as_object().expect("header fields") {
        let sent = record.header(name).unwrap_or_else(|| panic!("{name} is not sent: {record:?}"));
        if name.starts_with("x-gateway-") || name == "x-forwarded-proto" {
            assert_eq!(Some(sent), value.as_str(), "{name}");
        }
    }
    for name in record.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-gateway-")) {
        assert!(forwarded["set"].get(name).is_some(), "{name} is sent and not explained: {explanation:#}");
    }
    explanation
}

#[test]
fn a_key_that_is_let_in_and_all_that_is_said_of_it() {
    let w = world();
    let explanation = forwarded(w, &get(&format!("{HISTORY}?projectId={P2}&x=1")).key(&w.org_key()));
    let facts = |stage: &str| step(&explanation, stage)["facts"].clone();
    assert_eq!((&facts("route")["api"], &facts("route")["dialect"]), (&json!("open-api"), &json!("ocriva")));
    let route = step(&explanation, "route")["why"].as_str().expect("why");
    let config = std::fs::read_to_string(w.gateway.config()).expect("the configuration");
    let line: usize =
        route.split("line ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("a line");
    assert!(config.lines().nth(line - 1).expect("that line").contains("processing-history/**"), "{route}");
    assert_eq!(facts("credential"), json!({ "X-API-Key": "a key of the family ocr_" }));
    assert_eq!(facts("identify")["organization"], json!(format!("{ORG} ({SLUG})")));
    assert_eq!(facts("identify")["type"], "organization");
    assert_eq!(facts("limit")["left"], "60 of 60, in this process");
    assert_eq!(facts("verify")["ipWhitelist"], "none: any address");
    assert_eq!(facts("project")["project"], P2);
    let steps = explanation["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step["outcome"] == "allowed"), "{explanation:#}");
    assert_eq!(explanation["forwarded"]["endpoints"], json!([w.upstream.url()]));
    let authorization = explanation["forwarded"]["set"]["authorization"].as_str().expect("authorization");
    assert!(
        authorization.contains("https://gateway.test") && !authorization.contains("eyJ"),
        "{authorization}"
    );
}

#[test]
fn a_project_key_gets_its_project_into_the_query() {
    let w = world();
    let explanation = forwarded(w, &get(&format!("{HISTORY}?x=1")).bearer(&w.project_key()));
    assert_eq!(explanation["forwarded"]["target"], format!("{HISTORY}?x=1&projectId={P1}"));
    assert_eq!(step(&explanation, "project")["facts"]["query as forwarded"], format!("x=1&projectId={P1}"));
    assert_eq!(
        step(&explanation, "credential")["facts"]["Authorization: Bearer"],
        "a key of the family ocr_"
    );
}

#[test]
fn what_projects_are_refused_for() {
    let w = world();
    let foreign =
        refused(w, &get(&format!("{HISTORY}?projectId={FOREIGN}")).key(&w.org_key()), "project", 401);
    assert!(step(&foreign, "project")["why"].as_str().expect("why").contains(FOREIGN));
    assert_eq!(step(&foreign, "require")["outcome"], "not_reached");
    refused(w, &get(&format!("{HISTORY}?projectId={P2}")).key(&w.project_key()), "project", 401);
    refused(w, &get(&format!("{HISTORY}?projectId={P1}&projectId={P2}")).key(&w.org_key()), "project", 400);
    refused(w, &get(&format!("{HISTORY}?projectid={P1}")).key(&w.org_key()), "project", 400);
    refused(w, &get(&format!("{HISTORY}?a=%zz")).key(&w.org_key()), "project", 400);
    let missing = refused(w, &get(HISTORY).key(&w.org_key()), "project_rule", 400);
    assert!(missing["answer"]["body"].as_str().expect("a body").contains("projectId is required"));
}

#[test]
fn what_keys_are_refused_for() {
    let w = world();
    let path = "/v1/openapi/templates";
    refused(w, &get(path), "credential", 401);
    refused(w, &get(path).key("no key"), "credential", 401);
    refused(w, &get(path).key(&w.org_key()).bearer(&w.org_key()), "credential", 401);
    refused(w, &get(path).key(&ocriva_key()), "identify", 401);
    refused(w, &get(path).bearer("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"), "identify", 401);
    let expired = refused(w, &get(path).key(&w.key("expired")), "verify", 401);
    assert!(step(&expired, "verify")["why"].as_str().expect("why").contains("2020-01-01"));
    let inactive = refused(w, &get(path).key(&w.key("inactive")), "verify", 401);
    assert_eq!(step(&inactive, "verify")["facts"]["active"], "no");
    refused(w, &get(path).key(&w.key("127.0.0.2")), "verify", 403);
}

#[test]
fn the_address_is_the_one_that_is_given() {
    let w = world();
    let request = get("/v1/openapi/templates").key(&w.key("127.0.0.2"));
    let allowed = explained(&w.gateway, &request, &["--from", "127.0.0.2"]);
    assert_eq!(allowed["result"], "forwarded", "{allowed:#}");
    let refused = explained(&w.gateway, &request, &["--from", "192.0.2.7"]);
    assert_eq!(refused["answer"]["status"], 403, "{refused:#}");
    let verdict = step(&refused, "verify")["facts"]["ipWhitelist"].as_str().expect("a verdict");
    assert!(verdict.contains("does not have 192.0.2.7"), "{verdict}");
}

#[test]
fn paths_that_lead_nowhere_and_paths_that_lie() {
    let w = world();
    let nowhere = refused(w, &get("/nothing/here"), "route", 404);
    assert!(step(&nowhere, "route")["why"].as_str().expect("why").contains("/v1"), "{nowhere:#}");
    refused(w, &get("/api/nothing"), "route", 404);
    let method = refused(w, &delete("/v1/openapi/templates"), "route", 405);
    assert!(method["answer"]["headers"]["allow"].as_str().expect("Allow").contains("POST"));
    for path in ["/v1/openapi/../x", "/v1/openapi/%2e%2e/x", "/v1/openapi/a%2fb", "/v1/openapi/%252e%252e/x"]
    {
        refused(w, &get(path), "route", 400);
    }
    let explanation = forwarded(w, &get("/v1//openapi/./%74emplates").key(&w.org_key()));
    assert_eq!(explanation["forwarded"]["target"], "/v1/openapi/templates");
}

#[test]
fn permissions_of_keys_and_of_people() {
    let w = world();
    forwarded(w, &get("/api/servers/7").bearer(&w.key("view:servers")));
    let missing = refused(w, &post("/api/servers").bearer(&w.key("view:servers")), "require", 403);
    assert_eq!(step(&missing, "require")["why"], "missing: the permission manage:servers");
    let person = refused(w, &post("/api/servers").bearer(&w.access(VIEWER)), "require", 403);
    assert_eq!(step(&person, "require")["why"], "missing: the permission manage:servers");
    assert_eq!(step(&person, "organization")["why"], format!("{ORG} ({SLUG}), as viewer"));
    let scope = refused(w, &get("/v1/openapi/scoped").key(&w.org_key()), "require", 403);
    assert_eq!(step(&scope, "require")["why"], "missing: the scope อ่าน ได้");
    forwarded(w, &get("/api/servers").header("Cookie", format!("access_token={}", w.access(DEVELOPER))));
    refused(w, &get("/api/servers").bearer(&w.access(BOTH)), "organization", 400);
    refused(w, &get("/api/servers").bearer(&w.key("view:servers")).org(OTHER_SLUG), "organization", 403);
    refused(w, &get("/api/servers").key(&w.key("view:servers")), "credential", 401);
}

#[test]
fn a_jwt_and_its_key_are_told_apart() {
    let w = world();
    let key = w.org_key();
    let explanation = forwarded(w, &get("/v1/openapi/templates").bearer(&w.token(&key)));
    assert_eq!(step(&explanation, "credential")["facts"], json!({ "Authorization: Bearer": "a JWT" }));
}

#[test]
fn a_body_is_not_seen_and_that_is_said() {
    let w = world();
    let request = post("/v1/openapi/templates").key(&w.org_key());
    let explanation = explained(&w.gateway, &request.clone().header("Content-Type", "application/json"), &[]);
    for stage in ["body", "project_rule"] {
        assert_eq!(step(&explanation, stage)["outcome"], "info", "{explanation:#}");
    }
    let why = step(&explanation, "project_rule")["why"].as_str().expect("why");
    assert!(why.contains("projectId is required for organization tokens"), "{why}");
    refused(w, &request.body("text/plain", "{}"), "body", 415);
}

#[test]
fn what_the_gateway_answers_itself() {
    let w = world();
    let login = post("/v1/openapi/auth/login").header("Content-Type", "application/json");
    let explanation = explained(&w.gateway, &login, &[]);
    assert_eq!((&explanation["result"], &explanation["answer"]), (&json!("undecided"), &Value::Null));
    assert!(step(&explanation, "body")["why"].as_str().expect("why").contains("JSON body"));
    let fixed = explained(&w.gateway, &get("/v1/openapi/fixed").key(&w.org_key()), &[]);
    assert_eq!((&fixed["result"], &fixed["answer"]["status"]), (&json!("answered"), &json!(203)));
    assert_eq!(fixed["answer"]["body"], "{\"fixed\":true}");
    let projects = explained(&w.gateway, &get("/v1/openapi/projects").key(&w.org_key()), &[]);
    assert_eq!((&projects["result"], &projects["answer"]["status"]), (&json!("answered"), &json!(200)));
    let preflight = method("OPTIONS", "/v1/openapi/nothing")
        .header("Origin", "https://a.example")
        .header("Access-Control-Request-Method", "GET");
    assert_eq!(explained(&w.gateway, &preflight, &[])["answer"]["status"], w.send(&preflight).status);
    let open = explained(&w.gateway, &get("/v1/open/x").key("whatever"), &[]);
    assert_eq!(open["result"], "forwarded", "{open:#}");
}

#[test]
fn asking_counts_nothing_and_takes_nothing() {
    let w = world();
    let key = w.org_key();
    let request = get("/v1/openapi/templates").key(&key);
    for _ in 0..3 {
        explained(&w.gateway, &request, &[]);
    }
    assert_eq!(w.gateway.usage(&key), (0, false));
    assert_eq!(w.send(&request).number("x-ratelimit-remaining"), 59);
}

#[test]
fn a_store_that_nobody_uses_stays_as_it_is() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    let mut organization = organization();
    let key = organization.org_key();
    gateway.import(&Fixture::default().with(organization).text()).expect_success();
    let before = (std::fs::read(gateway.db_path()).expect("the database"), files(&gateway));
    let explanation = explained(&gateway, &get("/v1/openapi/templates").key(&key), &[]);
    assert_eq!(explanation["result"], "forwarded", "{explanation:#}");
    assert!(
        before == (std::fs::read(gateway.db_path()).expect("the database"), files(&gateway)),
        "{:?}",
        files(&gateway)
    );
}

fn files(gateway: &Gateway) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(gateway.folder()).expect("the folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names
}

#[test]
fn without_a_store_the_rest_is_explained() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    let request = get("/v1/openapi/templates").key(&ocriva_key());
    let explanation = explained(&gateway, &request, &[]);
    assert_eq!(explanation["result"], "undecided", "{explanation:#}");
    let identify = step(&explanation, "identify");
    assert!(identify["why"].as_str().expect("why").starts_with("no store yet: the key cannot be looked up"));
    assert_eq!(explained(&gateway, &get("/v1/openapi/templates"), &[])["answer"]["status"], 401);
    assert_eq!(explained(&gateway, &get("/v1/open/x"), &[])["result"], "forwarded");
    assert!(!gateway.db_path().exists() && files(&gateway).len() == 2, "{:?}", files(&gateway));
}

#[test]
fn a_person_reads_a_line_for_each_stage() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    let text = run(&gateway, &get("/v1/openapi/templates?token=ocr_in_the_query").key(&ocriva_key()), &[]);
    for line in [
        "route         ok        /v1/openapi/templates, line ",
        "identify      unknown   no store yet",
        "\nlimit         -\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    assert!(
        text.contains("What becomes of it cannot be told here.") && !text.contains("in_the_query"),
        "{text}"
    );
}

#[test]
fn a_url_names_the_host_and_a_key_never_shows() {
    let (gateway, key) = with_one_key(&Settings::usual("http://127.0.0.1:1"));
    let url = "http://api.example.com/v1/openapi/templates#part";
    let explanation = explained(&gateway, &get(url).key(&key), &[]);
    let forwarded = &explanation["forwarded"];
    assert_eq!(
        (&forwarded["target"], &forwarded["set"]["x-forwarded-host"]),
        (&json!("/v1/openapi/templates"), &json!("api.example.com"))
    );
    for fields in [format!("X-API-Key {key}"), format!("X API Key: {key}"), format!("X-API-Key: {key}\u{1}")]
    {
        let output = gateway.run("explain", &["GET", "/v1/x", "-H", &fields]);
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(!stdout.contains(&key) && !stderr.contains(&key), "{stderr}");
    }
}

#[test]
fn what_cannot_be_used_is_code_one() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    std::fs::write(gateway.db_path(), "this is no database, but it is there").expect("write");
    let output = gateway.run("explain", &["GET", "/v1/x"]);
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("the store can not be read"), "{stderr}");
    gateway.configure_text("listeners: []\n");
    assert_eq!(gateway.run("explain", &["GET", "/v1/x"]).status.code(), Some(1));
    assert_eq!(gateway.run("explain", &["GET", "ftp://a/"]).status.code(), Some(2));
}
