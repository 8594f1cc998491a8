//! CONTRACT A.5 and A.9: the list of keys, its filters, search and pages.

use crate::support::assert_ocriva;
use crate::support::control::{Console, text, wanted};
use crate::support::fixture::Fixture;
use crate::support::gateway::Gateway;
use crate::support::settings::{FOREIGN, P1, P2, Settings};
use crate::support::world::organization;
use crate::support::{get, post, wait};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A gateway with 25 keys of known names, made over HTTP by an owner; none is used.
fn gateway() -> &'static Gateway {
    static GATEWAY: OnceLock<Gateway> = OnceLock::new();
    GATEWAY.get_or_init(|| {
        let upstream = Box::leak(Box::new(crate::support::upstream::Upstream::http()));
        let mut ours = organization();
        ours.member("owner", "owner");
        ours.member("viewer", "viewer");
        let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(ours));
        let owner = Console::open(&gateway, "owner");
        for number in 0..25 {
            let more = match number {
                3 => json!({ "type": "project", "projectId": P1 }),
                4 => json!({ "type": "project", "projectId": P2, "description": "Für ÉTÉ, 100%" }),
                _ => json!({}),
            };
            let id = owner.made(&format!("Key {number:02}"), more)["id"].clone();
            if number == 5 {
                owner.patch(id.as_str().expect("an id"), &json!({ "isActive": false })).expect(200);
            }
        }
        drop(owner);
        gateway
    })
}

fn owner() -> Console<'static> {
    Console::open(gateway(), "owner")
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().expect("data").iter().map(|it| text(it, "name")).collect()
}

fn found(query: &str) -> Vec<String> {
    let list = owner().list(query).expect(200).json();
    names(&list).into_iter().map(str::to_owned).collect()
}

#[test]
fn a9_the_envelope_and_its_defaults() {
    let list = owner().list("").expect(200).json();
    assert_eq!(list["pagination"], json!({ "page": 1, "limit": 20, "total": 25, "pages": 2 }));
    assert_eq!(names(&list).len(), 20);
    assert_eq!(names(&list)[..2], ["Key 00", "Key 01"], "in the order of their making");
    assert!(list["data"][0].get("token").is_none());
    for member in ["name", "type", "scopes", "expiresAt", "isActive", "lastUsedAt"] {
        assert!(list["data"][0].get(member).is_some(), "{member}");
    }
    let mut members: Vec<_> = list.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(members, ["data", "pagination"]);
}

#[test]
fn lists_are_sorted_as_is_asked() {
    let last = |query: &str| found(&format!("{query}&limit=2"));
    assert_eq!(last("?sort=name&order=desc"), ["Key 24", "Key 23"]);
    assert_eq!(last("?sort=createdAt&order=desc"), ["Key 24", "Key 23"]);
    assert_eq!(last("?sort=name&order=asc"), ["Key 00", "Key 01"]);
    assert_eq!(last("?sort=lastUsedAt&order=desc"), ["Key 00", "Key 01"], "nobody has used one");
    assert_eq!(last("?sort=usageCount"), ["Key 00", "Key 01"]);
    assert_eq!(last("?sort=&order="), ["Key 00", "Key 01"], "without a value there is none");
    for (query, message) in [
        ("?sort=token", "sort must be createdAt, name, expiresAt, lastUsedAt or usageCount"),
        ("?order=DESC", "order must be asc or desc"),
    ] {
        assert_ocriva(&owner().list(query), 400, Some(message));
    }
}

#[test]
fn a9_pages_hold_what_they_say() {
    let mut seen = Vec::new();
    for page in 1..=4 {
        let list = owner().list(&format!("?page={page}&limit=8")).expect(200).json();
        assert_eq!(list["pagination"], json!({ "page": page, "limit": 8, "total": 25, "pages": 4 }));
        seen.extend(names(&list).into_iter().map(str::to_owned));
    }
    let all: Vec<String> = (0..25).map(|number| format!("Key {number:02}")).collect();
    assert_eq!(seen, all);
    let beyond = owner().list("?page=5&limit=8").expect(200).json();
    assert_eq!(
        beyond,
        json!({ "data": [], "pagination": { "page": 5, "limit": 8, "total": 25, "pages": 4 } })
    );
    let far = owner().list("?page=18446744073709551615&limit=100").expect(200).json();
    assert_eq!((&far["data"], &far["pagination"]["total"]), (&json!([]), &json!(25)));
}

#[test]
fn a9_a_limit_beyond_the_maximum_is_clamped_and_said() {
    for query in ["?limit=101", "?limit=1000000", "?limit=4294967296"] {
        let list = owner().list(query).expect(200).json();
        assert_eq!(
            list["pagination"],
            json!({ "page": 1, "limit": 100, "total": 25, "pages": 1 }),
            "{query}"
        );
    }
}

