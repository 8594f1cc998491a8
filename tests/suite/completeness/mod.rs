//! Every endpoint of the control API × everybody: nobody, who has the wrong kind of credential, members of another
//! organization, and each role.

mod table;
mod things;

use crate::support::control::{Console, write};
use crate::support::fixture::{Fixture, ocore_key, ocriva_key};
use crate::support::gateway::Gateway;
use crate::support::hooks;
use crate::support::settings::{ORG, OTHER_ORG, OTHER_SLUG, SLUG};
use crate::support::upstream::Upstream;
use crate::support::world::{foreign, organization};
use crate::support::{Reply, Request, assert_ocore, assert_ocriva, post};
use portcullis::config::Dialect;
use portcullis::dialect::endpoint::{self, Endpoint, Operation, ocore};
use serde_json::json;
use table::{Takes, expected};
use things::{Things, at_admin};

/// The built-in roles, and two of the organization's own: one that has nothing to do with what is asked, and one that
/// has just what it takes.
const PEOPLE: [&str; 6] = ["owner", "admin", "developer", "viewer", "bystander", "specialist"];

struct House {
    gateway: Gateway,
    _upstream: Upstream,
    ocriva_key: String,
    ocore_key: String,
}

fn house() -> House {
    let upstream = Upstream::http();
    let (mut ours, mut theirs) = (organization(), foreign());
    for name in ["owner", "admin", "developer", "viewer"] {
        ours.member(name, name);
    }
    for name in ["bystander", "specialist", "server-admin", "leaver"] {
        ours.member(name, "viewer");
    }
    ours.member(things::MAKER, "owner");
    theirs.member("stranger", "owner");
    let (ocriva_key, ocore_key) = (ocriva_key(), ocore_key());
    ours.token(&ocriva_key, json!({}));
    ours.token(&ocore_key, json!({ "permissions": ["manage:*"] }));
    let settings = hooks::settings(&upstream.url()).unlimited();
    let gateway = Gateway::start(&settings, &Fixture::default().with(ours).with(theirs));
    let sql = "UPDATE users SET server_admin = 1 WHERE email = 'server-admin@example.com'";
    write(&gateway, sql, []);
    House { gateway, _upstream: upstream, ocriva_key, ocore_key }
}

/// Whether somebody of the house has what an endpoint takes; a table of its own, not the gateway's.
fn has(person: &str, takes: Takes) -> bool {
    match (takes, person) {
        (Takes::Nothing | Takes::Session | Takes::Membership, _) => true,
        (Takes::ServerAdmin, _) => false,
        (Takes::Owner, _) => person == "owner",
        (_, "owner" | "admin") => true,
        (Takes::Projects, _) => matches!(person, "developer" | "specialist"),
        (Takes::Administrator, _) => false,
        (Takes::Permissions(_), "specialist") => true,
        (Takes::Permissions(_), "bystander") => false,
        (Takes::Permissions(all), "viewer" | "developer") => all.iter().all(|one| one.starts_with("view:")),
        (takes, other) => panic!("nobody knows whether {other} has {takes:?}"),
    }
}

fn name(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.method, endpoint.path)
}

#[track_caller]
fn assert_refused(endpoint: &Endpoint, reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}: {}", name(endpoint), reply.text());
    match endpoint.dialect {
        Dialect::Ocore => drop(assert_ocore(reply, status)),
        Dialect::Ocriva | Dialect::Problem => assert_ocriva(reply, status, None),
    }
}

/// Somebody's request for our organization.
fn ours(person: &Console<'_>, request: Request) -> Request {
    request.bearer(&person.access).org(SLUG)
}

/// The endpoints that are asked of somebody.
fn guarded() -> impl Iterator<Item = &'static Endpoint> {
    endpoint::all().filter(|it| expected(it.operation).takes != Takes::Nothing)
}

fn is(endpoint: &Endpoint, operation: ocore::Operation) -> bool {
    endpoint.operation == Operation::Ocore(operation)
}

#[test]
fn every_endpoint_answers_each_role_as_the_table_says() {
    let house = house();
    let things = Things::of(&house.gateway);
    let people = PEOPLE.map(|name| (name, Console::open(&house.gateway, name)));
    let id_of =
        |name: &str| people.iter().find(|(known, _)| *known == name).expect("one of them").1.id.clone();
    things.assign(&id_of("bystander"), &things.role(&["view:backups"]));
    for endpoint in endpoint::all() {
        let row = expected(endpoint.operation);
        let role = match row.takes {
            Takes::Permissions(all) => things.role(all),
            Takes::Projects => things.role(&["manage:projects"]),
            _ => things.role(&["view:backups"]),
        };
        things.assign(&id_of("specialist"), &role);
        for (person, console) in &people {
            // Who leaves is gone: that is another test's.
            if is(endpoint, ocore::Operation::Leave) {
                continue;
            }
            // What who asks for it has to have themselves.
            let hand_on = if *person == "specialist" { role.as_str() } else { "viewer" };
            let request = things.request(endpoint, ORG, &console.id, hand_on);
            if endpoint.operation == Operation::StartOperation {
                things.wait_for_operations();
            }
            // Else the session that logs out is theirs.
            let request = if row.takes == Takes::Nothing { request } else { ours(console, request) };
            let reply = at_admin(&house.gateway, &request);
            // What one dialect answers with nothing, the other one answers with a message.
            let good = if (endpoint.dialect, row.answer) == (Dialect::Ocore, 204) { 200 } else { row.answer };
            let wanted = if has(person, row.takes) { good } else { 403 };
            assert_eq!(reply.status, wanted, "{person}, {}: {}", name(endpoint), reply.text());
            // (What is wrong with a body is another test's.)
            if wanted == 403 {
                assert_refused(endpoint, &reply, wanted);
            }
        }
    }
}

