//! Takes secrets out of the lines that diagnostics show.
//!
//! Works on the text and not on the tree, because a file that is not YAML has no tree but may well hold a secret.
//! When in doubt more is hidden, never less.

use super::suggest;

/// What stands for a secret.
const MASK: &str = "***";
/// Most characters of a line that are shown.
const WINDOW: usize = 160;
/// Keys whose value is a secret; also anything spelt nearly so, since misspelt keys are what diagnostics are about.
const SENSITIVE: [&str; 4] = ["secret", "password", "passphrase", "value"];

/// One line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The line, secrets masked, without its end.
    pub(crate) shown: String,
    /// Masked stretches: first character and one past the last in the original, from 0, in order.
    hidden: Vec<(usize, usize)>,
}

impl Line {
    /// The part of the line around a column, and the blanks that bring a caret under that column. A line that a
    /// machine wrote may be as long as the file.
    pub(crate) fn window(&self, column: usize) -> (String, String) {
        let indent = self.indent_to(column);
        let (at, length) = (indent.chars().count(), self.shown.chars().count());
        if length <= WINDOW {
            return (self.shown.clone(), indent);
        }
        let from = at.saturating_sub(WINDOW / 2).min(length - WINDOW);
        let (before, after) =
            (if from > 0 { "…" } else { "" }, if from + WINDOW < length { "…" } else { "" });
        let part: String = self.shown.chars().skip(from).take(WINDOW).collect();
        let blanks: String = before.chars().map(|_| ' ').chain(indent.chars().skip(from)).collect();
        (format!("{before}{part}{after}"), blanks)
    }

    /// Blanks (tabs kept) that bring a caret under the original column, from 1.
    fn indent_to(&self, column: usize) -> String {
        let wanted = column.saturating_sub(1);
        let mut at = wanted;
        for &(start, end) in &self.hidden {
            let mask = MASK.chars().count();
            if wanted >= end {
                at = (at + mask + start).saturating_sub(end);
            } else if wanted > start {
                at = (at + start).saturating_sub(wanted);
            }
        }
        let blank = |c| if c == '\t' { '\t' } else { ' ' };
        let known = self.shown.chars().take(at).map(blank);
        known.chain(std::iter::repeat(' ')).take(at).collect()
    }
}

/// Whether a key's value is a secret.
pub(crate) fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase();
    let near = |name: &str| key.contains(name) || suggest::distance(&key, name) <= 1;
    SENSITIVE.iter().any(|name| near(name))
}

/// The lines of a file, secrets masked.
pub(crate) fn lines(source: &str) -> Vec<Line> {
    let mut open: Option<Open> = None;
    let strip = |line: &str| line.strip_suffix('\r').unwrap_or(line).to_owned();
    source.trim_start_matches('\u{feff}').split('\n').map(|line| mask_line(&strip(line), &mut open)).collect()
}

/// Any text, secrets masked.
pub(crate) fn text(text: &str) -> String {
    lines(text).into_iter().map(|line| line.shown).collect::<Vec<_>>().join("\n")
}

/// A secret that goes on in the next line.
enum Open {
    /// In quotes.
    Quoted(char),
    /// On the lines that are indented deeper than this.
    Indented(usize),
    /// Without quotes inside `{}`: up to the next `,` or `}`.
    Flow,
}

fn mask_line(line: &str, open: &mut Option<Open>) -> Line {
    let chars: Vec<char> = line.chars().collect();
    let mut hidden = Vec::new();
    let mut from = continue_secret(&chars, open, &mut hidden);
    while let Some((key_at, colon)) = next_key(&chars, from) {
        let key: String = chars[key_at..colon].iter().filter(|c| !matches!(c, '"' | '\'' | ' ')).collect();
        from = colon + 1;
        if is_sensitive(&key) {
            from = hide_value(&chars, key_at, colon + 1, open, &mut hidden);
        }
    }
    if line
        .trim_start_matches([' ', '-', '\t'])
        .strip_prefix("? ")
        .is_some_and(|key| is_sensitive(key.trim()))
    {
        // `? secret`, with `: value` on the next line.
        *open = Some(Open::Flow);
    }
    hide_url_passwords(&chars, &mut hidden);
    Line { shown: apply(&chars, &hidden), hidden }
}

