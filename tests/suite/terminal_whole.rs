//! Everything that the terminal can do, done on the store and against a running gateway, by the same lines.

use crate::support::fixture::email;
use crate::support::gateway::Gateway;
use crate::support::hooks::{self, Habit, Receiver};
use crate::support::person::{House, text};
use crate::support::settings::{ORG, SLUG};
use crate::support::terminal::{Mode, Terminal};
use crate::support::{get, wait};
use serde_json::{Value, json};

const MODES: [Mode; 2] = [Mode::Store, Mode::Server];

/// People, and a gateway that sends to receivers of the suite and follows its store within a second.
fn house() -> House {
    let house = House::with(|settings| {
        let hooks = hooks::settings("http://127.0.0.1:1");
        settings.unlimited().with(|value| {
            value["webhooks"] = hooks.value["webhooks"].clone();
            value["store"]["max_staleness"] = json!("1s");
        })
    });
    house.appoint("owner");
    house
}

/// A terminal of the owner's, or of the operator.
fn terminal(gateway: &Gateway, mode: Mode) -> Terminal<'_> {
    let terminal = Terminal::new(gateway, mode);
    if mode == Mode::Server {
        terminal.log_in("owner");
    }
    terminal
}

fn data(page: &Value) -> &Vec<Value> {
    page["data"].as_array().unwrap_or_else(|| panic!("no data in {page}"))
}

fn all<'v>(page: &'v Value, member: &str) -> Vec<&'v str> {
    data(page).iter().map(|it| it[member].as_str().unwrap_or_default()).collect()
}

/// The titles and the lines of a table.
fn lines(table: &str) -> (Vec<String>, Vec<String>) {
    let mut lines = table.lines();
    let titles = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    (titles, lines.map(str::to_owned).collect())
}

#[test]
fn organizations() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let made = t.json(&["org", "create", "--name", "New Shop", "--owner", &email("owner")]);
        assert_eq!((&made["slug"], &made["name"]), (&json!("new-shop"), &json!("New Shop")));
        let taken = t.refused(&["org", "create", "--name", "Other", "--slug", "new-shop"]);
        assert!(taken.contains("slug already"), "{taken}");
        let slugs = t.json(&["org", "list"]);
        assert!(all(&slugs, "slug").contains(&SLUG) && all(&slugs, "slug").contains(&"new-shop"), "{slugs}");
        let (titles, rows) = lines(&t.said(&["org", "list"]));
        // The operator has no role of their own anywhere.
        let role = (mode == Mode::Server).then_some("ROLE");
        let wanted: Vec<&str> = ["ID", "SLUG", "NAME"].into_iter().chain(role).chain(["CREATED"]).collect();
        assert_eq!(titles, wanted);
        assert!(rows.iter().any(|row| row.contains("new-shop")), "{rows:?}");
        let found = t.json(&["org", "list", "--all", "--search", "shop"]);
        assert_eq!(all(&found, "slug"), ["new-shop"]);
        assert_eq!(t.json(&["org", "show", "new-shop"]), t.json(&["org", "show", &text(&made, "id")]));
        let facts = t.said(&["org", "show", SLUG]);
        assert!(facts.contains(&format!("id       {ORG}\n")), "{facts}");
        // Two or more: which one has to be said.
        let unnamed = t.refused(&["org", "show"]);
        assert!(unnamed.contains("--organization"), "{unnamed}");
        let changed = t.json(&["org", "update", "new-shop", "--name", "Newer", "--slug", "newer"]);
        assert_eq!((&changed["slug"], &changed["name"]), (&json!("newer"), &json!("Newer")));
        t.refused(&["org", "show", "new-shop"]);
        let wrong = t.refused(&["org", "update", "newer", "--name", "x", "--slug", "-"]);
        assert!(wrong.contains("name must have"), "{wrong}");
    }
}

#[test]
fn projects() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let here = ["--organization", SLUG];
        let run = |words: &[&str]| t.json(&[words, &here].concat());
        let made = run(&["project", "create", "--name", "Billing", "--description", "money"]);
        let id = text(&made, "id");
        assert_eq!(made["organizationId"], json!(ORG));
        assert!(all(&run(&["project", "list"]), "id").contains(&id.as_str()));
        assert_eq!(run(&["project", "show", &id]), made);
        let changed = run(&["project", "update", &id, "--description", "", "--active", "false"]);
        assert_eq!((&changed["description"], &changed["isActive"]), (&Value::Null, &json!(false)));
        assert!(!all(&run(&["project", "list"]), "id").contains(&id.as_str()));
        assert!(all(&run(&["project", "list", "--archived"]), "id").contains(&id.as_str()));
        let table = t.said(&[["project", "list", "--archived"].as_slice(), &here].concat());
        assert!(table.starts_with("ID ") && table.contains("Billing"), "{table}");
        let key =
            ["token", "create", "--name", "k", "--project", &id, "--permission", "read", "--scope", "x"];
        let key = text(&run(&key), "token");
        let delete = ["project", "delete", &id, "--organization", SLUG];
        let refused = t.refused(&delete);
        assert!(refused.contains("One key is bound") && refused.contains("help: --with-keys"), "{refused}");
        let gone = t.json(&[delete.as_slice(), &["--with-keys"]].concat());
        assert_eq!(gone, json!({ "id": id, "deleted": true }));
        assert_ne!(house.send(&get("/v1/openapi/templates").key(&key)).status, 200);
        assert!(t.refused(&["project", "show", &id, "--organization", SLUG]).contains("project"));
    }
}