#[test]
fn what_is_the_server_admins_is_theirs_and_what_members_may_they_may_too() {
    let house = house();
    let things = Things::of(&house.gateway);
    let admin = Console::open(&house.gateway, "server-admin");
    for endpoint in guarded().filter(|it| expected(it.operation).takes == Takes::ServerAdmin) {
        let reply =
            at_admin(&house.gateway, &ours(&admin, things.request(endpoint, ORG, &admin.id, "viewer")));
        assert_eq!(reply.status, expected(endpoint.operation).answer, "{}: {}", name(endpoint), reply.text());
    }
    let leaver = Console::open(&house.gateway, "leaver");
    let leave = || at_admin(&house.gateway, &ours(&leaver, post("/api/members/leave")));
    leave().expect(200);
    assert_ocore(&leave(), 403);
}

#[test]
fn no_endpoint_answers_who_has_no_session() {
    let house = house();
    let things = Things::of(&house.gateway);
    let owner = Console::open(&house.gateway, "owner");
    let body = json!({ "token": house.ocriva_key });
    let login = house.gateway.send(&post("/v1/openapi/auth/login").json(&body)).expect(200).json();
    let of_key = login["accessToken"].as_str().expect("a token").to_owned();
    for endpoint in guarded() {
        let bare = things.request(endpoint, ORG, &owner.id, "viewer").org(SLUG);
        let bare = || bare.clone();
        let foreign_kind = match endpoint.dialect {
            Dialect::Ocore => vec![
                bare().key(&owner.access),
                bare().key(&house.ocore_key),
                bare().bearer(&house.ocriva_key),
            ],
            Dialect::Ocriva | Dialect::Problem => vec![
                bare().header("X-API-Key", &owner.access),
                bare().header("Cookie", format!("access_token={}", owner.access)),
                bare().bearer(&house.ocore_key),
                bare().bearer(&owner.access).header("X-API-Key", &house.ocriva_key),
            ],
        };
        let nobodys = [
            bare(),
            bare().bearer(""),
            bare().bearer("nonsense"),
            bare().bearer("eyJh.eyJz.c2ln"),
            bare().bearer("refresh_0000"),
            bare().bearer("partial_0000"),
            bare().header("Authorization", "Basic dTpw"),
            bare().bearer(&owner.access).bearer("other"),
        ];
        for request in nobodys.into_iter().chain(foreign_kind) {
            assert_refused(endpoint, &at_admin(&house.gateway, &request), 401);
            if endpoint.at_edge {
                assert_refused(endpoint, &house.gateway.send(&request), 401);
            }
        }
        // Keys are known for what they are, and manage nothing.
        let (keys, of_another) = match endpoint.dialect {
            Dialect::Ocore => (vec![bare().bearer(&house.ocore_key)], 401),
            Dialect::Ocriva | Dialect::Problem => {
                (vec![bare().key(&house.ocriva_key), bare().bearer(&house.ocriva_key)], 403)
            }
        };
        for request in keys {
            assert_refused(endpoint, &at_admin(&house.gateway, &request), 403);
        }
        assert_refused(endpoint, &at_admin(&house.gateway, &bare().bearer(&of_key)), of_another);
    }
}

#[test]
fn members_of_another_organization_are_told_nothing() {
    let house = house();
    let things = Things::of(&house.gateway);
    let stranger = Console::open(&house.gateway, "stranger");
    let tenants =
        guarded().filter(|it| !matches!(expected(it.operation).takes, Takes::Session | Takes::ServerAdmin));
    for endpoint in tenants {
        let send = |request: &Request| at_admin(&house.gateway, &request.clone().bearer(&stranger.access));
        let request = things.request(endpoint, ORG, &stranger.id, "viewer");
        let foreign = send(&request.clone().org(SLUG));
        assert_refused(endpoint, &foreign, 403);
        // One that is not there is answered in the same words.
        let nowhere = things.request(endpoint, "no-such", &stranger.id, "viewer").org("no-such");
        assert_eq!(send(&nowhere).body, foreign.body, "{}", name(endpoint));
        // In their own organization they are who they are, and our things are not there.
        let theirs = things.request(endpoint, OTHER_ORG, &stranger.id, "viewer").org(OTHER_SLUG);
        let names_a_thing =
            endpoint.path.replace("{organizationId}", "").replace("{projectId}", "").contains('{');
        if names_a_thing {
            assert_refused(endpoint, &send(&theirs), 404);
        }
    }
}