/// Hides what belongs to a secret of the line above; returns where it ends.
fn continue_secret(chars: &[char], open: &mut Option<Open>, hidden: &mut Vec<(usize, usize)>) -> usize {
    let first = chars.iter().position(|c| !c.is_whitespace()).unwrap_or(chars.len());
    let end = match open {
        None => return 0,
        Some(_) if first == chars.len() => return first,
        Some(Open::Indented(depth)) if first > *depth => chars.len(),
        Some(Open::Indented(_)) => {
            *open = None;
            return 0;
        }
        Some(Open::Quoted(quote)) => closing_quote(chars, first, *quote).unwrap_or(chars.len()),
        Some(Open::Flow) => flow_end(chars, first).unwrap_or(chars.len()),
    };
    if end < chars.len() {
        *open = None;
    }
    hidden.push((first, end));
    end
}

/// The next `key:` from `from` on: where the key starts and where its colon is.
fn next_key(chars: &[char], from: usize) -> Option<(usize, usize)> {
    let ends_key = |at: usize| {
        let quoted = at > 0 && matches!(chars[at - 1], '"' | '\'');
        chars.get(at + 1).is_none_or(|c| c.is_whitespace()) || quoted
    };
    let colon = (from..chars.len()).find(|&at| chars[at] == ':' && ends_key(at))?;
    let part = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
    let trimmed = chars[from..colon].iter().rposition(|c| *c != ' ').map_or(from, |at| from + at + 1);
    let start = chars[from..trimmed].iter().rposition(|c| !part(c)).map_or(from, |at| from + at + 1);
    Some((start, colon))
}

/// Hides the value that follows a sensitive key; returns where it ends.
fn hide_value(
    chars: &[char],
    key: usize,
    from: usize,
    open: &mut Option<Open>,
    hidden: &mut Vec<(usize, usize)>,
) -> usize {
    let in_flow = chars[..key].iter().any(|c| matches!(c, '{' | '['));
    let start = (from..chars.len()).find(|&at| !chars[at].is_whitespace()).unwrap_or(chars.len());
    let (end, goes_on) = match chars.get(start) {
        Some(quote @ ('"' | '\'')) => match closing_quote(chars, start + 1, *quote) {
            Some(end) => (end, None),
            None => (chars.len(), Some(Open::Quoted(*quote))),
        },
        // No secret is a list or a section; but whoever wrote one there meant it as one.
        Some('{' | '[') => match closing_bracket(chars, start) {
            Some(end) => (end, None),
            None => (chars.len(), Some(Open::Indented(key))),
        },
        _ if in_flow => match flow_end(chars, start) {
            Some(end) => (end, None),
            None => (chars.len(), Some(Open::Flow)),
        },
        _ => (plain_end(chars, start), Some(Open::Indented(key))),
    };
    *open = goes_on;
    let written: String = chars[start..end].iter().collect();
    if start < end && !names_a_variable(&written) {
        hidden.push((start, end));
    }
    end
}

/// `${NAME}` and nothing else: no secret, and what a reader must see. A `:-default` is a secret like any other.
pub(crate) fn names_a_variable(written: &str) -> bool {
    let bare = written.trim().trim_matches(['"', '\'']);
    bare.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains(":-") && !name.contains(['{', '}', '$']))
}

