//! `projectId` in a JSON body, against what another reader of the same body finds.

use portcullis::pipeline::fuzzing::project_in_json;
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) fn check(data: &[u8]) {
    let (found, members) = (project_in_json(data, data.len() % 7 + 1), members(data));
    match (found, members) {
        (Ok(project), members) => {
            assert!(std::str::from_utf8(data).is_ok(), "a body that is not UTF-8 was passed on");
            let members = members.expect("what is no JSON was passed on");
            for (name, value) in &members {
                if name == "projectId" {
                    assert_eq!(value.as_str().unwrap_or_default(), project.as_deref().unwrap_or_default());
                    assert!(value.is_string() || value.is_null(), "{value}");
                } else {
                    assert!(!name.eq_ignore_ascii_case("projectId"), "{name}");
                }
            }
            let named = members.iter().any(|(name, value)| name == "projectId" && *value != "");
            assert!(project.is_none() || named, "nobody named {project:?}");
        }
        (Err(reject), Some(members)) if reject.code() == "project_not_single" => {
            let near = |name: &str| name.to_ascii_lowercase().contains("projectid");
            assert!(members.iter().any(|(name, _)| near(name)), "refused for no reason");
        }
        // Refused in any case. Which words it is refused with hangs on what is found first.
        (Err(reject), Some(members)) if reject.code() == "bad_body" && members.iter().any(is_no_text) => {}
        (Err(reject), Some(_)) => panic!("refused as {}, but it is JSON", reject.code()),
        (Err(_), None) => {}
    }
}

/// A project that is an object or an array, which nobody reads.
fn is_no_text((name, value): &(String, Value)) -> bool {
    name == "projectId" && value.is_array()
}

/// The members of the top level, as often as they stand there; `None` where the body is no JSON. What is not looked at
/// keeps its text: a lone surrogate in it, or a number beyond all bounds, is for the backend to judge.
fn members(body: &[u8]) -> Option<Vec<(String, Value)>> {
    let text = std::str::from_utf8(body).ok()?;
    let whole: &RawValue = serde_json::from_str(text).ok()?;
    match whole.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => return Some(Vec::new()),
        _ => return serde_json::from_str::<Value>(text).ok().map(|_| Vec::new()),
    }
    let mut reader = serde_json::Deserializer::from_str(whole.get());
    let members: Members = serde::Deserialize::deserialize(&mut reader).ok()?;
    Some(members.0)
}

/// Members in their order.
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> serde::de::Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    let is_project = name == "projectId" && !value.get().starts_with(['{', '[']);
                    let value = if is_project {
                        serde_json::from_str(value.get())
                    } else {
                        Ok(Value::Array(Vec::new()))
                    };
                    all.push((name, value.map_err(serde::de::Error::custom)?));
                }
                Ok(Members(all))
            }
        }
        from.deserialize_map(All)
    }
}
