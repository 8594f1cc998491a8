//! The OpenAPI document: kept, served, and held to what the gateway does. (What is answered is held to it in every test,
//! by `support::openapi`.)

use crate::support::control::begin_session;
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::openapi::{DOCUMENT, validate};
use crate::support::settings::{ORG, P1, SLUG};
use crate::support::world::{ADMIN, OWNER, user_id, world};
use crate::support::{Reply, Request, client::Connection, get, jwt, method};
use portcullis::dialect::endpoint::{self, Endpoint};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn admin(request: &Request) -> Reply {
    Connection::open(world().gateway.admin).send(request)
}

/// An access token of a session of its own.
fn access(gateway: &Gateway, name: &str) -> String {
    let id = user_id(&gateway.db_path(), name);
    let mut claims = jwt::access_claims(&id);
    claims["sid"] = json!(begin_session(gateway, &id, 3_600_000));
    jwt::hs256(&claims)
}

/// The path of an endpoint, with something for each variable segment.
fn path(endpoint: &Endpoint) -> String {
    let path = endpoint.path.replace("{organizationId}", ORG).replace("{projectId}", P1);
    path.split('/')
        .map(|part| if part.starts_with('{') { "no-such" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

fn described(endpoint: &Endpoint) -> &'static Value {
    &DOCUMENT["paths"][endpoint.path][endpoint.method.as_str().to_lowercase()]
}

#[test]
fn the_kept_document_is_the_program_s() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let printed = Command::new(PROGRAM).arg("openapi").output().expect("run the program").stdout;
    let same = std::fs::read(&kept).is_ok_and(|kept| kept == printed);
    assert!(same, "docs/openapi.json is not what the program describes. If it is right now: make openapi");
}

#[test]
fn the_document_is_served_to_everybody_on_the_admin_listener() {
    let reply = admin(&get("/openapi.json")).expect(200);
    assert_eq!(reply.json(), *DOCUMENT);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let etag = reply.header("etag").expect("ETag").to_owned();
    let again = admin(&get("/openapi.json").header("If-None-Match", etag)).expect(304);
    assert!(again.body.is_empty());
    admin(&method("HEAD", "/openapi.json")).expect(200);
    assert_eq!(admin(&method("POST", "/openapi.json")).expect(405).header("allow"), Some("GET, HEAD"));
    // At the edge, the path is nobody's.
    world().send(&get("/openapi.json")).expect(404);
}

#[test]
fn examples_are_valid() {
    for item in DOCUMENT["paths"].as_object().expect("paths").values() {
        for operation in item.as_object().expect("operations").values() {
            let content = &operation["requestBody"]["content"]["application/json"];
            if let Some(example) = content.get("example") {
                validate_generously(&content["schema"], example);
            }
        }
    }
}

/// Patterns are for generators; the suite has no expressions to check them with.
fn validate_generously(schema: &Value, example: &Value) {
    let mut schema = schema.clone();
    for property in schema["properties"].as_object_mut().expect("properties").values_mut() {
        property.as_object_mut().expect("a schema").remove("pattern");
    }
    validate(&schema, example, "example").unwrap_or_else(|why| panic!("{why}"));
}

/// In debug builds, a handler that reads other members than are described, or not all of them, fails (500).
#[test]
fn every_handler_reads_the_members_that_are_described() {
    let w = world();
    let mut bodies = 0;
    for endpoint in endpoint::all() {
        if described(endpoint).get("requestBody").is_none() {
            continue;
        }
        // Ends what it is asked with: a session of its own.
        let token = access(&w.gateway, OWNER);
        for body in [json!({}), json!({ "name": 1, "password": [], "expiresAt": {} })] {
            let request = method(endpoint.method.as_str(), &path(endpoint)).json(&body);
            let reply = admin(&request.bearer(&token).org(SLUG));
            assert!(reply.status < 500, "{} {}: {}", endpoint.method, endpoint.path, reply.text());
            bodies += 1;
        }
    }
    assert!(bodies > 30, "{bodies}");
}

/// In debug builds, a handler that reads other parameters than are described, or not all of them, fails (500); and what
/// is described goes through the strict reader.
#[test]
fn every_handler_reads_the_parameters_that_are_described() {
    let w = world();
    let token = access(&w.gateway, ADMIN);
    let send = |endpoint: &Endpoint, query: &str| {
        let target = format!("{}?{query}", path(endpoint));
        let request = method(endpoint.method.as_str(), &target);
        admin(&request.bearer(&token).org(SLUG))
    };
    let mut lists = 0;
    for endpoint in endpoint::all() {
        let parameters = described(endpoint)["parameters"].as_array().into_iter().flatten();
        let names: Vec<&str> =
            parameters.filter(|it| it["in"] == "query").filter_map(|it| it["name"].as_str()).collect();
        if names.is_empty() {
            continue;
        }
        lists += 1;
        assert!(send(endpoint, "").status < 500, "{}", endpoint.path);
        for name in names {
            let reply = send(endpoint, &format!("{name}=1&{name}=2"));
            assert!(matches!(reply.status, 400 | 403), "{}: {}", endpoint.path, reply.status);
        }
    }
    assert!(lists > 4, "{lists}");
}
