//! The table of keys as JSON Schema (2020-12), for editors: completion, hover texts and red underlines while typing.

use super::schema::{Key, ROOT, Type};
use serde_json::{Map, Value, json};

/// The whole schema.
pub fn json_schema() -> Value {
    let mut schema = section(ROOT);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Portcullis configuration",
    });
    if let (Value::Object(schema), Value::Object(mut head)) = (&mut schema, head) {
        head.append(schema);
        *schema = head;
    }
    schema
}

fn section(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut made = kind(key.kind);
    let mut description = key.doc.to_owned();
    if let Some(default) = key.default {
        description.push_str(&format!(" Default: {default}."));
    }
    made["description"] = Value::String(description);
    made
}

fn kind(kind: Type) -> Value {
    match kind {
        Type::Text | Type::Path | Type::Address | Type::Network => {
            json!({ "type": ["string", "number", "boolean"] })
        }
        Type::Integer(least, most) => {
            or_variable(json!({ "type": "integer", "minimum": least, "maximum": most }))
        }
        Type::Number(least, most) => {
            or_variable(json!({ "type": "number", "minimum": least, "maximum": most }))
        }
        Type::Boolean => or_variable(json!({ "type": "boolean" })),
        Type::Duration => or_variable(duration()),
        Type::DurationOr(word) => json!({ "anyOf": [{ "const": word }, duration(), variable()] }),
        Type::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^[0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB|TiB)?$" },
            variable(),
        ] }),
        Type::Choice(words) => or_variable(json!({ "enum": words })),
        Type::BooleanOrWords(words) => json!({ "anyOf": [
            { "type": "boolean" },
            { "type": "array", "items": or_variable(json!({ "enum": words })) },
            variable(),
        ] }),
        Type::List(item) => json!({ "type": "array", "items": self::kind(*item) }),
        Type::Section(keys) => section(keys),
        Type::SectionOr(word, keys) => json!({ "anyOf": [{ "const": word }, section(keys)] }),
        Type::Named(keys) => {
            json!({ "type": "object", "additionalProperties": section(keys) })
        }
        Type::Map(item) => {
            json!({ "type": "object", "additionalProperties": self::kind(*item) })
        }
        Type::ScalarOr(one, more) => json!({ "anyOf": [self::kind(*one), self::kind(*more)] }),
    }
}

fn duration() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$" })
}

fn or_variable(plain: Value) -> Value {
    json!({ "anyOf": [plain, variable()] })
}

/// A text with `${…}` in it, whose content an editor cannot know.
fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key of the table, at the place where the schema must have it.
    fn expect(keys: &[Key], schema: &Value) {
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(properties.len(), keys.len());
        assert_eq!(schema["additionalProperties"], json!(false));
        for key in keys {
            let property = &properties[key.name];
            assert!(property["description"].as_str().unwrap().starts_with(key.doc), "{}", key.name);
            let required = schema["required"].as_array().unwrap().contains(&json!(key.name));
            assert_eq!(required, key.required, "{}", key.name);
            match key.kind {
                Type::Section(keys) => expect(keys, property),
                Type::SectionOr(_, keys) => expect(keys, &property["anyOf"][1]),
                Type::Named(keys) => expect(keys, &property["additionalProperties"]),
                Type::List(Type::Section(keys)) => expect(keys, &property["items"]),
                _ => {}
            }
        }
    }

    #[test]
    fn the_schema_has_every_key_of_the_table() {
        let schema = json_schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        expect(ROOT, &schema);
    }
}
