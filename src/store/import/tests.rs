//! Fixtures: what is read, and what is refused.

use super::*;
use crate::store::sqlite::Sqlite;
use crate::store::{Store, StoreError};

const WHOLE: &str = r#"
organizations:
  - id: 68da2880b45d7a01d90a3c51
    slug: my-org
    name: องค์กร
    projects:
      - { id: 68db5cc4c78g1e17gd4c7h85, name: Receipt Scanning, description: Mobile receipts, isActive: false }
      - { id: 123, name: B }
    members:
      - { email: owner@example.com, name: Owner, password: "correct horse 1", role: owner }
    tokens:
      - { name: CI, type: organization, permissions: [read], scopes: [documents], value: "ocr_1" }
      - { name: old, type: project, projectId: 68db5cc4c78g1e17gd4c7h85, permissions: [read], scopes: [documents],
          sha256: "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
          expiresAt: 2030-01-01T00:00:00Z, ipWhitelist: [10.1.2.3/8, "::ffff:192.0.2.1"], isActive: false }
      - { name: deploy, id: k, kind: ocore, permissions: ["manage:servers"], value: "my_own", createdBy: OWNER@example.com }
"#;

#[test]
fn a_whole_fixture_is_read_as_written() {
    let fixture = parse(WHOLE, "f.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    let [organization] = &fixture.organizations[..] else { panic!() };
    assert_eq!(
        (organization.id.as_str(), organization.slug.as_str()),
        ("68da2880b45d7a01d90a3c51", "my-org")
    );
    assert_eq!(organization.at, Position { line: 3, column: 5 });
    assert_eq!(organization.projects[0].active, Some(false));
    assert_eq!(organization.projects[1].id.as_str(), "123");
    assert_eq!(organization.projects[1].description, None);
    assert_eq!(organization.members[0].role, Role::Owner);
    let [ci, old, deploy] = &organization.tokens[..] else { panic!() };
    assert_eq!((ci.digest, ci.family, ci.expires_ms), (Digest::of("ocr_1"), KeyFamily::Ocriva, None));
    assert_eq!((old.digest, old.family), (Digest::of("abc"), KeyFamily::Ocriva));
    assert_eq!(old.reach, Reach::Project("68db5cc4c78g1e17gd4c7h85".into()));
    assert_eq!((old.expires_ms, old.active), (Some(1_893_456_000_000), Some(false)));
    let addresses: Vec<String> = old.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!((deploy.family, deploy.id.clone()), (KeyFamily::Ocore, Some("k".into())));
    assert!(deploy.scopes.is_empty() && deploy.created_by.is_some());
}

/// Places and messages of what is wrong with `source`.
fn refused(source: &str) -> Vec<String> {
    let problems = parse(source, "f.yaml").expect_err(source);
    problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message)).collect()
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let source = r#"organizations:
  - id: a/b
    slug: No
    name: x
    projects:
      - { id: p, name: "" }
      - { id: p, name: P }
    members:
      - { email: nobody, name: N, role: king }
      - { email: a@b.c, name: A, role: owner, password: short }
    tokens:
      - { name: a, value: key_1 }
      - { name: b, value: ocr_1, sha256: "00" }
      - { name: c, sha256: "00" }
      - { name: d, value: ocr_2, type: project, projectId: q }
      - { name: e, value: ocr_3, type: project }
      - { name: f, value: ocr_4, projectId: p, type: organization }
      - { name: g, value: ocr_5, ipWhitelist: [10.0.0.0/33], expiresAt: tomorrow }
      - { name: h, value: ocr_5 }
      - { nmae: i, value: ocr_6, createdBy: x@y.z }
      - { name: j }
"#;
    let found = refused(source);
    let wanted = [
        "2:9 an id has no `/` and no control characters",
        "3:11 `No` is not a slug",
        "4:11 this has 1 characters",
        "6:24 this has 0 characters",
        "7:15 this project stands already on line 6",
        "9:18 `nobody` is not an e-mail address",
        "9:41 `king` is not known",
        "10:57 this password is too weak",
        "12:27 this key starts with neither",
        "13:27 `value` and `sha256` exclude each other",
        "14:28 this is no SHA-256",
        "15:60 the organization has no project `q`",
        "16:9 `organizations[0].tokens[4]` lacks the key `projectId`",
        "17:45 a key of type `organization` has no project",
        "18:48 `10.0.0.0/33` is neither an IP address nor a CIDR range",
        "18:73 `tomorrow` is not an instant",
        "19:27 this key stands already on line 18",
        "20:9 `organizations[0].tokens[8]` lacks the key `name`",
        "20:11 unknown key `nmae`",
        "20:45 the organization has no member `x@y.z`",
        "21:9 `organizations[0].tokens[9]` lacks the key `value`",
    ];
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found} instead of {wanted}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
}

