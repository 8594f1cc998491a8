//! `portcullis login` and the commands with `--server`: sessions, their file, and what is said when it does not go well.

use crate::support::certificate::{authority_pem, leaf};
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::person::{House, PASSWORD, people, text};
use crate::support::settings::{SLUG, Settings};
use crate::support::terminal::{Mode, Terminal};
use crate::support::totp::code;
use crate::support::upstream::Upstream;
use crate::support::{assert_ocore, get, post, wait};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

fn errors(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn kept(terminal: &Terminal<'_>) -> Value {
    serde_json::from_slice(&std::fs::read(terminal.sessions()).expect("the file")).expect("JSON")
}

#[test]
fn a_session_is_kept_for_its_owner_and_ended_by_logout() {
    let house = House::open();
    let t = Terminal::new(&house.gateway, Mode::Server);
    let refused = t.refused(&["org", "list"]);
    assert!(refused.contains(&format!("portcullis login --server {}", t.url())), "{refused}");
    t.log_in("owner");
    let mode = std::fs::metadata(t.sessions()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(t.json(&["org", "list"])["data"][0]["slug"], json!(SLUG));
    let session = kept(&t)[t.url()].clone();
    let access = text(&session, "accessToken");
    house.admin(&get("/api/user/orgs").bearer(&access)).expect(200);
    // A second login takes the place of the first.
    t.log_in("viewer");
    assert_ocore(&house.admin(&get("/api/user/orgs").bearer(&access)), 401);
    let url = t.url();
    let out = t.bare(&["logout", "--server", &url], "");
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("logged out"));
    assert_eq!(kept(&t), json!({}));
    let again = t.bare(&["logout", "--server", &url], "");
    assert!(String::from_utf8_lossy(&again.stdout).contains("nobody"));
}

#[test]
fn errors_are_the_server_s_with_the_id_of_the_request() {
    let house = House::open();
    let t = Terminal::new(&house.gateway, Mode::Server);
    let url = t.url();
    let login = |words: &[&str], input: &str| {
        t.bare(&[["login", "--server", &url].as_slice(), words].concat(), input)
    };
    let wrong = login(&["--email", "owner@example.com", "--password-stdin"], "wrong horse 1\n");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        errors(&wrong).contains("password is wrong") && errors(&wrong).contains("(request "),
        "{wrong:?}"
    );
    let none = login(&["--email", "owner@example.com"], "");
    assert!(errors(&none).contains("PORTCULLIS_PASSWORD"), "{none:?}");
    t.log_in("viewer");
    let denied = t.refused(&["project", "create", "--name", "x"]);
    assert!(denied.contains("lacks a permission") && denied.contains("(request "), "{denied}");
    assert!(t.refused(&["org", "show", "nowhere"]).contains("belong to no organization nowhere"));
    assert!(t.refused(&["user", "list"]).contains("server's admins"));
    assert!(t.refused(&["token", "show", "nothing"]).contains("no such key"));
    let bad = t.refused(&["org", "role", "create", "--name", "", "--permission", "fly:rockets"]);
    assert!(bad.starts_with("error: "), "{bad}");
    for (words, what) in [
        (["org", "list", "--server", "http://127.0.0.1:1"], "nobody is logged in"),
        (["login", "--email=a@b.c", "--server", "http://127.0.0.1:1"], "can not be reached"),
    ] {
        let mut t = Terminal::new(&house.gateway, Mode::Server);
        t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
        let output = t.bare(&words, "");
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).contains(what), "{output:?}");
    }
    for words in [["org", "list", "--server", "gateway:9000"].as_slice(), &["org", "list"]] {
        let output = t.bare(words, "");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    }
    // A listener that is not an admin one.
    let edge = format!("http://{}", house.gateway.address);
    let mut t = Terminal::new(&house.gateway, Mode::Server);
    t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
    let output = t.bare(&["login", "--email", "owner@example.com", "--server", &edge], "");
    assert!(output.status.success(), "its logins are the same: {output:?}");
}

#[test]
fn an_access_token_that_is_over_is_traded_once() {
    let house = House::with(|settings| settings.with(|value| value["jwt"]["access_expiry"] = json!("1s")));
    let t = Terminal::new(&house.gateway, Mode::Server);
    t.log_in("owner");
    let first = text(&kept(&t)[t.url()], "refreshToken");
    // Many at once: a refresh token that came twice would end the session.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| t.said(&["org", "list"]));
        }
    });
    assert_ne!(text(&kept(&t)[t.url()], "refreshToken"), first);
    // Ended elsewhere: what to do is said, and it is forgotten.
    let access = || text(&kept(&t)[t.url()], "refreshToken");
    house.send(&post("/api/auth/logout").json(&json!({ "refreshToken": access() }))).expect(200);
    wait::until("the access token is over", || {
        let output = t.run(&["org", "list"]);
        errors(&output).contains("is over: portcullis login")
    });
    assert_eq!(kept(&t), json!({}));
}

