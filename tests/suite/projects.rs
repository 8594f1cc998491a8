//! CONTRACT A.4: the projects of a key, served by the gateway.

use super::login::assert_timestamp;
use crate::support::settings::{FOREIGN, ORG, OTHER_ORG, P_INACTIVE, P1, P2};
use crate::support::world::world;
use crate::support::{Reply, get, post};
use serde_json::{Value, json};

const PROJECTS: &str = "/v1/openapi/projects";

fn ids(reply: &Reply) -> Vec<String> {
    let list = reply.json();
    let list = list.as_array().unwrap_or_else(|| panic!("a bare array: {list}"));
    list.iter().map(|project| project["id"].as_str().expect("an id").to_owned()).collect()
}

fn of_organization(id: &str) -> String {
    format!("/api/v1/organizations/{id}/projects")
}

#[test]
fn a4_projects_take_a_key_or_a_jwt_and_nothing_else() {
    let w = world();
    let key = w.org_key();
    w.send(&get(PROJECTS).key(&key)).expect(200);
    w.send(&get(PROJECTS).bearer(&w.token(&key))).expect(200);
    w.refused(&get(PROJECTS), 401, None);
    w.refused(&get(PROJECTS).key("ocr_unknown"), 401, None);
}

#[test]
fn a4_c19_an_organization_key_sees_the_active_ones() {
    let w = world();
    let reply = w.send(&get(PROJECTS).key(&w.org_key())).expect(200);
    let mut found = ids(&reply);
    found.sort();
    assert_eq!(found, [P1, P2]);
    assert_eq!(reply.header("content-type").map(|t| t.starts_with("application/json")), Some(true));
}

#[test]
fn a4_an_organization_without_active_projects_gets_an_empty_array() {
    let mut org = crate::support::fixture::Organization::new("empty", "empty-org");
    org.project("closed", "Closed", None, false);
    let key = org.org_key();
    let settings = crate::support::settings::Settings::usual("http://127.0.0.1:1");
    let fixture = crate::support::fixture::Fixture::default().with(org);
    let gateway = crate::support::gateway::Gateway::start(&settings, &fixture);
    assert_eq!(gateway.send(&get(PROJECTS).key(&key)).expect(200).json(), json!([]));
}

#[test]
fn a4_c19_a_project_key_sees_its_own_even_when_inactive() {
    let w = world();
    assert_eq!(ids(&w.send(&get(PROJECTS).key(&w.project_key())).expect(200)), [P1]);
    let reply = w.send(&get(PROJECTS).key(&w.key("inactive project"))).expect(200);
    assert_eq!(ids(&reply), [P_INACTIVE]);
    assert_eq!(reply.json()[0]["isActive"], json!(false));
}

#[test]
fn a4_c20_elements_have_exactly_these_members_and_times() {
    let w = world();
    let list = w.send(&get(PROJECTS).key(&w.org_key())).expect(200).json();
    for project in list.as_array().expect("an array") {
        let mut names: Vec<_> = project.as_object().expect("an object").keys().cloned().collect();
        names.sort();
        let wanted = ["createdAt", "description", "id", "isActive", "name", "organizationId", "updatedAt"];
        assert_eq!(names, wanted);
        assert_timestamp(&project["createdAt"]);
        assert_timestamp(&project["updatedAt"]);
        assert_eq!(project["organizationId"], json!(ORG));
        assert_eq!(project["isActive"], json!(true));
    }
}

#[test]
fn a4_descriptions_are_as_stored() {
    let w = world();
    let list = w.send(&get(PROJECTS).key(&w.org_key())).expect(200).json();
    let of = |id: &str| {
        let found = list.as_array().expect("an array").iter().find(|project| project["id"] == json!(id));
        found.expect("the project")["description"].clone()
    };
    assert_eq!(of(P1), json!("Handles supplier invoices"));
    assert_eq!(of(P2), Value::Null);
    let old = w.send(&get(PROJECTS).key(&w.key("inactive project"))).expect(200).json();
    assert_eq!(old[0]["description"], json!(""));
}

#[test]
fn a4_order_is_creation_then_id() {
    let w = world();
    let list = w.send(&get(PROJECTS).key(&w.org_key())).expect(200).json();
    let keys: Vec<_> = list
        .as_array()
        .expect("an array")
        .iter()
        .map(|p| {
            (p["createdAt"].as_str().expect("a time").to_owned(), p["id"].as_str().expect("id").to_owned())
        })
        .collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(keys, sorted);
}

#[test]
fn a4_c17_there_is_no_pagination() {
    let w = world();
    let key = w.org_key();
    let whole = ids(&w.send(&get(PROJECTS).key(&key)).expect(200));
    for query in ["?page=2&limit=1", "?page=0", "?limit=abc"] {
        assert_eq!(ids(&w.send(&get(&format!("{PROJECTS}{query}")).key(&key)).expect(200)), whole, "{query}");
    }
}

#[test]
fn a4_a_project_in_the_query_is_checked_and_does_not_filter() {
    let w = world();
    let key = w.org_key();
    let ask = |project: &str| get(&format!("{PROJECTS}?projectId={project}")).key(&key);
    assert_eq!(ids(&w.send(&ask(P1)).expect(200)).len(), 2);
    w.refused(&ask(FOREIGN), 401, None);
    w.refused(&get(&format!("{PROJECTS}?projectId={P2}")).key(&w.project_key()), 401, None);
}

#[test]
fn a4_the_organizations_path_gives_the_same_array() {
    let w = world();
    let key = w.org_key();
    let one = w.send(&get(PROJECTS).key(&key)).expect(200);
    let two = w.send(&get(&of_organization(ORG)).bearer(&key)).expect(200);
    assert_eq!(one.json(), two.json());
    assert_eq!(ids(&w.send(&get(&of_organization(ORG)).bearer(&w.project_key())).expect(200)), [P1]);
}

#[test]
fn a4_another_organization_in_the_path_is_401() {
    let w = world();
    let key = w.org_key();
    let foreign = w.refused(&get(&of_organization(OTHER_ORG)).bearer(&key), 401, None);
    let unknown = w.refused(&get(&of_organization("no-such")).bearer(&key), 401, None);
    assert_eq!(foreign.body, unknown.body);
    assert_eq!(
        ids(&w.send(&get(&of_organization(OTHER_ORG)).bearer(&w.key("foreign"))).expect(200)),
        [FOREIGN]
    );
}

#[test]
fn a4_other_methods_are_405() {
    let w = world();
    let reply = w.refused(&post(PROJECTS).key(&w.org_key()), 405, None);
    let allow = reply.header("allow").unwrap_or_default();
    assert!(allow.contains("GET"), "Allow: {allow}");
}

#[test]
fn c15_api_v1_is_ocriva_and_other_api_paths_are_ocore() {
    let w = world();
    w.refused(&get("/api/v1/organizations/x/projects"), 401, None);
    w.refused(&get("/api/v1/nothing").key(&w.org_key()), 404, None);
    w.refused_ocore(&get("/api/servers"), 401);
    w.refused_ocore(&get("/api/v11").bearer(&w.key("view:servers")), 404);
}
