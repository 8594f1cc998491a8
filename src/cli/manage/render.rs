//! Records of the API as people read them: tables and lists of facts.

use serde_json::Value;
use std::fmt::Write as _;

/// A title, and where its value is in a record (a JSON pointer); after a question mark, what is said where there is none.
pub(in crate::cli) type Column = (&'static str, &'static str);

/// The records of a list, one a line below the titles.
pub(in crate::cli) fn list(list: &Value, columns: &[Column]) -> String {
    let records = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect()];
    rows.extend(records.iter().map(|it| columns.iter().map(|(_, place)| cell(it, place)).collect()));
    table(&rows)
}

/// One record, a fact a line.
pub(in crate::cli) fn record(record: &Value, facts: &[Column]) -> String {
    let rows: Vec<Vec<String>> =
        facts.iter().map(|(title, place)| vec![(*title).to_owned(), cell(record, place)]).collect();
    table(&rows)
}

fn cell(record: &Value, place: &str) -> String {
    let (pointer, nothing) = place.split_once('?').unwrap_or((place, "-"));
    match record.pointer(pointer).map(shown) {
        Some(text) if !text.is_empty() => text,
        _ => nothing.to_owned(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(it_is) => if *it_is { "yes" } else { "no" }.to_owned(),
        // A description or a client's name may have what moves a terminal's cursor.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members.get("slug").or(members.get("name")).map(shown).unwrap_or_default(),
        Value::Number(number) => number.to_string(),
    }
}

/// Columns as wide as what is in them, two blanks apart; the first row is their titles.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["ID", "NAME"], ["1", "ตรวจ"], ["22222", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "ID     NAME\n1      ตรวจ\n22222\n");
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        let columns = [("A", "/a?never"), ("B", "/b/name"), ("C", "/c"), ("D", "/d?anywhere"), ("E", "/e")];
        let it = json!({ "a": null, "b": { "name": "x\u{1b}[2J" }, "c": ["1", "2"], "d": [], "e": false });
        let page = json!({ "data": [it] });
        assert_eq!(
            list(&page, &columns),
            "A      B      C     D         E\nnever  x\u{fffd}[2J  1, 2  anywhere  no\n"
        );
        assert_eq!(record(&it, &columns[..2]), "A  never\nB  x\u{fffd}[2J\n");
    }
}