#[test]
fn a9_what_is_no_page_is_400() {
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=",
        "limit=0",
        "limit=-5",
        "limit=x",
        "limit=",
        "page=1&page=2",
    ] {
        assert_ocriva(&owner().list(&format!("?{query}")), 400, None);
    }
    for bad in ["type=x", "isActive=1", "isActive=yes", "search=%", "type=project&type=organization"] {
        assert_ocriva(&owner().list(&format!("?{bad}")), 400, None);
    }
}

#[test]
fn a9_nothing_found_has_no_pages() {
    let list = owner().list("?search=nothing-like-it").expect(200).json();
    assert_eq!(list, json!({ "data": [], "pagination": { "page": 1, "limit": 20, "total": 0, "pages": 0 } }));
}

#[test]
fn a5_filters_by_type_state_and_project() {
    assert_eq!(found("?type=project"), ["Key 03", "Key 04"]);
    assert_eq!(found("?type=organization&limit=100").len(), 23);
    assert_eq!(found("?isActive=false"), ["Key 05"]);
    assert_eq!(found("?isActive=true&limit=100").len(), 24);
    assert_eq!(found(&format!("?projectId={P2}")), ["Key 04"]);
    assert_eq!(found(&format!("?projectId={P1}&type=organization")), [""; 0]);
    assert_eq!(found(&format!("?projectId={FOREIGN}")), [""; 0]);
    assert_eq!(found("?type=&isActive=&projectId=&search=&limit=100").len(), 25, "an empty filter is none");
    assert_eq!(found("?isActive=false&unknown=x"), ["Key 05"]);
}

#[test]
fn a5_search_finds_names_and_descriptions_whatever_the_case() {
    assert_eq!(found("?search=KEY%2007"), ["Key 07"]);
    assert_eq!(found("?search=key+07"), ["Key 07"]);
    assert_eq!(found("?search=%C3%A9t%C3%A9"), ["Key 04"], "été");
    assert_eq!(found("?search=100%25"), ["Key 04"]);
    assert_eq!(found("?search=%25").len(), 1, "no character stands for others");
    assert_eq!(found("?search=_").len(), 0);
    let list = owner().list("?search=key&limit=10&page=3&isActive=true").expect(200).json();
    assert_eq!(list["pagination"], json!({ "page": 3, "limit": 10, "total": 24, "pages": 3 }));
    assert_eq!(names(&list), ["Key 21", "Key 22", "Key 23", "Key 24"]);
}

#[test]
fn a5_members_see_their_own_keys_only() {
    let viewer = Console::open(gateway(), "viewer");
    let list = viewer.list("").expect(200).json();
    assert_eq!(list["pagination"]["total"], json!(0));
}

#[test]
fn c25_an_expired_key_is_still_listed_as_active() {
    let upstream = crate::support::upstream::Upstream::http();
    let mut ours = organization();
    ours.member("owner", "owner");
    let old = crate::support::fixture::ocriva_key();
    ours.token(&old, json!({ "name": "old", "expiresAt": "2020-01-01T00:00:00Z" }));
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(ours));
    let owner = Console::open(&gateway, "owner");
    let list = owner.list("?isActive=true").expect(200).json();
    assert_eq!(names(&list), ["old"]);
    assert_eq!(owner.list("?isActive=false").expect(200).json()["pagination"]["total"], json!(0));
    // a33, c24: regenerating gives it a life again; how long it once had is not known, so a year.
    let id = list["data"][0]["id"].as_str().expect("an id");
    let again = owner.regenerate(id).expect(200).json();
    let expires: jiff::Timestamp = text(&again, "expiresAt").parse().expect("a time");
    let days = (expires.as_second() - wait::now().unix_s() as i64) / 86_400;
    assert!((364..=366).contains(&days), "{days}");
    gateway.send(&get("/v1/openapi/templates").key(text(&again, "token"))).expect(200);
    assert_ocriva(&gateway.send(&get("/v1/openapi/templates").key(&old)), 401, None);
}

#[test]
fn c28_the_count_of_uses_is_right_in_the_next_answer() {
    let upstream = crate::support::upstream::Upstream::http();
    let mut ours = organization();
    ours.member("owner", "owner");
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(ours));
    let owner = Console::open(&gateway, "owner");
    let made = owner.send(post(&owner.path("")).json(&wanted("used", json!({})))).expect(201).json();
    let id = text(&made, "id");
    for uses in 1..=5 {
        gateway.send(&get("/v1/openapi/templates").key(text(&made, "token"))).expect(200);
        let shown = owner.show(id).expect(200).json();
        assert_eq!(shown["usageCount"], json!(uses));
        super::login::assert_timestamp(&shown["lastUsedAt"]);
        assert_eq!(owner.list("").expect(200).json()["data"][0]["usageCount"], json!(uses));
    }
    // a34: it is the key's, not the value's.
    assert_eq!(owner.regenerate(id).expect(200).json()["usageCount"], json!(5));
    assert_eq!(owner.patch(id, &json!({ "name": "x" })).expect(200).json()["usageCount"], json!(5));
}
