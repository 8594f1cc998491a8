//! The document, written from the tables of endpoints and their descriptions.

use super::description::{Answer, Body, Description, Header, Parameter, Who};
use super::shape::{Format, Shape};
use super::{components, described, ocriva, schema, tags};
use crate::config::Dialect;
use crate::dialect::endpoint::{self, edge};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ABOUT: &str = "Portcullis is an edge gateway for APIs that are opened by key. This is what it answers itself: how people log in, \
how they manage keys, people and roles of an organization, and what who has a key may ask.\n\n\
There are two dialects, for the clients of two API families; each chapter below is of one of them. Log in with \
`POST /v1/auth/login` (`ocriva`) or `POST /api/auth/login` (`ocore`), and send the `accessToken` of the answer as \
`Authorization: Bearer …`. One token is good in both dialects.\n\n\
Where GET is served, so is HEAD. Members of a body that are not described are ignored. Bodies have at most 64 KiB.";

/// Statuses that every operation may answer, in the order of their numbers.
const ALWAYS: [u16; 4] = [400, 413, 500, 503];

/// An endpoint of either table.
struct Place {
    dialect: Dialect,
    method: &'static Method,
    path: &'static str,
    listeners: Listeners,
    description: &'static Description,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listeners {
    Both,
    Admin,
    /// On client listeners as well, where an API's `builtin` names the group.
    Named(&'static str),
    Client,
}

/// The whole document.
pub fn document() -> Value {
    let mut paths = Map::new();
    let mut ids = BTreeMap::new();
    for place in places() {
        let id = id(&place, &mut ids);
        let path = paths.entry(place.path).or_insert_with(|| path(place.path));
        path[place.method.as_str().to_ascii_lowercase()] = operation(&place, id);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The listener that this document comes from." }],
        "tags": tags::all(),
        "paths": paths,
        "components": {
            "schemas": schema::all_records(),
            "responses": refusals(),
            "parameters": { "OrgSlug": components::slug() },
            "headers": components::headers(),
            "securitySchemes": components::security_schemes(),
        },
    })
}

fn places() -> impl Iterator<Item = Place> {
    let control = endpoint::all().map(|it| Place {
        dialect: it.dialect,
        method: &it.method,
        path: it.path,
        listeners: match it.group() {
            _ if it.at_edge => Listeners::Both,
            Some(group) => Listeners::Named(group.name()),
            None => Listeners::Admin,
        },
        description: described(it),
    });
    let edge = edge::all().map(|it| Place {
        dialect: it.dialect,
        method: &it.method,
        path: it.path,
        listeners: Listeners::Client,
        description: ocriva::of_edge(it.operation),
    });
    control.chain(edge)
}

/// Operations have one id each, also where one is at two paths, has two methods, or is in both dialects.
fn id(place: &Place, taken: &mut BTreeMap<String, Dialect>) -> String {
    let plain = place.description.id;
    let id = match (taken.get(plain), place.method) {
        (None, _) => plain.to_owned(),
        (Some(first), _) if *first != place.dialect => format!("{plain}InOcore"),
        (Some(_), &Method::PUT) => format!("{plain}ByPut"),
        (Some(_), _) => format!("{plain}Alias"),
    };
    taken.insert(id.clone(), place.dialect);
    id
}

fn path(path: &str) -> Value {
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = named
        .map(|name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": meaning(name),
                "schema": { "type": "string", "minLength": 1 },
            })
        })
        .collect();
    if parameters.is_empty() { json!({}) } else { json!({ "parameters": parameters }) }
}

fn meaning(parameter: &str) -> &'static str {
    match parameter {
        "organizationId" => "The id of the organization.",
        "projectId" => "The id of the project.",
        "tokenId" | "keyId" => "The id of the key; not its value.",
        "sessionId" => "The id of the session.",
        "memberId" => "The id of the person.",
        "userId" => "The id of the person, or their e-mail address.",
        "roleId" => "The id of the role.",
        "invitationId" => "The id of the invitation.",
        "endpointId" => "The id of the webhook endpoint.",
        "deliveryId" => "The id of the delivery.",
        "operationId" => "The id of the operation.",
        _ => "",
    }
}

fn operation(place: &Place, id: String) -> Value {
    let Description { tag, summary, about, .. } = *place.description;
    let mut operation = json!({
        "operationId": id,
        "tags": [tag.name()],
        "summary": summary,
        "description": format!("{about}{}", place.listeners.sentence(about.is_empty())),
        "x-portcullis-listeners": place.listeners.names(),
        "security": security(place),
    });
    let parameters = parameters(place.description);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = request_body(place.description) {
        operation["requestBody"] = body;
    }
    operation["responses"] = responses(place);
    operation
}

impl Listeners {
    fn sentence(self, alone: bool) -> String {
        let text = match self {
            Self::Both => return String::new(),
            Self::Admin => "Served on the admin listener only.".to_owned(),
            Self::Named(group) => format!(
                "Served on the admin listener; on client listeners where the API's `builtin` names `{group}`."
            ),
            Self::Client => "Served on client listeners only, not on the admin listener.".to_owned(),
        };
        if alone { text } else { format!("\n\n{text}") }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Both => &["client", "admin"],
            // What is answered on client listeners is the upstream's to say, until somebody names the group.
            Self::Admin | Self::Named(_) => &["admin"],
            Self::Client => &["client"],
        }
    }
}

