//! The gateway's OpenAPI document as the suite's measure: whatever a control endpoint answers, in whatever test, has to
//! be in it. Every client of the suite brings its answers here.

use super::reply::{Reply, values};
use super::request::Request;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The document, as the program prints it.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let printed = Command::new(super::gateway::PROGRAM).arg("openapi").output().expect("run the program");
    serde_json::from_slice(&printed.stdout).expect("a JSON document")
});

/// The admin listeners of this run's gateways.
static ADMIN: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
/// The listeners that do not serve what the document says.
static WITHOUT: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
/// The tags of requests that a backend has seen: their answers are not the gateway's.
static FORWARDED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that an address is an admin listener's.
pub(crate) fn is_admin(address: SocketAddr) {
    lock(&ADMIN).push(address);
}

/// Says that an address is of a gateway whose APIs do not serve the endpoints.
pub(crate) fn has_none(address: SocketAddr) {
    lock(&WITHOUT).push(address);
}

/// Says that a request with this tag got to a backend.
pub(crate) fn forwarded(tag: &str) {
    lock(&FORWARDED).insert(tag.to_owned());
}

/// Holds an answer against the document, if it is one of an endpoint that is in it.
#[track_caller]
pub(crate) fn check(peer: Option<SocketAddr>, request: &Request, reply: &Reply) {
    let listener = if peer.is_some_and(|peer| lock(&ADMIN).contains(&peer)) { "admin" } else { "client" };
    let path = request.target.split('?').next().unwrap_or_default();
    let Some(operation) = operation(&request.method, path, listener) else { return };
    let without = peer.is_some_and(|peer| lock(&WITHOUT).contains(&peer));
    if without || lock(&FORWARDED).contains(&request.tag) {
        return;
    }
    if let Err(why) = conforms(operation, request, reply) {
        panic!(
            "{} {} on the {listener} listener is answered otherwise than openapi.json says: {why}\n{reply:?}\n{}",
            request.method,
            request.target,
            reply.text()
        );
    }
}

/// The operation of the document that a request is for. What takes GET takes HEAD as well.
fn operation(method: &str, path: &str, listener: &str) -> Option<&'static Value> {
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
    let paths = DOCUMENT["paths"].as_object()?;
    let found = paths.iter().find(|(template, item)| fits(template, path) && item.get(&method).is_some());
    let operation = found?.1.get(&method)?;
    let listeners = operation["x-portcullis-listeners"].as_array()?;
    listeners.iter().any(|it| it == listener).then_some(operation)
}

fn fits(template: &str, path: &str) -> bool {
    let segments = |text: &str| text.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let (wanted, found): (Vec<String>, Vec<String>) = (segments(template), segments(path));
    wanted.len() == found.len()
        && wanted.iter().zip(&found).all(|(wanted, found)| wanted.starts_with('{') || wanted == found)
}

fn conforms(operation: &'static Value, request: &Request, reply: &Reply) -> Result<(), String> {
    let answers = operation["responses"].as_object().ok_or("no responses")?;
    let answer = answers.get(&reply.status.to_string());
    let answer = resolved(answer.ok_or_else(|| format!("status {} is not described", reply.status))?);
    for (name, header) in answer["headers"].as_object().into_iter().flatten() {
        let sent = values(&reply.headers, name);
        if sent.is_empty() && resolved(header)["required"] == true {
            return Err(format!("{name} is missing"));
        }
    }
    let content = answer["content"].as_object();
    if request.method == "HEAD" {
        return Ok(());
    }
    let Some(content) = content else {
        return if reply.body.is_empty() { Ok(()) } else { Err("a body that is not described".to_owned()) };
    };
    let kind = values(&reply.headers, "content-type").first().copied().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = &content.get(kind).ok_or_else(|| format!("the type {kind:?} is not described"))?["schema"];
    let body = match kind {
        "text/csv" => reply.text().into(),
        _ => serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?,
    };
    validate(schema, &body, "body")
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(target) => resolved(DOCUMENT.pointer(&target[1..]).unwrap_or_else(|| panic!("{target}"))),
        None => value,
    }
}