#[test]
fn people() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let new = email("new");
        let made =
            t.json(&["user", "create", "--email", &new, "--role", "developer", "--organization", SLUG]);
        assert_eq!((&made["role"], &made["organizationId"]), (&json!("developer"), &json!(ORG)));
        let login = |password: &str| crate::support::person::login("new", password);
        house.send(&login(&text(&made, "password"))).expect(200);
        assert!(
            t.refused(&["user", "create", "--email", &new, "--owner", "--organization", SLUG])
                .contains("e-mail")
        );
        assert_eq!(all(&t.json(&["user", "list", "--search", "NEW"]), "email"), [new.as_str()]);
        let (titles, rows) = lines(&t.said(&["user", "list"]));
        assert_eq!(titles, ["ID", "EMAIL", "NAME", "ACTIVE", "ADMIN", "ORGANIZATIONS"]);
        assert!(rows.iter().any(|row| row.contains(&new) && row.ends_with(SLUG)), "{rows:?}");
        let shown = t.said(&["user", "show", &new]);
        assert!(shown.contains("second factor  no") && shown.contains("organizations  my-org"), "{shown}");
        let changed = t.json(&["user", "update", &new, "--name", "New One", "--admin", "true"]);
        assert_eq!((&changed["name"], &changed["isServerAdmin"]), (&json!("New One"), &json!(true)));
        let reset = t.said(&["user", "reset-password", &new]);
        assert!(reset.contains("reset_") && reset.contains("good once"), "{reset}");
        assert_eq!(t.json(&["user", "update", &new, "--active", "false"])["isActive"], json!(false));
        assert_ne!(house.send(&login(&text(&made, "password"))).status, 200);
        assert!(t.refused(&["user", "delete", &email("stranger")]).contains("owner"));
        t.said(&["user", "delete", &new]);
        assert!(t.refused(&["user", "show", &new]).contains("person"));
    }
}

#[test]
fn members_roles_and_invitations() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let here = ["--organization", SLUG];
        let run = |words: &[&str]| t.json(&[words, &here].concat());
        let names = run(&["org", "role", "permissions"]);
        assert!(data(&names).contains(&json!("manage:api-keys")), "{names}");
        let role = run(&["org", "role", "create", "--name", "Keeper", "--permission", "manage:api-keys"]);
        let id = text(&role, "id");
        let altered = run(&["org", "role", "update", &id, "--description", "keys", "--permission", "view:*"]);
        assert_eq!((&altered["permissions"], &altered["description"]), (&json!(["view:*"]), &json!("keys")));
        let (_, rows) = lines(&t.said(&[["org", "role", "list"].as_slice(), &here].concat()));
        assert!(rows[0].starts_with("owner") && rows[4].contains("Keeper"), "{rows:?}");

        let viewer = email("viewer");
        let member = run(&["org", "member", "set-role", &viewer, "Keeper"]);
        assert_eq!(member["role"]["name"], json!("Keeper"));
        let in_use = t.refused(&[["org", "role", "delete", &id].as_slice(), &here].concat());
        assert!(in_use.contains("Members have this role"), "{in_use}");
        let (titles, rows) = lines(&t.said(&[["org", "member", "list"].as_slice(), &here].concat()));
        assert_eq!(titles, ["ID", "EMAIL", "NAME", "ROLE", "ACTIVE"]);
        assert!(rows.iter().any(|row| row.contains(&viewer) && row.contains("Keeper")), "{rows:?}");
        run(&["org", "member", "set-role", &text(&member, "id"), "viewer"]);
        run(&["org", "role", "delete", &id]);
        run(&["org", "member", "remove", &viewer]);
        let gone = t.refused(&[["org", "member", "remove", &viewer].as_slice(), &here].concat());
        assert!(gone.contains("is no member"), "{gone}");

        let words = ["org", "invitation", "create", "--role", "viewer", "--expires-in", "600"];
        let invitation = run(&words);
        assert!(text(&invitation, "link").starts_with("/invite#"), "{invitation}");
        let listed = run(&["org", "invitation", "list"]);
        assert_eq!(all(&listed, "id"), [text(&invitation, "id")]);
        assert!(!listed.to_string().contains(&text(&invitation, "token")));
        run(&["org", "invitation", "revoke", &text(&invitation, "id")]);
        assert!(data(&run(&["org", "invitation", "list"])).is_empty());
        let shown = t.said(&[words.as_slice(), &here].concat());
        assert!(shown.contains("token    ") && shown.contains("never again"), "{shown}");
    }
}