fn security(place: &Place) -> Value {
    match (place.description.who, place.dialect) {
        (Who::Anybody, _) => json!([]),
        (Who::Leaver, _) => json!([{}, { "session": [] }, { "sessionCookie": [] }]),
        (Who::Person, Dialect::Ocore) => json!([{ "session": [] }, { "sessionCookie": [] }]),
        (Who::Person, _) => json!([{ "session": [] }]),
        (Who::Key, _) => json!([{ "keyHeader": [] }, { "ocrivaKey": [] }, { "keyToken": [] }]),
    }
}

fn parameters(description: &Description) -> Vec<Value> {
    let slug = description.in_organization.then(|| json!({ "$ref": "#/components/parameters/OrgSlug" }));
    slug.into_iter().chain(description.query.iter().map(parameter)).collect()
}

fn parameter(parameter: &Parameter) -> Value {
    // Nothing is taken for no filter.
    let empty = matches!(
        parameter.shape,
        Shape::Text(0, _, Format::Free | Format::Cursor) | Shape::Choice(_) | Shape::Flag
    );
    let mut value = json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "schema": schema::of(parameter.shape),
    });
    if empty {
        value["allowEmptyValue"] = true.into();
    }
    value
}

fn request_body(description: &Description) -> Option<Value> {
    let required = match description.body {
        Body::None => return None,
        Body::Required(_) => true,
        Body::Optional(_) => false,
    };
    let mut content = json!({ "schema": schema::body(description.body.members()) });
    if let Some(example) = description.example {
        content["example"] = serde_json::from_str(example).unwrap_or_else(|_| example.into());
    }
    Some(json!({ "required": required, "content": { "application/json": content } }))
}

fn responses(place: &Place) -> Value {
    let mut responses = Map::new();
    for answer in place.description.answers {
        responses.insert(answer.status.to_string(), success(answer));
    }
    for status in statuses(place) {
        let name = format!("{}{status}", envelope(place.dialect));
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    responses.into()
}

/// Every status of a refusal.
fn statuses(place: &Place) -> BTreeSet<u16> {
    let description = place.description;
    let mut statuses = BTreeSet::from(ALWAYS);
    statuses.extend(description.refusals);
    if matches!(description.who, Who::Person | Who::Key) {
        // 429: nobody has many calls going on at once.
        statuses.extend([401, 403, 429]);
    }
    if place.dialect == Dialect::Ocriva && !matches!(description.body, Body::None) {
        statuses.insert(415);
    }
    statuses
}

fn success(answer: &Answer) -> Value {
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
    for header in answer.headers {
        let (name, component) = match header {
            Header::Location => ("Location", "Location"),
            Header::SetCookie => ("Set-Cookie", "SetCookie"),
            Header::RetryAfter => ("Retry-After", "RetryAfter"),
            Header::Disposition => ("Content-Disposition", "Disposition"),
        };
        headers[name] = json!({ "$ref": format!("#/components/headers/{component}") });
    }
    let mut response = json!({ "description": answer.about, "headers": headers });
    if let Some(record) = answer.record {
        response["content"] = json!({ "application/json": { "schema": schema::reference(record) } });
    }
    if answer.csv {
        response["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
    }
    response
}

fn envelope(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ocriva => "Ocriva",
        Dialect::Ocore => "Ocore",
        Dialect::Problem => "Problem",
    }
}

/// Every refusal of every dialect that some endpoint has.
fn refusals() -> Value {
    let mut refusals = Map::new();
    for place in places() {
        for status in statuses(&place) {
            refusals.insert(
                format!("{}{status}", envelope(place.dialect)),
                components::refusal(place.dialect, status),
            );
        }
    }
    refusals.sort_keys();
    refusals.into()
}

#[cfg(test)]
mod tests {
    use super::super::shape::Presence;
    use super::super::tags::Tag;
    use super::*;

    /// Every `$ref` below a value.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("$ref", Value::String(target)) => drop(found.insert(target.clone())),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_nothing_is_left_over() {
        let document = document();
        let mut named = BTreeSet::new();
        references(&document, &mut named);
        for target in &named {
            assert!(document.pointer(&target[1..]).is_some(), "{target}");
        }
        for chapter in ["schemas", "responses", "parameters", "headers"] {
            for name in document["components"][chapter].as_object().unwrap().keys() {
                let target = format!("#/components/{chapter}/{name}");
                assert!(named.contains(&target), "{target} is not used");
            }
        }
    }

    #[test]
    fn every_endpoint_is_in_the_document_under_an_id_of_its_own() {
        let document = document();
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for place in places() {
            let method = place.method.as_str().to_ascii_lowercase();
            let operation = &document["paths"][place.path][&method];
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {}", place.path));
            assert!(ids.insert(id.to_owned()), "{id}");
            assert!(!place.description.answers.is_empty(), "{id} answers nothing");
            count += 1;
        }
        assert_eq!(count, endpoint::all().count() + edge::all().count());
    }

    #[test]
    fn every_variable_segment_says_what_it_is() {
        for place in places() {
            for name in place.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(!meaning(name).is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn examples_have_every_member_that_is_required_and_no_other_than_described() {
        for place in places() {
            let Some(example) = place.description.example else { continue };
            let example: Map<String, Value> = serde_json::from_str(example).expect(example);
            let members = place.description.body.members();
            for member in members.iter().filter(|it| it.presence == Presence::Required) {
                assert!(example.contains_key(member.name), "{} of {}", member.name, place.path);
            }
            for name in example.keys() {
                assert!(members.iter().any(|member| member.name == name), "{name} of {}", place.path);
            }
        }
    }

    #[test]
    fn every_chapter_is_listed() {
        for place in places() {
            assert!(Tag::ALL.contains(&place.description.tag), "{:?}", place.description.tag);
        }
    }
}