#[test]
fn scripts_log_in_by_variables_and_leave_no_session_behind() {
    let house = House::open();
    let mut t = Terminal::new(&house.gateway, Mode::Server);
    t.variables.push(("PORTCULLIS_EMAIL", "owner@example.com".to_owned()));
    t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
    t.variables.push(("PORTCULLIS_SERVER", t.url()));
    let output = t.bare(&["org", "member", "list", "--json"], "");
    assert!(output.status.success(), "{output:?}");
    assert!(!t.sessions().exists());
    let owner = house.person("owner");
    let sessions = owner.admin(get("/api/auth/sessions")).expect(200).json();
    assert_eq!(sessions["data"].as_array().expect("data").len(), 1, "the one that asks");
    // The variable is the login's, and nobody else's password.
    house.appoint("owner");
    let words = ["user", "create", "--email", "new@example.com", "--role", "viewer", "--organization", SLUG];
    let made = t.json(&words);
    assert!(text(&made, "password").starts_with("p1-"), "{made}");
    let words = ["user", "create", "--email", "next@example.com", "--owner"];
    assert_eq!(t.run(&words).status.code(), Some(2), "no organization is made there");
}

#[test]
fn a_second_factor_is_asked_for() {
    let house = House::open();
    let owner = house.person("owner");
    let setup = owner.send(post("/api/auth/totp/setup").json(&json!({ "password": PASSWORD }))).expect(200);
    let secret = text(&setup.json(), "secret");
    owner.send(post("/api/auth/totp/enable").json(&json!({ "code": code(&secret, 0) }))).expect(200);
    let mut t = Terminal::new(&house.gateway, Mode::Server);
    let url = t.url();
    let words = ["login", "--server", &url, "--email", "owner@example.com"];
    t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
    let without = t.bare(&words, "");
    assert!(errors(&without).contains("--code"), "{without:?}");
    let with = t.bare(&[words.as_slice(), &["--code", &code(&secret, 1)]].concat(), "");
    assert!(with.status.success(), "{with:?}");
    t.variables.clear();
    t.said(&["org", "show"]);
    t.variables.push(("PORTCULLIS_EMAIL", "owner@example.com".to_owned()));
    t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
    assert!(t.refused(&["org", "show"]).contains("PORTCULLIS_CODE"));
}

#[test]
fn certificates_are_trusted_that_the_command_line_names() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["admin"] = json!({ "tls": { "certificates": [{ "cert": "admin.pem", "key": "admin.key" }] } });
    });
    let gateway = Gateway::prepare(&settings);
    leaf(&[&gateway.admin.ip().to_string()]).write(gateway.folder(), "admin");
    std::fs::write(gateway.path("ca.pem"), authority_pem()).expect("write");
    gateway.import(&people().text()).expect_success();
    let _serving = Serving::start(&gateway);
    let mut t = Terminal::new(&gateway, Mode::Server);
    t.variables.push(("PORTCULLIS_PASSWORD", PASSWORD.to_owned()));
    let url = format!("https://{}", gateway.admin);
    let words = ["login", "--server", &url, "--email", "owner@example.com"];
    let unknown = t.bare(&words, "");
    assert!(errors(&unknown).contains("TLS") && errors(&unknown).contains("--ca FILE"), "{unknown:?}");
    let known = t.bare(&[words.as_slice(), &["--ca", "ca.pem"]].concat(), "");
    assert!(known.status.success(), "{known:?}");
    t.variables.clear();
    let list = t.bare(&["org", "list", "--server", &url], "");
    assert!(list.status.success(), "the login remembers it: {list:?}");
    let none = t.bare(&["org", "list", "--server", &url, "--ca", "portcullis.db"], "");
    assert!(errors(&none).contains("portcullis.db can not be used"), "{none:?}");
}

/// A gateway whose admin listener is encrypted, which the harness can not ask whether it is ready.
struct Serving(Child);

impl Serving {
    fn start(gateway: &Gateway) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(gateway.config()).current_dir(gateway.folder());
        let serving = Self(command.stderr(Stdio::null()).spawn().expect("run the program"));
        wait::until("it listens", || std::net::TcpStream::connect(gateway.admin).is_ok());
        serving
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
