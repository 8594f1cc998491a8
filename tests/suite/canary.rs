//! A key, driven through every endpoint and every kind of error, is found nowhere afterwards.

use crate::support::control::{Console, wanted};
use crate::support::fixture::{Fixture, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, P1, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{Reply, Request, get, method, post, put, wait};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Every text in which the key could hide.
fn disguises(key: &str) -> Vec<(String, &'static str)> {
    let secret = &key[4..];
    let hex: String = key.bytes().map(|b| format!("{b:02x}")).collect();
    let percent: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
    let mut list = vec![
        (secret.to_owned(), "raw"),
        (secret.to_uppercase(), "in capitals"),
        (secret.chars().rev().collect(), "reversed"),
        // A prefix longer than any hint that is allowed to show.
        (secret[..16].to_owned(), "its first half"),
        (secret[48..].to_owned(), "its end"),
        (hex.clone(), "hex"),
        (hex.to_uppercase(), "hex in capitals"),
        (percent.clone(), "percent-encoded"),
        (percent.to_uppercase(), "percent-encoded in capitals"),
    ];
    for skip in 0..3 {
        // Base64 of the key at each of the three alignments it can have inside a longer text.
        let aligned = &secret.as_bytes()[skip..skip + 57];
        list.push((STANDARD_NO_PAD.encode(aligned), "base64"));
        list.push((URL_SAFE_NO_PAD.encode(aligned), "base64url"));
    }
    list
}

fn assert_absent(place: &str, bytes: &[u8], key: &str) {
    for (text, how) in disguises(key) {
        let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found, "the key ({how}) is in {place}");
    }
}

/// The key where a credential belongs.
fn as_credential(key: &str) -> Vec<Request> {
    let target = "/v1/openapi/templates";
    let mut list = vec![
        get(target).key(key),
        get(target).bearer(key),
        get(target).key(key).bearer(key),
        get(target).key(key).key("ocr_other"),
        get(target).header("Authorization", format!("Basic {key}")),
        get(target).header("Authorization", key),
        get(target).header("X-API-Key", format!("{key}, {key}")),
        get("/v1/openapi/projects").key(key),
        get("/api/v1/organizations/other/projects").bearer(key),
        get("/v1/openapi/batch").key(key),
        get(&format!("/v1/openapi/batch?projectId={FOREIGN}")).key(key),
        get(&format!("/v1/openapi/batch?projectId={P1}")).key(key),
        get("/v1/openapi/permitted").key(key),
        get("/v1/openapi/dead").key(key),
        get("/v1/openapi/fixed").key(key),
        get("/v1/open/x").key(key),
        get("/anonymous/x").key(key),
        get("/headers-only/x").bearer(key),
        get("/v1/openapi/../x").key(key),
        get("/v1/nothing").key(key),
        get("/nothing").key(key),
        get("/api/servers").bearer(key),
        get("/api/nothing").bearer(key),
        method("PATCH", target).key(key),
        method("OPTIONS", target).key(key),
        method("HEAD", target).key(key),
        post(target).json(&json!({ "projectId": P1 })).key(key),
        post(target).body("application/json", "{").key(key),
        post(target).body("text/plain", "x").key(key),
        post("/v1/openapi/other").raw_body(vec![b'x'; 300 * 1024]).key(key),
        get(target).header("X-Big", "x".repeat(40 * 1024)).key(key),
        get(target).header("Bad Name", "x").key(key),
    ];
    list.push(get("/v1/openapi/slow").key(key));
    list
}