/// As much of JSON Schema as the document uses. A keyword that is not known here is an error, so that nothing is passed
/// over.
pub(crate) fn validate(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{at}: {what}: {value}"));
    let keywords = schema.as_object().ok_or_else(|| format!("{at}: no schema"))?;
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "description" | "properties" | "required" | "patternProperties" => {}
            "$ref" => {
                let target = rule.as_str().unwrap_or_default();
                let schema = DOCUMENT.pointer(&target[1..]).ok_or_else(|| format!("{at}: {target}"))?;
                validate(schema, value, at)?;
            }
            "type" => {
                let kinds = rule.as_array().map_or_else(|| std::slice::from_ref(rule), Vec::as_slice);
                if !kinds.iter().any(|kind| is_a(value, kind.as_str().unwrap_or_default())) {
                    return wrong(format!("is not {rule}"));
                }
            }
            "enum" if !rule.as_array().is_some_and(|names| names.contains(value)) => {
                return wrong(format!("is none of {rule}"));
            }
            "const" if rule != value => return wrong(format!("is not {rule}")),
            "enum" | "const" => {}
            "oneOf" | "anyOf" => {
                let options = rule.as_array().map_or(&[][..], Vec::as_slice);
                let tried: Vec<_> = options.iter().map(|option| validate(option, value, at)).collect();
                let fits = tried.iter().filter(|it| it.is_ok()).count();
                if fits == 0 || (keyword == "oneOf" && fits > 1) {
                    return wrong(format!("is not {keyword} {tried:?}"));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(rule, item, &format!("{at}[{index}]"))?;
                }
            }
            "additionalProperties" => {
                assert_eq!(rule, false, "a schema of the document");
                let known = keywords["properties"].as_object().ok_or("no properties")?;
                for name in value.as_object().into_iter().flat_map(Map::keys) {
                    let starts = keywords.get("patternProperties").and_then(Value::as_object);
                    let mut starts = starts.into_iter().flat_map(Map::keys);
                    // Patterns that the document uses are beginnings, and say nothing about the value.
                    let begins =
                        starts.any(|it| name.starts_with(it.strip_prefix('^').expect("a beginning")));
                    if !known.contains_key(name) && !begins {
                        return wrong(format!("has {name}, which is not described"));
                    }
                }
            }
            _ => bounded(keyword, rule, value).map_err(|what| format!("{at}: {what}: {value}"))?,
        }
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            return wrong(format!("lacks {name}"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = members.get(name) {
            validate(schema, member, &format!("{at}.{name}"))?;
        }
    }
    Ok(())
}

/// Bounds of lengths and numbers, and formats.
fn bounded(keyword: &str, rule: &Value, value: &Value) -> Result<(), String> {
    let length = value.as_str().map(|text| text.chars().count() as u64);
    let items = value.as_array().map(|items| items.len() as u64);
    let bound = rule.as_u64();
    let holds = match (keyword, bound) {
        ("minLength", Some(least)) => length.is_none_or(|it| it >= least),
        ("maxLength", Some(most)) => length.is_none_or(|it| it <= most),
        ("minItems", Some(least)) => items.is_none_or(|it| it >= least),
        ("maxItems", Some(most)) => items.is_none_or(|it| it <= most),
        ("minimum", Some(least)) => value.as_u64().is_none_or(|it| it >= least),
        ("maximum", Some(most)) => value.as_u64().is_none_or(|it| it <= most),
        ("format", None) if rule == "date-time" => {
            value.as_str().is_none_or(|text| text.parse::<jiff::Timestamp>().is_ok())
        }
        ("format", None) if rule == "password" => true,
        _ => return Err(format!("the suite does not know {keyword}: {rule}")),
    };
    if holds { Ok(()) } else { Err(format!("breaks {keyword} {rule}")) }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}
