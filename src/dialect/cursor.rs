//! Cursors: a place in a list, as text that clients send back as it is.

use crate::store::management::Position;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Longer than any cursor of ours.
const MOST: usize = 400;

/// The text of a place.
pub fn text(position: &Position) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "id": position.id, "at": position.created_ms }).to_string())
}

/// The place that a text stands for; `None` when it is none of ours.
pub fn position(text: &str) -> Option<Position> {
    if text.len() > MOST {
        return None;
    }
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let members = value.as_object().filter(|members| members.len() == 2)?;
    // U+0000 is in no id, and not every store takes it.
    let id = members.get("id")?.as_str().filter(|id| !id.contains('\0'))?.to_owned();
    Some(Position { created_ms: members.get("at")?.as_u64()?, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_it_was() {
        let place = Position { created_ms: 1_800_000_000_000, id: "68db5cc4c78g1e17".to_owned() };
        assert_eq!(position(&text(&place)), Some(place));
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for bad in [
            "",
            "x",
            "!!",
            &encoded("{}"),
            &encoded(r#"{"id":"456"}"#),
            &encoded(r#"{"id":1,"at":1}"#),
            &encoded(r#"{"id":"1","at":-1}"#),
            &encoded(r#"{"id":"1","at":1,"x":1}"#),
            &"A".repeat(1000),
        ] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }
}
