//! An API fuzzer (schemathesis) driven by the document that the gateway serves, with a session: nothing that it sends is
//! answered with a 5xx, or otherwise than the document says. `make fuzz-api` lets it run for longer.

use crate::support::control::Console;
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::person::{House, PASSWORD};
use crate::support::settings::{ORG, SLUG};
use crate::support::world::organization;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// What an answer is held to. (Whether all that is valid is taken is not asked: valid is more than a schema can say.)
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,negative_data_rejection,ignored_auth,use_after_free";
/// And what where every method of a path is in the document.
const CHECKS_OF_PATHS: &str = ",unsupported_method,allow_header_conformance";

/// What takes its own session or membership away, or somebody's.
const LEAVING: [&str; 4] = ["logOut", "leaveOrganization", "endSession", "endOtherSessions"];

/// Runs it against a listener, with a header field that says who asks.
fn fuzz(admin: SocketAddr, listener: SocketAddr, header: &str, checks: &str, more: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/schemathesis/bin/schemathesis");
    assert!(program.exists(), "the API fuzzer is not installed: scripts/setup.sh test");
    let folder = tempfile::tempdir().expect("a folder");
    let examples = std::env::var("FUZZ_API").unwrap_or_else(|_| "4".to_owned());
    let output = Command::new(program)
        .arg("--config-file")
        .arg(root.join("tests/fuzz/schemathesis.toml"))
        .args(["run", &format!("http://{admin}/openapi.json"), "--url", &format!("http://{listener}")])
        .args(["--header", header, "--checks", checks, "--max-examples", &examples])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--generation-database", "none"])
        .args(["--continue-on-failure", "--no-color", "--warnings", "off", "--request-timeout", "30"])
        .args(more)
        .env("ORGANIZATION", ORG)
        .env("SLUG", SLUG)
        .current_dir(folder.path())
        .output()
        .expect("run the fuzzer");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated"), "it did nothing:\n{said}");
}

/// A gateway with people whose passwords are those of the document's examples.
fn house() -> House {
    assert_eq!(PASSWORD, "correct horse 1");
    House::open()
}

#[test]
fn what_a_fuzzer_sends_is_answered_as_the_document_says() {
    let house = house();
    let owner = Console::open(&house.gateway, "owner");
    let header = format!("Authorization: Bearer {}", owner.access);
    let mut more = vec!["--exclude-tag", "Edge: by key"];
    for id in LEAVING {
        more.extend(["--exclude-operation-id", id]);
    }
    let (admin, checks) = (house.gateway.admin, format!("{CHECKS}{CHECKS_OF_PATHS}"));
    fuzz(admin, admin, &header, &checks, &more);
    // It is still who it was.
    owner.list("").expect(200);
}

#[test]
fn a_fuzzer_that_leaves_is_answered_as_the_document_says() {
    let house = house();
    let admin = Console::open(&house.gateway, "admin");
    let header = format!("Authorization: Bearer {}", admin.access);
    let more: Vec<&str> = LEAVING.into_iter().flat_map(|id| ["--include-operation-id", id]).collect();
    fuzz(house.gateway.admin, house.gateway.admin, &header, CHECKS, &more);
}

#[test]
fn a_fuzzer_with_a_key_is_answered_at_the_edge_as_the_document_says() {
    let upstream = crate::support::upstream::Upstream::http();
    let settings = crate::support::settings::Settings::usual(&upstream.url()).unlimited();
    let mut ours = organization();
    let key = ours.org_key();
    let gateway = Gateway::start(&settings, &Fixture::default().with(ours));
    let header = format!("X-API-Key: {key}");
    // (The other methods of these paths are the backends'.)
    fuzz(gateway.admin, gateway.address, &header, CHECKS, &["--include-tag", "Edge: by key"]);
}
