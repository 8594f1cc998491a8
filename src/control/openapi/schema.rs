//! Descriptions as JSON Schema (2020-12), the dialect of OpenAPI 3.1.

use super::description::{Field, Form, Member, Record};
use super::records;
use super::shape::{Format, Presence, Shape};
use serde_json::{Map, Value, json};

/// All records, by name.
pub(super) fn all_records() -> Value {
    Value::Object(
        records::all()
            .map(|record| (record.name.to_owned(), of_record(record)))
            .chain([messages()])
            .collect(),
    )
}

/// One text, or several where several fields are wrong.
fn messages() -> (String, Value) {
    let many = json!({ "type": "array", "items": { "type": "string" }, "minItems": 2 });
    let schema = json!({
        "description": "One text, or several where several things are wrong.",
        "oneOf": [{ "type": "string" }, many],
    });
    ("Messages".to_owned(), schema)
}

/// A body with these members; others are ignored.
pub(super) fn body(members: &[Member]) -> Value {
    let required: Vec<&str> =
        members.iter().filter(|it| it.presence == Presence::Required).map(|it| it.name).collect();
    let property = |it: &Member| {
        let schema = described(or_null(of(it.shape), it.presence == Presence::Nullable), it.about);
        (it.name.to_owned(), schema)
    };
    let (families, members): (Vec<&Member>, Vec<&Member>) =
        members.iter().partition(|it| matches!(it.shape, Shape::Family));
    let properties: Map<String, Value> = members.into_iter().map(property).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    with_families(&mut schema, families.into_iter().map(|it| (it.name, it.about)));
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A value.
pub(super) fn of(shape: Shape) -> Value {
    match shape {
        Shape::Text(least, most, format) => text(least, most, format),
        Shape::Choice(names) => json!({ "type": "string", "enum": names }),
        Shape::Texts(least, most, each) => {
            let entry = text(usize::from(least > 0), each, Format::Free);
            let mut schema = json!({ "type": "array", "items": entry });
            bound(&mut schema, "minItems", "maxItems", least, most);
            schema
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Always(value) => json!({ "type": "boolean", "const": value }),
        Shape::Whole(least, most) => {
            let mut schema = json!({ "type": "integer", "minimum": least });
            if let Some(most) = most {
                schema["maximum"] = most.into();
            }
            schema
        }
        Shape::Record(name) => reference(name),
        Shape::List(item) => json!({ "type": "array", "items": of(*item) }),
        Shape::Anything => json!({ "type": "object" }),
        Shape::Family => json!({}),
    }
}

pub(super) fn reference(record: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{record}") })
}

fn text(least: usize, most: usize, format: Format) -> Value {
    let mut schema = json!({ "type": "string" });
    bound(&mut schema, "minLength", "maxLength", least, most);
    match format {
        Format::Free | Format::Cursor => {}
        // Not only white space, and no control characters.
        Format::Line => schema["pattern"] =
            r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
                .into(),
        Format::Email => schema["pattern"] = r"^[^@\s]+@\S+$".into(),
        Format::Password => schema["format"] = "password".into(),
        Format::Instant => schema["format"] = "date-time".into(),
    }
    schema
}

fn bound(schema: &mut Value, least_name: &str, most_name: &str, least: usize, most: usize) {
    if least > 0 {
        schema[least_name] = least.into();
    }
    if most < usize::MAX {
        schema[most_name] = most.into();
    }
}

fn or_null(schema: Value, null: bool) -> Value {
    match (null, schema.get("type").and_then(Value::as_str).map(str::to_owned)) {
        (false, _) => schema,
        (true, Some(kind)) if schema.get("enum").is_none() => {
            let mut schema = schema;
            schema["type"] = json!([kind, "null"]);
            schema
        }
        (true, _) => json!({ "oneOf": [schema, { "type": "null" }] }),
    }
}

/// Beside `$ref`, a description stands since JSON Schema 2019-09.
pub(super) fn described(mut schema: Value, about: &str) -> Value {
    schema["description"] = about.into();
    schema
}

fn of_record(record: &Record) -> Value {
    let schema = match record.form {
        Form::Fields(fields) => object(fields),
        Form::With(..) => object(&fields(record.name)),
        Form::Part(item) => json!({
            "type": "object",
            "properties": {
                "data": { "type": "array", "items": of(item) },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "For `?cursor=` of the next part; null on the last one.",
                },
                "has_more": { "type": "boolean", "description": "Whether there is a next part." },
            },
            "required": ["data", "next_cursor", "has_more"],
            "additionalProperties": false,
        }),
        Form::Page(item) => json!({
            "type": "object",
            "properties": {
                "data": { "type": "array", "items": reference(item) },
                "pagination": reference("Pagination"),
            },
            "required": ["data", "pagination"],
            "additionalProperties": false,
        }),
        Form::Items(item) => json!({
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": reference(item) },
                "page": { "type": "integer", "minimum": 1, "description": "Its number, counted from 1." },
                "perPage": { "type": "integer", "minimum": 1, "maximum": 100, "description": "Items on a page." },
                "total": { "type": "integer", "minimum": 0, "description": "Items on all pages." },
            },
            "required": ["items", "page", "perPage", "total"],
            "additionalProperties": false,
        }),
        Form::List(item) => json!({ "type": "array", "items": reference(item) }),
        Form::Either(names) => {
            json!({ "anyOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>() })
        }
    };
    described(schema, record.about)
}

/// The members of a record, those that it has from another one first.
fn fields(name: &str) -> Vec<Field> {
    match records::all().find(|record| record.name == name).map(|record| record.form) {
        Some(Form::Fields(own)) => own.to_vec(),
        Some(Form::With(base, own)) => fields(base).into_iter().chain(own.iter().copied()).collect(),
        _ => Vec::new(),
    }
}

/// An object of these members and no others: what is not described is not said.
fn object(fields: &[Field]) -> Value {
    let property = |it: &Field| (it.name.to_owned(), described(or_null(of(it.shape), it.null), it.about));
    let required: Vec<&str> = fields.iter().filter(|it| !it.absent).map(|it| it.name).collect();
    let (families, fields): (Vec<&Field>, Vec<&Field>) =
        fields.iter().partition(|it| matches!(it.shape, Shape::Family));
    let properties: Map<String, Value> = fields.into_iter().map(property).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    with_families(&mut schema, families.into_iter().map(|it| (it.name, it.about)));
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Members of which only the beginning of the name is known.
fn with_families<'a>(schema: &mut Value, families: impl Iterator<Item = (&'a str, &'a str)>) {
    for (start, about) in families {
        schema["patternProperties"][format!("^{start}")] = described(json!({}), about);
    }
}
