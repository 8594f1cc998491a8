//! CONTRACT A.2: organization and project keys, and `projectId` wherever it travels.

use crate::support::settings::{FOREIGN, ORG, P_INACTIVE, P1, P2};
use crate::support::world::world;
use crate::support::{Request, get, post};
use serde_json::json;

const NEEDED: &str = "projectId is required for organization tokens";
const SINGLE: &str = "projectId must be a single string";

fn history(query: &str) -> Request {
    get(&format!("/v1/openapi/processing-history{query}"))
}

fn form(fields: &[(&str, &str)]) -> Request {
    let mut body = String::from(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\
        Content-Type: application/pdf\r\n\r\n%PDF bytes\r\n",
    );
    for (name, value) in fields {
        body.push_str(&format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--B--\r\n");
    post("/v1/openapi/batch/upload").body("multipart/form-data; boundary=B", body)
}

/// The three places in which a request can name this project.
fn places(project: &str) -> [Request; 3] {
    [
        history(&format!("?projectId={project}")),
        post("/v1/openapi/templates").json(&json!({ "projectId": project })),
        form(&[("projectId", project)]),
    ]
}

#[test]
fn a13_an_organization_key_names_any_project_of_its_own() {
    let w = world();
    for project in [P1, P2] {
        for request in places(project) {
            let (_, record) = w.arrives(&request.key(&w.org_key()));
            assert_eq!(record.header("x-gateway-project-id"), Some(project));
            assert_eq!(record.header("x-gateway-token-type"), Some("organization"));
            assert_eq!(record.header("x-gateway-organization-id"), Some(ORG));
        }
    }
}

#[test]
fn a14_a_project_keys_project_is_inferred() {
    let w = world();
    let key = w.project_key();
    let requests =
        [history(""), post("/v1/openapi/templates").json(&json!({})), form(&[]), get("/v1/openapi/other")];
    for request in requests {
        let (_, record) = w.arrives(&request.key(&key));
        assert_eq!(record.header("x-gateway-project-id"), Some(P1));
        assert_eq!(record.header("x-gateway-token-type"), Some("project"));
    }
}

#[test]
fn a14_the_upstream_of_a_query_route_sees_exactly_one_project_id() {
    let w = world();
    let key = w.project_key();
    for query in [
        "",
        "?page=2",
        &format!("?projectId={P1}"),
        &format!("?projectId={P1}&projectId={P1}"),
        "?projectId=",
    ] {
        let (_, record) = w.arrives(&history(query).key(&key));
        let named: Vec<&str> =
            record.query().split('&').filter(|pair| pair.starts_with("projectId")).collect();
        assert_eq!(named, [format!("projectId={P1}")], "{query} became {}", record.target);
    }
}

#[test]
fn a15_an_organization_key_without_project_where_one_is_needed() {
    let w = world();
    let key = w.org_key();
    let requests =
        [history(""), history("?page=1"), post("/v1/openapi/templates").json(&json!({"a": 1})), form(&[])];
    for request in requests {
        w.refused(&request.key(&key), 400, Some(NEEDED));
    }
}

#[test]
fn a16_a_project_outside_the_organization_is_401() {
    let w = world();
    let key = w.org_key();
    for (foreign, own) in places(FOREIGN).into_iter().zip(places(P1)) {
        w.refused(&foreign.key(&key), 401, None);
        w.arrives(&own.key(&key));
    }
}

#[test]
fn a17_a_project_key_with_any_other_project_is_401() {
    let w = world();
    let key = w.project_key();
    for other in [P2, FOREIGN, "nothing", &P1.to_uppercase(), &format!("{P1}0")] {
        for request in places(other) {
            w.refused(&request.key(&key), 401, None);
        }
    }
    for request in places(P1) {
        w.arrives(&request.key(&key));
    }
}

#[test]
fn a18_c03_an_unknown_project_looks_like_a_foreign_one() {
    let w = world();
    let key = w.org_key();
    for (unknown, foreign) in places("68ff0000000000000000ffff").into_iter().zip(places(FOREIGN)) {
        let unknown = w.refused(&unknown.key(&key), 401, None);
        let foreign = w.refused(&foreign.key(&key), 401, None);
        assert_eq!(unknown.body, foreign.body, "the difference would tell that the project exists");
    }
}

#[test]
fn a19_an_empty_project_id_counts_as_absent() {
    let w = world();
    let (org, project) = (w.org_key(), w.project_key());
    for request in places("") {
        w.refused(&request.clone().key(&org), 400, Some(NEEDED));
        let (_, record) = w.arrives(&request.key(&project));
        assert_eq!(record.header("x-gateway-project-id"), Some(P1));
    }
    w.refused(&history("?projectId").key(&org), 400, Some(NEEDED));
}

#[test]
fn a20_c08_different_values_or_brackets_are_400() {
    let w = world();
    let key = w.org_key();
    let queries = [
        format!("?projectId={P1}&projectId={P2}"),
        format!("?projectId={P1}&projectId={FOREIGN}"),
        format!("?projectId[]={P1}"),
        format!("?projectId[x]={P1}"),
        "?projectId[$ne]=x".to_owned(),
        format!("?projectId%5B%5D={P1}"),
        format!("?projectId={P1}&projectId%5b0%5d={FOREIGN}"),
        format!("?projectid={P1}"),
        format!("?PROJECTID={P1}"),
        format!("?projectId%00={P1}"),
        format!("?%20projectId={P1}"),
        format!("?projectId+={P1}"),
    ];
    for query in &queries {
        w.refused(&history(query).key(&key), 400, Some(SINGLE));
    }
    w.refused(&form(&[("projectId", P1), ("projectId", P2)]).key(&key), 400, Some(SINGLE));
}

#[test]
fn a20_json_members_of_different_value_are_400_and_equal_ones_are_fine() {
    let w = world();
    let key = w.org_key();
    let send = |body: String| post("/v1/openapi/templates").body("application/json", body).key(&key);
    w.refused(&send(format!(r#"{{"projectId":"{P1}","projectId":"{P2}"}}"#)), 400, Some(SINGLE));
    w.refused(&send(format!(r#"{{"projectId":"{P1}","\u0070rojectId":"{P2}"}}"#)), 400, Some(SINGLE));
    for value in [format!(r#"["{P1}"]"#), format!(r#"{{"$ne":"{P1}"}}"#), "7".into(), "true".into()] {
        w.refused(&send(format!(r#"{{"projectId":{value}}}"#)), 400, Some(SINGLE));
    }
    w.arrives(&send(format!(r#"{{"projectId":"{P1}","projectId":"{P1}"}}"#)));
}

#[test]
fn a20_the_same_value_twice_collapses_to_one() {
    let w = world();
    let (_, record) = w.arrives(&history(&format!("?projectId={P1}&a=1&projectId={P1}")).key(&w.org_key()));
    assert_eq!(record.target.matches("projectId").count(), 1, "{}", record.target);
    assert!(record.query().split('&').any(|pair| pair == "a=1"));
    w.arrives(&form(&[("projectId", P1), ("projectId", P1)]).key(&w.org_key()));
}

#[test]
fn a21_c10_query_and_body_that_disagree_are_400() {
    let w = world();
    let key = w.org_key();
    let both = |query: &str, body: &str| {
        post(&format!("/v1/openapi/templates?projectId={query}"))
            .json(&json!({ "projectId": body }))
            .key(&key)
    };
    w.refused(&both(P1, P2), 400, None);
    w.refused(&both(P2, P1), 400, None);
    w.refused(&both(FOREIGN, FOREIGN), 401, None);
    w.arrives(&both(P1, P1));
    let mut upload = form(&[("projectId", P2)]).key(&key);
    upload.target.push_str(&format!("?projectId={P1}"));
    w.refused(&upload, 400, None);
}

#[test]
fn a21_the_query_is_checked_on_every_route() {
    let w = world();
    for target in ["/v1/openapi/templates", "/v1/openapi/other/deep/path", "/v1/openapi/projects"] {
        let foreign = get(&format!("{target}?projectId={FOREIGN}"));
        w.refused(&foreign.clone().key(&w.org_key()), 401, None);
        w.refused(&foreign.key(&w.project_key()), 401, None);
        w.send(&get(&format!("{target}?projectId={P1}")).key(&w.project_key())).expect(200);
    }
}

#[test]
fn a22_an_inactive_project_of_the_organization_is_forwarded() {
    let w = world();
    for request in places(P_INACTIVE) {
        w.arrives(&request.key(&w.org_key()));
    }
    let (_, record) = w.arrives(&history("").key(&w.key("inactive project")));
    assert_eq!(record.header("x-gateway-project-id"), Some(P_INACTIVE));
}

#[test]
fn a23_c05_a_project_is_needed_only_where_the_route_says_so() {
    let w = world();
    let key = w.org_key();
    for target in ["/v1/openapi/templates", "/v1/openapi/templates/abc", "/v1/openapi/anything"] {
        let (_, record) = w.arrives(&get(target).key(&key));
        assert_eq!(record.header("x-gateway-project-id").unwrap_or_default(), "");
    }
    for target in
        ["/v1/openapi/batch", "/v1/openapi/processing-history/id-7", "/v1/openapi/processing-history/stats"]
    {
        w.refused(&get(target).key(&key), 400, Some(NEEDED));
    }
}

#[test]
fn a6_upload_needs_the_project_of_project_keys_too() {
    let w = world();
    let key = w.project_key();
    let mut upload = form(&[]).key(&key);
    upload.target = "/v1/openapi/upload".into();
    w.refused(&upload, 400, None);
    let mut upload = form(&[("projectId", P1)]).key(&key);
    upload.target = "/v1/openapi/upload".into();
    w.arrives(&upload);
}

#[test]
fn a6_upload_paths_outside_v1_are_checked_alike() {
    let w = world();
    let mut upload = form(&[("projectId", FOREIGN)]).key(&w.org_key());
    upload.target = format!("/upload/{ORG}/file");
    w.refused(&upload, 401, None);
    let mut upload = form(&[("projectId", P2)]).key(&w.org_key());
    upload.target = format!("/upload/{ORG}/file");
    w.arrives(&upload);
}

#[test]
fn c01_ids_are_opaque() {
    let w = world();
    assert!(P2.contains('g') && P2.contains('h'));
    let (_, record) = w.arrives(&history(&format!("?projectId={P2}")).key(&w.org_key()));
    assert_eq!(record.header("x-gateway-project-id"), Some(P2));
}

#[test]
fn c02_a_mismatch_is_401_for_both_kinds_of_key() {
    let w = world();
    let request = history(&format!("?projectId={FOREIGN}"));
    w.refused(&request.clone().key(&w.org_key()), 401, None);
    w.refused(&request.key(&w.project_key()), 401, None);
    w.arrives(&history(&format!("?projectId={P1}")).key(&w.project_key()));
}

#[test]
fn c04_a_resource_id_of_another_project_is_the_upstreams_to_judge() {
    let w = world();
    let (_, record) = w.arrives(&get(&format!("/v1/openapi/templates/{FOREIGN}")).key(&w.project_key()));
    assert_eq!(record.header("x-gateway-project-id"), Some(P1));
}

#[test]
fn c09_names_and_values_are_decoded_before_they_are_compared() {
    let w = world();
    let (org, project) = (w.org_key(), w.project_key());
    let spelled: String = P1.bytes().map(|b| format!("%{b:02x}")).collect();
    for query in
        [format!("?%70rojectId={P1}"), format!("?projectId={spelled}"), format!("?project%49d={spelled}")]
    {
        let (_, record) = w.arrives(&history(&query).key(&org));
        assert_eq!(record.query(), format!("projectId={P1}"), "forwarded in the canonical spelling");
    }
    w.refused(&history(&format!("?%70rojectId={FOREIGN}")).key(&project), 401, None);
    for query in ["?projectId=%", "?projectId=%4", "?projectId=%zz", "?a=%G1", "?%=1"] {
        w.refused(&history(query).key(&project), 400, None);
    }
}

#[test]
fn a_semicolon_does_not_hide_a_project() {
    let w = world();
    for query in [
        format!("?a=1;projectId={FOREIGN}"),
        format!("?projectId={P1};projectId={FOREIGN}"),
        format!("?a;projectId={P1}"),
    ] {
        w.refused(&history(&query).key(&w.org_key()), 400, None);
        w.refused(&history(&query).key(&w.project_key()), 400, None);
    }
    let (_, record) = w.arrives(&history(&format!("?projectId={P1}&filter=a;b")).key(&w.org_key()));
    assert!(record.query().contains("filter=a;b"), "other semicolons stay: {}", record.target);
}