/// The key where it does not belong. What the upstream sees of these is the client's own doing.
fn misplaced(key: &str, other: &str) -> Vec<Request> {
    let percent: String = key.bytes().map(|b| format!("%{b:02x}")).collect();
    let login = "/v1/openapi/auth/login";
    let mut list = Vec::new();
    for target in [
        format!("/v1/openapi/templates?api_key={key}"),
        format!("/v1/openapi/templates?projectId={key}"),
        format!("/v1/openapi/templates?projectId={key}&projectId=x"),
        format!("/v1/openapi/templates?x={percent}"),
        format!("/v1/openapi/{key}"),
        format!("/v1/openapi/{percent}"),
        format!("/v1/openapi/../{key}"),
        format!("/v1/{key}"),
        format!("/{key}"),
        format!("/api/{key}"),
        format!("/api/v1/organizations/{key}/projects"),
    ] {
        list.extend([get(&target), get(&target).key(other), get(&target).bearer(other)]);
    }
    for request in [get("/v1/openapi/templates"), get("/v1/openapi/templates").key(other)] {
        list.push(request.clone().header("Cookie", format!("token={key}")));
        list.push(request.clone().header("User-Agent", key));
        list.push(request.clone().header("Referer", format!("https://x.test/{key}")));
        list.push(request.clone().header("X-Org-Slug", key));
        list.push(request.clone().header("Host", key));
        list.push(request.header("X-Forwarded-For", key));
    }
    list.push(post(login).json(&json!({ "token": key })));
    list.push(post(login).json(&json!({ "token": [key] })));
    list.push(post(login).json(&json!({ "token": format!("{key}x") })));
    list.push(post(login).json(&json!({ key: key })));
    list.push(post(login).body("application/json", format!("{{\"token\": {key}")));
    list.push(post(login).body("text/plain", key));
    list.push(put(login).body("text/plain", key));
    list.push(post("/v1/openapi/templates").json(&json!({ "projectId": key })).key(other));
    list.push(post("/v1/openapi/templates").body("application/json", key).key(other));
    list.push(
        post("/v1/openapi/batch/upload")
            .body(&format!("multipart/form-data; boundary={key}"), key)
            .key(other),
    );
    list.push(method(key, "/v1/openapi/templates").key(other));
    list
}

fn drive(gateway: &Gateway, requests: Vec<Request>) -> Vec<(Request, Reply)> {
    requests
        .into_iter()
        .filter_map(|request| {
            let reply = gateway.connect().try_send(&request).ok()?;
            Some((request, reply))
        })
        .collect()
}

fn answer_bytes(reply: &Reply) -> Vec<u8> {
    let mut bytes = format!("{} {:?} {:?}\n", reply.reason, reply.headers, reply.trailers).into_bytes();
    bytes.extend_from_slice(&reply.body);
    bytes
}

fn search_folder(folder: &Path, key: &str) -> usize {
    let mut searched = 0;
    for entry in fs::read_dir(folder).expect("the gateway's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            searched += search_folder(&path, key);
        } else if path.file_name().is_some_and(|name| name != "fixture.yaml") {
            assert_absent(&path.display().to_string(), &fs::read(&path).expect("a file"), key);
            searched += 1;
        }
    }
    searched
}

fn hunt(key: &str, gateway: &Gateway, upstream: &Upstream, other: &str) {
    for (request, reply) in drive(gateway, as_credential(key)) {
        assert_absent(
            &format!("the answer to {} {}", request.method, request.target),
            &answer_bytes(&reply),
            key,
        );
        for record in upstream.seen(&request.tag) {
            let seen =
                format!("{} {:?} {:?}", record.target, record.headers, String::from_utf8_lossy(&record.body));
            assert_absent(&format!("what the upstream saw of {}", request.target), seen.as_bytes(), key);
        }
    }
    for (number, (request, reply)) in drive(gateway, misplaced(key, other)).into_iter().enumerate() {
        let place = format!("the answer to misplaced request {number}, {}", request.method.len());
        assert_absent(&place, &answer_bytes(&reply), key);
    }
    assert_absent("/metrics", gateway.metrics_text().as_bytes(), key);
}

#[test]
fn a_canary_key_is_found_nowhere() {
    let upstream = Upstream::http();
    let mut org = organization();
    let (valid, other, unknown) = (org.org_key(), org.org_key(), ocriva_key());
    let (expired, bound) = (ocriva_key(), ocriva_key());
    org.token(&expired, json!({ "expiresAt": "2020-01-01T00:00:00Z" }));
    org.token(&bound, json!({ "ipWhitelist": ["203.0.113.1"] }));
    let settings = Settings::usual(&upstream.url()).unlimited();
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let canaries = [valid, expired, bound, unknown];
    for key in &canaries {
        hunt(key, &gateway, &upstream, &other);
    }
    wait::until("the access log is written", || {
        fs::read_to_string(gateway.path("access.log")).is_ok_and(|log| log.lines().count() > 100)
    });
    // Once with the write-ahead log still there, once after everything was written out.
    for key in &canaries {
        assert!(search_folder(gateway.folder(), key) >= 4, "database, access log, standard output and error");
    }
    assert!(gateway.stop().success());
    for key in &canaries {
        search_folder(gateway.folder(), key);
    }
}

