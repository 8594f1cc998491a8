//! `portcullis user` and `portcullis token`: the same domain from a terminal, on a store that a gateway serves from.

use crate::support::control::{audit_of, text};
use crate::support::fixture::{Fixture, email};
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::settings::{ORG, P1, SLUG, Settings};
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, post, wait};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Output, Stdio};

const TEMPLATES: &str = "/v1/openapi/templates";

/// Runs `portcullis <words> --config …` with this on its standard input.
fn terminal(gateway: &Gateway, words: &[&str], input: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(words).arg("--config").arg(gateway.config()).current_dir(gateway.folder());
    command
        .env_remove("PORTCULLIS_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("run the program");
    let written = child.stdin.take().expect("piped").write_all(input.as_bytes());
    // It may have ended without reading.
    drop(written);
    child.wait_with_output().expect("its output")
}

#[track_caller]
fn said(gateway: &Gateway, words: &[&str]) -> String {
    let output = terminal(gateway, words, "");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn json_of(gateway: &Gateway, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    let text = said(gateway, &words);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a command that fails says, with exit code 1.
#[track_caller]
fn refused(gateway: &Gateway, words: &[&str]) -> String {
    let output = terminal(gateway, words, "");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
    assert!(errors.starts_with("error: ") && output.stdout.is_empty(), "{errors}");
    errors
}

fn create<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "token",
        "create",
        "--organization",
        SLUG,
        "--name",
        name,
        "--permission",
        "read",
        "--scope",
        "documents",
    ];
    fixed.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn the_first_owner_of_an_empty_store_logs_in_and_makes_keys() {
    let upstream = Upstream::http();
    let mut gateway = Gateway::prepare(&Settings::usual(&upstream.url()));
    let first = ["user", "create", "--owner", "--email", "first@example.com", "--organization", "My Company"];
    let made = json_of(&gateway, &first);
    assert_eq!((&made["email"], &made["name"]), (&json!("first@example.com"), &json!("first")));
    let (password, organization) = (text(&made, "password"), text(&made, "organizationId"));
    // Once: then there is somebody, who is not overlooked.
    assert!(
        refused(&gateway, &["user", "create", "--owner", "--email", "b@example.com"]).contains("already")
    );
    gateway.serve();
    let login = |email: &str, password: &str| {
        post("/v1/auth/login").json(&json!({ "email": email, "password": password }))
    };
    let session = gateway.send(&login("first@example.com", password)).expect(200).json();
    let body = crate::support::control::wanted("CI", json!({}));
    let keys = post(&format!("/api/v1/organizations/{organization}/api-tokens"));
    let key = gateway.send(&keys.json(&body).bearer(text(&session, "accessToken"))).expect(201).json();
    gateway.send(&get(TEMPLATES).key(text(&key, "token"))).expect(200);

    // A second person, while it runs; the password comes from standard input and is not shown.
    let words = [
        "user",
        "create",
        "--email",
        "second@example.com",
        "--role",
        "viewer",
        "--organization",
        "my-company",
        "--password-stdin",
    ];
    let output = terminal(&gateway, &words, "correct horse 2\n");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && shown.contains("second@example.com"), "{output:?}");
    assert!(!shown.contains("correct horse"), "{shown}");
    gateway.send(&login("second@example.com", "correct horse 2")).expect(200);
    let log = audit_of(&gateway, text(&made, "id"));
    assert_eq!((log[0].0.as_str(), log[0].1.as_str()), ("user.created", "operator "));
    assert_eq!(log[0].3["role"], json!("owner"));
    assert!(!format!("{log:?}").contains(password));
}

#[test]
fn what_is_wrong_with_a_person_is_told_at_once() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    let bad = [
        "user",
        "create",
        "--owner",
        "--email",
        "no-address",
        "--name",
        "",
        "--slug",
        "NO",
        "--password-stdin",
    ];
    let output = terminal(&gateway, &bad, "short\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors.lines().count(), 4, "{errors}");
    assert!(!errors.contains("short"), "{errors}");
    let nowhere =
        ["user", "create", "--email", "a@example.com", "--role", "admin", "--organization", "nowhere"];
    assert!(refused(&gateway, &nowhere).contains("organization"));
    said(&gateway, &["user", "create", "--owner", "--email", "a@example.com"]);
    let again = ["user", "create", "--email", "A@Example.com", "--role", "admin", "--organization", "main"];
    assert!(refused(&gateway, &again).contains("e-mail address"));
}

fn running() -> (Gateway, Upstream) {
    let upstream = Upstream::http();
    let mut ours = organization();
    ours.member("owner", "owner");
    let settings =
        Settings::usual(&upstream.url()).with(|value| value["store"]["max_staleness"] = json!("1s"));
    let gateway = Gateway::start(&settings, &Fixture::default().with(ours));
    (gateway, upstream)
}

#[test]
fn a_key_s_whole_life_from_a_terminal() {
    let (gateway, _upstream) = running();
    let status = |key: &str| gateway.send(&get(TEMPLATES).key(key)).status;
    let becomes = |key: &str, wanted: u16| {
        // Another process: the gateway follows by the store's list of changes.
        wait::until(&format!("it is answered {wanted}"), || status(key) == wanted);
    };
    let made = json_of(
        &gateway,
        &create("CI", &["--project", P1, "--allow-from", "127.0.0.1", "--description", "d"]),
    );
    let (id, first) = (text(&made, "id").to_owned(), text(&made, "token").to_owned());
    assert_eq!((&made["type"], &made["projectId"]), (&json!("project"), &json!(P1)));
    assert_eq!((&made["organizationId"], &made["createdBy"]), (&json!(ORG), &Value::Null));
    assert_eq!(made["ipWhitelist"], json!(["127.0.0.1"]));
    becomes(&first, 200);

    let changed = json_of(
        &gateway,
        &[
            "token",
            "update",
            &id,
            "--name",
            "CD",
            "--description",
            "",
            "--permission",
            "write",
            "--permission",
            "read",
            "--expires-at",
            "2050-01-01T00:00:00Z",
            "--allow-from-anywhere",
        ],
    );
    assert_eq!((&changed["name"], &changed["description"]), (&json!("CD"), &Value::Null));
    assert_eq!((&changed["permissions"], &changed["ipWhitelist"]), (&json!(["write", "read"]), &json!([])));
    assert_eq!(changed["expiresAt"], json!("2050-01-01T00:00:00.000Z"));
    assert!(changed.get("token").is_none());

    assert_eq!(json_of(&gateway, &["token", "deactivate", &id])["isActive"], json!(false));
    assert_ne!(status(&first), 200, "what was said is in force, in the other process too");
    becomes(&first, 401);
    assert_eq!(json_of(&gateway, &["token", "activate", &id])["isActive"], json!(true));
    becomes(&first, 200);
    let again = json_of(&gateway, &["token", "regenerate", &id]);
    assert_ne!(status(&first), 200);
    becomes(&first, 401);
    let second = text(&again, "token").to_owned();
    becomes(&second, 200);
    wait::until("its use is shown", || {
        json_of(&gateway, &["token", "show", &id])["usageCount"].as_u64().is_some_and(|uses| uses >= 3)
    });
    assert_eq!(json_of(&gateway, &["token", "delete", &id]), json!({ "id": id, "deleted": true }));
    assert_ne!(status(&second), 200);
    becomes(&second, 401);
    assert!(refused(&gateway, &["token", "show", &id]).contains("no such token"));

    let log = audit_of(&gateway, &id);
    let actions: Vec<&str> = log.iter().map(|(action, ..)| action.as_str()).collect();
    let wanted = ["created", "updated", "deactivated", "activated", "regenerated", "deleted"];
    assert_eq!(actions, wanted.map(|verb| format!("api_token.{verb}")));
    assert!(log.iter().all(|(_, who, ..)| who == "operator "), "{log:?}");
}

#[test]
fn lists_are_tables_for_people_and_json_for_scripts() {
    let (gateway, _upstream) = running();
    for name in ["alpha", "beta", "gamma"] {
        said(&gateway, &create(name, &[]));
    }
    let beta = json_of(&gateway, &["token", "list", "--organization", ORG, "--search", "BETA"]);
    assert_eq!(beta["pagination"], json!({ "page": 1, "limit": 100, "total": 1, "pages": 1 }));
    said(&gateway, &["token", "deactivate", text(&beta["data"][0], "id")]);
    let table = said(&gateway, &["token", "list", "--organization", SLUG, "--active", "--limit", "1"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("USES"), "{table}");
    assert!(lines[1].contains("alpha") && lines[2].starts_with("1 of 2"), "{table}");
    let names = |words: &[&str]| -> Vec<String> {
        let list = json_of(&gateway, words);
        list["data"].as_array().expect("data").iter().map(|it| text(it, "name").to_owned()).collect()
    };
    assert_eq!(names(&["token", "list", "--organization", SLUG, "--inactive"]), ["beta"]);
    assert_eq!(names(&["token", "list", "--organization", SLUG, "--type", "project"]), [""; 0]);
    assert_eq!(names(&["token", "list", "--organization", SLUG, "--page", "2", "--limit", "2"]), ["gamma"]);
    let shown = said(&gateway, &create("delta", &[]));
    assert!(shown.contains("shown now and never again") && shown.contains("value"), "{shown}");
    // What is read over HTTP is what is read here.
    let owner = crate::support::control::Console::open(&gateway, "owner");
    let here = json_of(&gateway, &["token", "list", "--organization", ORG, "--limit", "20"]);
    assert_eq!(here, owner.list("").expect(200).json());
    assert_eq!(email("owner"), "owner@example.com");
}

#[test]
fn what_is_wrong_with_a_key_is_told_at_once() {
    let (gateway, _upstream) = running();
    let bad =
        create("", &["--project", "nowhere", "--expires-at", "2020-01-01T00:00:00Z", "--allow-from", "x"]);
    let errors = refused(&gateway, &bad);
    assert_eq!(errors.lines().count(), 4, "{errors}");
    assert!(refused(&gateway, &["token", "list", "--organization", "nowhere"]).contains("organization"));
    let unknown = "error: there is no such token\nhelp: `portcullis token list` has those that there are\n";
    for verb in ["show", "deactivate", "activate", "regenerate", "delete"] {
        assert_eq!(refused(&gateway, &["token", verb, "nothing"]), unknown);
    }
    assert_eq!(refused(&gateway, &["token", "update", "nothing", "--name", "x"]), unknown);
}

#[test]
fn its_help_says_what_to_do() {
    let gateway = Gateway::prepare(&Settings::usual("http://127.0.0.1:1"));
    let help = |words: &[&str]| {
        let output = Command::new(PROGRAM).args(words).arg("--help").current_dir(gateway.folder()).output();
        String::from_utf8(output.expect("run the program").stdout).expect("UTF-8")
    };
    let token = help(&["token"]);
    for verb in ["create", "list", "show", "update", "regenerate", "deactivate", "activate", "delete"] {
        assert!(token.contains(verb), "{token}");
        assert!(help(&["token", verb]).contains("--config <FILE>"), "{verb}");
    }
    assert!(help(&["user", "create"]).contains("PORTCULLIS_PASSWORD"));
}