fn closing_quote(chars: &[char], from: usize, quote: char) -> Option<usize> {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' if quote == '"' => at += 1,
            c if c == quote && quote == '\'' && chars.get(at + 1) == Some(&'\'') => at += 1,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

fn closing_bracket(chars: &[char], from: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in chars.iter().enumerate().skip(from) {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 1 => return Some(at + 1),
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn flow_end(chars: &[char], from: usize) -> Option<usize> {
    // `${…}` has a closing brace that does not end the value.
    let mut in_variable = false;
    for at in from..chars.len() {
        match chars[at] {
            '{' if at > from && chars[at - 1] == '$' => in_variable = true,
            '}' if in_variable => in_variable = false,
            ',' | '}' | ']' => return Some(at),
            _ => {}
        }
    }
    None
}

fn plain_end(chars: &[char], from: usize) -> usize {
    let comment = (from + 1..chars.len()).find(|&at| chars[at] == '#' && chars[at - 1].is_whitespace());
    let end = comment.unwrap_or(chars.len());
    chars[from..end].iter().rposition(|c| !c.is_whitespace()).map_or(from, |at| from + at + 1)
}

/// Hides `password` in `scheme://user:password@host`.
fn hide_url_passwords(chars: &[char], hidden: &mut Vec<(usize, usize)>) {
    for at in 0..chars.len().saturating_sub(2) {
        if chars[at..at + 3] != [':', '/', '/'] {
            continue;
        }
        // A password that nobody has escaped may hold anything: with a database's address all is hidden up to its last `@`.
        let whole = is_database(&chars[..at]);
        let ends = |c: char| matches!(c, ' ' | '"' | '\'') || (c == '/' && !whole);
        let end = (at + 3..chars.len()).find(|&i| ends(chars[i])).unwrap_or(chars.len());
        let Some(sign) = chars[at + 3..end].iter().rposition(|c| *c == '@').map(|i| at + 3 + i) else {
            continue;
        };
        let Some(colon) = (at + 3..sign).find(|&i| chars[i] == ':') else { continue };
        let free = |range: &(usize, usize)| range.1 <= colon + 1 || range.0 >= sign;
        if colon + 1 < sign && hidden.iter().all(free) {
            hidden.push((colon + 1, sign));
        }
    }
    hidden.sort_unstable();
}

/// Whether a scheme ends here that addresses of databases have.
fn is_database(before: &[char]) -> bool {
    let scheme: String = before.iter().rev().take_while(|c| c.is_ascii_alphanumeric()).collect();
    matches!(scheme.as_str(), "sergtsop" | "lqsergtsop" | "sider" | "ssider")
}

fn apply(chars: &[char], hidden: &[(usize, usize)]) -> String {
    let mut shown = String::new();
    let mut from = 0;
    for &(start, end) in hidden {
        shown.extend(&chars[from..start]);
        shown.push_str(MASK);
        from = end;
    }
    shown.extend(&chars[from..]);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> String {
        lines(source).iter().map(|line| line.shown.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn secrets_are_hidden_however_they_are_written() {
        for (source, want) in [
            ("  secret: hunter2", "  secret: ***"),
            ("  secret: hunter2  # mine", "  secret: ***  # mine"),
            ("jwt: { secret: hunter2, access_expiry: 1h }", "jwt: { secret: ***, access_expiry: 1h }"),
            ("jwt: { \"secret\": \"a, b\", x: 1 }", "jwt: { \"secret\": ***, x: 1 }"),
            ("jwt: {\"secret\":\"a\",\"x\":1}", "jwt: {\"secret\":***,\"x\":1}"),
            ("secrets: hunter2", "secrets: ***"),
            ("sceret: hunter2", "sceret: ***"),
            ("secret: |\n  hunter2\n  more\nnext: 1", "secret: ***\n  ***\n  ***\nnext: 1"),
            ("secret:\n  hunter2\nnext: 1", "secret:\n  ***\nnext: 1"),
            ("secret: \"a\n  b\" \nnext: 1", "secret: ***\n  *** \nnext: 1"),
            ("a: { secret: x\n  y, b: 1 }", "a: { secret: ***\n  ***, b: 1 }"),
            ("- { password: 'it''s', role: owner }", "- { password: ***, role: owner }"),
            ("a: { secret: [x, {y: z}], b: 1 }", "a: { secret: ***, b: 1 }"),
            (
                "tokens:\n  - { name: CI, value: ocr_1, type: project }",
                "tokens:\n  - { name: CI, value: ***, type: project }",
            ),
            ("? secret\n: hunter2", "? secret\n***"),
            ("secret: ${JWT_SECRET}", "secret: ${JWT_SECRET}"),
            ("a: { secret: ${JWT_SECRET}, b: 1 }", "a: { secret: ${JWT_SECRET}, b: 1 }"),
            ("secret: ${JWT_SECRET:-hunter2}", "secret: ***"),
            ("url: postgres://me:pw@host/db", "url: postgres://me:***@host/db"),
            ("url: postgres://me:p/w@x@host/db?a=b", "url: postgres://me:***@host/db?a=b"),
            ("url: http://127.0.0.1:9001/a@b", "url: http://127.0.0.1:9001/a@b"),
            ("url: http://127.0.0.1:9001", "url: http://127.0.0.1:9001"),
        ] {
            assert_eq!(shown(source), want, "{source}");
        }
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let line = &lines(&format!("{}X{}", "a".repeat(1_000), "b".repeat(1_000)))[0];
        let (shown, indent) = line.window(1_001);
        assert_eq!(shown.chars().count(), WINDOW + 2);
        assert_eq!(shown.chars().nth(indent.chars().count()), Some('X'));
        assert_eq!(line.window(1).1, "");
        let (shown, indent) = line.window(2_001);
        assert!(shown.starts_with('…') && shown.ends_with('b'));
        assert_eq!(indent.chars().count(), shown.chars().count() - 1);
    }

    #[test]
    fn the_caret_keeps_its_place() {
        let line = &lines("jwt: { secret: hunter2-hunter2, oops: 1 }")[0];
        assert_eq!(line.shown, "jwt: { secret: ***, oops: 1 }");
        assert_eq!(line.indent_to(33).len(), line.shown.find("oops").unwrap());
        assert_eq!(line.indent_to(16).len(), 15);
        assert_eq!(line.indent_to(20).len(), 15);
        assert_eq!(line.indent_to(8).len(), 7);
    }
}