/// Every call of the control API, with the key wherever a client could put it by mistake.
fn at_the_control_api(key: &str, console: &Console<'_>) -> Vec<Request> {
    let id = console.made("asked about", json!({}))["id"].as_str().expect("an id").to_owned();
    let item = console.path(&format!("/{id}"));
    let own = |request: Request| request.bearer(&console.access);
    vec![
        get(&console.path("")).key(key),
        get(&console.path("")).bearer(key),
        own(get(&console.path(&format!("?search={key}")))),
        own(get(&console.path(&format!("?type={key}")))),
        own(get(&console.path(&format!("?{key}=1&{key}=2")))),
        own(get(&console.path(&format!("/{key}")))),
        own(get(&format!("/api/v1/organizations/{key}/api-tokens"))),
        own(post(&console.path("")).json(&wanted("x", json!({ "type": key })))),
        own(post(&console.path("")).json(&wanted("x", json!({ "expiresAt": key, "ipWhitelist": [key] })))),
        own(post(&console.path("")).body("application/json", key)),
        own(post(&console.path("")).body(key, key)),
        own(post(&format!("{item}/regenerate")).header("User-Agent", key)),
        own(method("PATCH", &item)
            .json(&json!({ "token": key, "isActive": false }))
            .header("User-Agent", key)),
        own(method("DELETE", &item).header("User-Agent", key).header("X-Request-Id", key)),
        post("/v1/auth/login").json(&json!({ "email": key, "password": key })),
        post("/v1/auth/login").json(&json!({ "email": key, key: key })).header("User-Agent", key),
    ]
}

#[test]
fn a_key_that_is_made_over_http_is_shown_once_and_found_nowhere() {
    let upstream = Upstream::http();
    let mut org = organization();
    org.member("owner", "owner");
    let settings = Settings::usual(&upstream.url()).unlimited();
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let console = Console::open(&gateway, "owner");
    let made = console.made("a canary", json!({}));
    let id = made["id"].as_str().expect("an id");
    let mut canaries = vec![made["token"].clone()];
    canaries.push(console.regenerate(id).expect(200).json()["token"].clone());
    console.patch(id, &json!({ "name": "renamed" })).expect(200);
    let canaries: Vec<String> =
        canaries.iter().map(|key| key.as_str().expect("a value").to_owned()).collect();
    for key in &canaries {
        gateway.send(&get("/v1/openapi/templates").key(key));
        for reply in
            [console.show(id), console.list("?limit=100"), console.patch(id, &json!({ "name": "x" }))]
        {
            assert_absent("an answer about the key", &answer_bytes(&reply), key);
        }
        for (request, reply) in drive(&gateway, at_the_control_api(key, &console)) {
            // What was sent as a search or a path may not come back either.
            let place = format!("the answer to {} {}", request.method, request.target.len());
            assert_absent(&place, &answer_bytes(&reply), key);
        }
    }
    console.delete(id).expect(204);
    wait::until("the access log is written", || {
        fs::read_to_string(gateway.path("access.log")).is_ok_and(|log| log.lines().count() > 30)
    });
    drop(console);
    canaries.iter().for_each(|key| assert!(search_folder(gateway.folder(), key) >= 4));
    assert!(gateway.stop().success());
    canaries.iter().for_each(|key| assert!(search_folder(gateway.folder(), key) >= 3));
}

#[test]
fn the_search_finds_what_is_planted() {
    let key = ocriva_key();
    for text in [key.clone(), key[4..].to_uppercase(), format!("xy{}", STANDARD_NO_PAD.encode(&key))] {
        let found = disguises(&key).iter().any(|(disguise, _)| text.contains(disguise.as_str()));
        assert!(found, "{text}");
    }
}

#[test]
fn the_access_log_is_one_json_object_a_line() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(org));
    let reply = gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    let id = reply.header("x-request-id").expect("x-request-id").to_owned();
    let line = wait::poll(std::time::Duration::from_secs(10), || {
        let log = fs::read_to_string(gateway.path("access.log")).ok()?;
        log.lines().find(|line| line.contains(&id)).map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
    assert_eq!(line["status"], json!(200));
    assert_eq!(line["method"], json!("GET"));
}
