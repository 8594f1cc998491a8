//! The table of keys as the reference in `docs/configuration.md`.

use super::schema::{Key, ROOT, Type};
use super::yaml::join;

/// Markdown: one table for each section, in the order of the file.
pub fn key_reference() -> String {
    let mut out = String::new();
    section(ROOT, "", "The file", &mut out);
    out
}

fn section(keys: &[Key], path: &str, title: &str, out: &mut String) {
    out.push_str(&format!("### {title}\n\n| key | takes | default | meaning |\n|---|---|---|---|\n"));
    for key in keys {
        out.push_str(&row(key));
    }
    out.push('\n');
    for key in keys {
        let path = join(path, key.name);
        match key.kind {
            Type::Section(keys) | Type::SectionOr(_, keys) => section(keys, &path, &format!("`{path}`"), out),
            Type::Named(keys) => named(keys, &format!("{path}.*"), out),
            Type::List(Type::Section(keys)) => named(keys, &format!("{path}[]"), out),
            // One name stands for all: what may stand under it is told once.
            Type::Map(Type::ScalarOr(_, Type::Section(keys))) if key.name == "headers" => {
                named(keys, &format!("{path}.*"), out);
            }
            _ => {}
        }
    }
}

fn named(keys: &[Key], path: &str, out: &mut String) {
    section(keys, path, &format!("`{path}`"), out);
}

fn row(key: &Key) -> String {
    let default = match (key.required, key.default) {
        (true, _) => "**required**".to_owned(),
        (false, Some(text)) => text.to_owned(),
        (false, None) => String::new(),
    };
    format!("| `{}` | {} | {default} | {} |\n", key.name, takes(key.kind), key.doc)
}

fn takes(kind: Type) -> String {
    match kind {
        Type::Text => "text".to_owned(),
        Type::Address => "`IP:port`".to_owned(),
        Type::Network => "address or network".to_owned(),
        Type::Path => "file".to_owned(),
        Type::Integer(least, most) => format!("whole number, {least} to {most}"),
        Type::Number(least, most) => format!("number, {least} to {most}"),
        Type::Boolean => "`true` or `false`".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::DurationOr(word) => format!("duration, or `{word}`"),
        Type::Size => "size".to_owned(),
        Type::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Type::BooleanOrWords(words) => {
            let words = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            format!("`true`, `false`, or list: {words}")
        }
        Type::List(Type::Section(_)) => "list of sections".to_owned(),
        Type::List(item) => format!("list: {}", takes(*item)),
        Type::Section(_) => "section".to_owned(),
        Type::SectionOr(word, _) => format!("section, or `{word}`"),
        Type::Named(_) => "sections by name".to_owned(),
        Type::Map(item) => format!("by name: {}", takes(*item)),
        Type::ScalarOr(one, more) => format!("{}, or {}", takes(*one), takes(*more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_reference_as_it_is_now() {
        let page = include_str!("../../docs/configuration.md");
        let begin = "<!-- key reference: printed by `portcullis schema --markdown`, compared by a test -->\n";
        let (_, rest) = page.split_once(begin).expect("the page has the mark");
        let (written, _) =
            rest.split_once("<!-- end of key reference -->").expect("the page has the end mark");
        assert!(
            written.trim() == key_reference().trim(),
            "docs/configuration.md is out of date: put the output of `portcullis schema --markdown` between the marks"
        );
    }
}