#[test]
fn keys_of_both_kinds() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let here = ["--organization", SLUG];
        let run = |words: &[&str]| t.json(&[words, &here].concat());
        let status = |request: &crate::support::Request| house.send(request).status;
        let made = run(&["token", "create", "--name", "CI", "--permission", "read", "--scope", "documents"]);
        let (id, first) = (text(&made, "id"), text(&made, "token"));
        let by = |key: &str| status(&get("/v1/openapi/templates").key(key));
        wait::until("the key is known", || by(&first) == 200);
        assert_eq!(run(&["token", "update", &id, "--name", "CD"])["name"], json!("CD"));
        run(&["token", "deactivate", &id]);
        assert_ne!(by(&first), 200);
        assert_eq!(run(&["token", "activate", &id])["isActive"], json!(true));
        let second = text(&run(&["token", "regenerate", &id]), "token");
        wait::until("the new value is known", || by(&second) == 200);
        assert_ne!(by(&first), 200);
        assert_eq!(all(&run(&["token", "list", "--search", "cd"]), "id"), [id.as_str()]);
        let shown = t.said(&[["token", "show", &id].as_slice(), &here].concat());
        assert!(shown.contains("allowed from  anywhere") && !shown.contains(&second), "{shown}");
        // On the store itself, it is there once the gateway has written it.
        wait::until("the refusal is written", || {
            let used = run(&["token", "usage", &id]);
            let refusals = &used["totals"]["refusals"];
            used["interval"] == "hour"
                && refusals.as_array().is_some_and(|all| all[..].iter().any(|it| it["reason"] == "inactive"))
        });
        let used = t.said(&[["token", "usage", &id, "--by", "day"].as_slice(), &here].concat());
        let (titles, rows) = lines(&used);
        assert_eq!(titles, ["FROM", "USES", "ACCEPTED", "REFUSED", "FOR"]);
        let sum = rows.iter().find(|row| row.starts_with("together ")).expect("a sum");
        assert!(sum.contains("inactive 1") && used.contains("\nKept since "), "{used}");
        t.refused(&[["token", "usage", &id, "--from", "someday"].as_slice(), &here].concat());
        run(&["token", "delete", &id]);
        assert_ne!(by(&second), 200);

        let words =
            ["token", "create", "--kind", "ocore", "--name", "deploy", "--permission", "manage:servers"];
        let made = run(&words);
        let (id, key) = (text(&made, "id"), text(&made, "key"));
        let by = |key: &str| status(&get("/api/servers").bearer(key));
        wait::until("the key is known", || by(&key) == 200);
        assert!(t.refused(&[words.as_slice(), &here].concat()).contains("name already"));
        let changed = run(&["token", "update", &id, "--permission", "view:servers", "--scope", "s"]);
        assert_eq!((&changed["permissions"], &changed["scope"]), (&json!(["view:servers"]), &json!("s")));
        assert_eq!(run(&["token", "deactivate", &id])["isActive"], json!(false));
        assert_ne!(by(&key), 200);
        run(&["token", "activate", &id]);
        wait::until("it is on again", || by(&key) == 200);
        let refused = t.refused(&[["token", "regenerate", &id].as_slice(), &here].concat());
        assert!(refused.contains("token create --kind ocore"), "{refused}");
        assert_eq!(all(&run(&["token", "list", "--kind", "ocore"]), "id"), [id.as_str()]);
        let table = t.said(&[["token", "show", &id].as_slice(), &here].concat());
        assert!(table.contains("expires      never"), "{table}");
        run(&["token", "delete", &id]);
        assert_ne!(by(&key), 200);
        t.refused(&[["token", "show", &id].as_slice(), &here].concat());
        let both =
            ["token", "create", "--kind", "ocore", "--name", "x", "--permission", "view:*", "--project", "p"];
        assert_eq!(t.run(&[both.as_slice(), &here].concat()).status.code(), Some(2));
    }
}

