//! Whether what was printed is what a page shows: `…` stands for what differs from run to run, as ids, times and keys do.

use serde_json::Value;

/// What does not agree, if anything.
pub(super) fn difference(language: &str, shown: &str, printed: &str) -> Option<String> {
    if language == "json" {
        let agrees = match (serde_json::from_str(shown), serde_json::from_str(printed)) {
            (Ok(shown), Ok(printed)) => json(&shown, &printed),
            _ => false,
        };
        return (!agrees).then(|| format!("shown:\n{shown}\nprinted:\n{printed}"));
    }
    let (shown, lines) = (lines(shown), lines(printed));
    // The last beginning of what is shown that still agrees says where to look.
    let end = ["…".to_owned()];
    let upto = |count: usize| text(&[&shown[..count], &end].concat(), &lines);
    let first = (0..shown.len()).take_while(|&count| upto(count + 1)).count();
    let wanted = shown.get(first).map_or("nothing more", String::as_str);
    (!text(&shown, &lines)).then(|| format!("wanted: {wanted}\nprinted:\n{printed}"))
}

/// Lines without what is only layout: how many blanks stand between words depends on what is in a table's other rows.
fn lines(text: &str) -> Vec<String> {
    let tidy = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(tidy).collect();
    lines.retain(|line| !line.is_empty());
    lines
}

/// A line `…` is any number of lines.
fn text(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => (0..=printed.len()).any(|from| text(rest, &printed[from..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, more)| pattern(first, line) && text(rest, more))
        }
    }
}

/// `…` in a line is any run of characters, at least one.
fn pattern(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((head, tail)) => printed.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .skip(1)
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| !rest.is_empty() && pattern(tail, &rest[at..]))
        }),
    }
}

/// Every member that is shown is there; an answer may have more. Texts follow the same pattern as lines.
fn json(shown: &Value, printed: &Value) -> bool {
    match (shown, printed) {
        (Value::String(shown), Value::String(printed)) => pattern(shown, printed),
        (Value::String(shown), _) => shown == "…",
        (Value::Object(shown), Value::Object(printed)) => {
            shown.iter().all(|(name, value)| printed.get(name).is_some_and(|it| json(value, it)))
        }
        (Value::Array(shown), Value::Array(printed)) => match shown.split_last() {
            Some((Value::String(last), before)) if last == "…" => {
                before.len() <= printed.len() && before.iter().zip(printed).all(|(a, b)| json(a, b))
            }
            _ => shown.len() == printed.len() && shown.iter().zip(printed).all(|(a, b)| json(a, b)),
        },
        _ => shown == printed,
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_open_and_nothing_else() {
    let holds = |language, shown, printed| difference(language, shown, printed).is_none();
    assert!(holds("text", "id  …  CI\n…\nend", "id 17 CI\na\nb\nend\n"));
    assert!(holds("text", "a\n…", "a"));
    assert!(!holds("text", "id … CI", "id 17 CD"));
    assert!(!holds("text", "id …", "id "));
    assert!(!holds("text", "a", "a\nb"));
    assert!(!holds("text", "a\nb", "a"));
    assert!(holds("json", r#"{"id":"…","n":1,"list":[1,"…"]}"#, r#"{"id":"x","n":1,"list":[1,2],"more":0}"#));
    assert!(!holds("json", r#"{"id":"…"}"#, r#"{"name":"x"}"#));
    assert!(!holds("json", r#"{"n":1}"#, r#"{"n":2}"#));
    assert!(!holds("json", r#"{"list":[1]}"#, r#"{"list":[1,2]}"#));
    assert!(!holds("json", r#"{"n":1}"#, "no JSON"));
}