#[test]
fn a_key_is_never_shown() {
    let source = WHOLE
        .replace("\"ocr_1\"", "\"ocr_canary\"")
        .replace("my_own", "other_canary")
        .replace("kind", "knid");
    let shown = parse(&source, "f.yaml").expect_err("a misspelt key").to_string();
    assert!(shown.contains("f.yaml:") && shown.contains("knid"));
    assert!(!shown.contains("canary") && !shown.contains("horse"), "{shown}");
}

#[test]
fn a_person_is_the_same_everywhere() {
    let organization = |id: &str, name: &str| {
        format!(
            "  - {{ id: {id}, slug: org-{id}, name: Org, members: [{{ email: a@b.c, name: {name}, role: viewer }}] }}\n"
        )
    };
    let two = |name| format!("organizations:\n{}{}", organization("1", "A"), organization("2", name));
    assert!(parse(&two("A"), "f.yaml").is_ok());
    assert_eq!(refused(&two("B")).len(), 1);
    let twice =
        "organizations: [{ id: 1, slug: org, name: Org, members: [{ email: a@b.c, name: A, role: viewer },
        { email: A@B.C, name: A, role: owner }] }]";
    assert_eq!(refused(twice), ["2:18 this member stands already on line 1"]);
}

#[test]
fn lengths_count_characters_and_not_bytes() {
    let with = |name: String| format!("organizations: [{{ id: 1, slug: abc, name: \"{name}\" }}]");
    assert!(parse(&with("ก".repeat(100)), "f.yaml").is_ok());
    assert_eq!(refused(&with("ก".repeat(101))).len(), 1);
    let id = |id: String| format!("organizations: [{{ id: \"{id}\", slug: abc, name: Org }}]");
    assert!(parse(&id("é".repeat(64)), "f.yaml").is_ok());
    assert_eq!(refused(&id("é".repeat(65))).len(), 1);
}

#[test]
fn a_year_is_a_calendar_year() {
    let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond() as u64;
    let default = |text| default_expiry_ms(KeyFamily::Ocriva, ms(text));
    assert_eq!(default("2026-11-21T16:00:00.123Z"), Some(ms("2027-11-21T16:00:00.123Z")));
    assert_eq!(default("2027-03-01T00:00:00Z"), Some(ms("2028-03-01T00:00:00Z")));
    assert_eq!(default("2028-02-29T12:00:00Z"), Some(ms("2029-02-28T12:00:00Z")));
    assert_eq!(default_expiry_ms(KeyFamily::Ocore, ms("2028-02-29T12:00:00Z")), None);
}

#[tokio::test]
async fn a_key_of_another_organization_is_refused_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
    let without_people = |source: &str| {
        let lines = source.lines().filter(|line| !line.contains("email:") && !line.contains("members:"));
        lines.collect::<Vec<_>>().join("\n").replace(", createdBy: OWNER@example.com", "")
    };
    let source = without_people(WHOLE);
    store.import(&parse(&source, "f.yaml").unwrap(), 0).await.unwrap();
    let other = source.replace("68da2880b45d7a01d90a3c51", "other").replace("my-org", "other");
    let conflicts = match store.import(&parse(&other, "f.yaml").unwrap(), 0).await {
        Err(StoreError::Conflicts(conflicts)) => conflicts,
        other => panic!("{other:?}"),
    };
    let shown = problems(&other, "f.yaml", &conflicts).to_string();
    assert!(
        shown.contains("f.yaml:7:9: error[conflict]: project `68db5cc4c78g1e17gd4c7h85` belongs to"),
        "{shown}"
    );
    assert!(
        shown.contains("f.yaml:10:9: error[conflict]: this key exists already, in another organization"),
        "{shown}"
    );
}
