//! CSV (RFC 4180) that is safe to open in a spreadsheet.

use serde_json::Value;

/// The members of a record that columns name, as one line.
pub(super) fn row_of(record: &Value, columns: &[&str]) -> String {
    let text = |column: &&str| match &record[*column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cells: Vec<String> = columns.iter().map(text).collect();
    line(cells.iter().map(String::as_str))
}

/// One line, its end included.
pub fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// A spreadsheet takes what begins like this for a formula, which may send the table elsewhere: an apostrophe before it
/// makes it text.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let guard = if formula { "'" } else { "" };
    if formula || text.contains([',', '"', '\r', '\n']) {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_quotes_are_doubled() {
        let cells = ["a", "b,c", "say \"x\"", "=1+1", "+66 2", "-1", "@x", "\t=1", "a=1", "", "two\nlines"];
        let wanted = "a,\"b,c\",\"say \"\"x\"\"\",\"'=1+1\",\"'+66 2\",\"'-1\",\"'@x\",\"'\t=1\",a=1,,\"two\nlines\"\r\n";
        assert_eq!(line(cells.into_iter()), wanted);
    }
}