#[test]
fn webhooks() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        let here = ["--organization", SLUG];
        let run = |words: &[&str]| t.json(&[words, &here].concat());
        let receiver = Receiver::start(Habit::Answer(204));
        let came = |count: usize| {
            wait::until("the event comes", || receiver.all().len() >= count);
            receiver.all()
        };
        let url = receiver.url("/");
        let made = run(&["webhook", "create", "--url", &url, "--event", "token.created"]);
        let id = text(&made, "id");
        came(1)[0].assert_signed(&text(&made, "signingSecret"));
        assert_eq!(all(&run(&["webhook", "list"]), "url"), [url.as_str()]);
        let altered = run(&["webhook", "update", &id, "--description", "d", "--event", "*"]);
        assert_eq!((&altered["description"], &altered["events"]), (&json!("d"), &json!(["*"])));
        let shown = t.said(&[["webhook", "show", &id].as_slice(), &here].concat());
        assert!(shown.contains("failing since  is not failing") && !shown.contains("whsec_"), "{shown}");
        let sent = t.said(&[["webhook", "test", &id].as_slice(), &here].concat());
        assert!(sent.contains("event     webhook.test") && sent.contains("webhook deliveries"), "{sent}");
        came(2);
        wait::until("both are written down", || {
            data(&run(&["webhook", "deliveries", "--status", "delivered", "--endpoint", &id])).len() == 2
        });
        let deliveries = run(&["webhook", "deliveries", "--limit", "1"]);
        run(&["webhook", "replay", &text(&data(&deliveries)[0], "id")]);
        came(3);
        assert_eq!(run(&["webhook", "update", &id, "--active", "false"])["active"], json!(false));
        run(&["webhook", "delete", &id]);
        assert!(data(&run(&["webhook", "list"])).is_empty());
    }
}

#[test]
fn what_takes_long() {
    for mode in MODES {
        let house = house();
        let t = terminal(&house.gateway, mode);
        the_long_ones(&t, |key| house.send(&get("/v1/openapi/templates").key(key)).status);
    }
}

/// Nobody but the command is there to do it.
#[test]
fn what_takes_long_on_a_store_that_no_gateway_serves() {
    let mut gateway = Gateway::prepare(&crate::support::settings::Settings::usual("http://127.0.0.1:1"));
    gateway.import(&crate::support::person::people().text()).expect_success();
    let t = Terminal::new(&gateway, Mode::Store);
    the_long_ones(&t, |_| 200);
    gateway.serve();
    assert_eq!(house_login(&gateway).status, 200);
}

fn house_login(gateway: &Gateway) -> crate::support::Reply {
    gateway.send(&crate::support::person::login("owner", crate::support::person::PASSWORD))
}

fn the_long_ones(t: &Terminal<'_>, status: impl Fn(&str) -> u16) {
    let here = ["--organization", SLUG];
    let create = ["token", "create", "--name", "CI", "--permission", "read", "--scope", "documents"];
    let made = t.json(&[create.as_slice(), &here].concat());
    let old = text(&made, "token");
    let rotated = t.json(&["org", "rotate-keys", SLUG, "--overlap", "600"]);
    assert_eq!(all(&rotated, "id"), [text(&made, "id")]);
    let new = text(&data(&rotated)[0], "token");
    assert_ne!(new, old);
    wait::until("both values work", || (status(&old), status(&new)) == (200, 200));
    let table = t.said(&["org", "rotate-keys", SLUG]);
    assert!(table.contains("VALUE") && table.contains("ocr_"), "{table}");

    let log = t.json(&["org", "audit", SLUG, "--action", "api_token.created"]);
    assert_eq!(all(&log, "resourceId"), [text(&made, "id")]);
    let (titles, _) = lines(&t.said(&["org", "audit", SLUG]));
    assert_eq!(titles, ["WHEN", "WHO", "ACTION", "ID", "NAME", "FROM"]);
    let newest = t.said(&["org", "audit", SLUG, "--limit", "1"]);
    assert!(newest.contains("There are older entries"), "{newest}");
    let since = ["org", "export", "usage", "--organization", SLUG, "--from", "2026-01-01"];
    assert_eq!(t.run(&since).status.code(), Some(2), "usage has no dates");
    let csv = t.said(&["org", "export", "audit-log", "--organization", SLUG]);
    assert!(csv.starts_with("id,createdAt,action") && csv.contains("api_token.created"), "{csv}");
    let file = t.gateway.path("usage.json");
    let file = file.to_str().expect("UTF-8");
    let words = ["org", "export", "usage", "--organization", SLUG, "--format", "json", "--to", file];
    assert!(t.said(&words).contains("written to"));
    let usage: Value = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    assert!(usage.to_string().contains(&text(&made, "id")), "{usage}");

    let wrong = t.refused(&["org", "delete", SLUG, "--confirm", "other-org"]);
    assert!(wrong.contains("confirm"), "{wrong}");
    assert_eq!(t.json(&["org", "delete", SLUG, "--confirm", SLUG]), json!({ "id": ORG, "deleted": true }));
    assert!(!all(&t.json(&["org", "list"]), "slug").contains(&SLUG));
}
