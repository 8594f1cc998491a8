//! `projectId` in a multipart body: found the same however the body is cut, and nothing else by a reader that is as lax
//! as any. An input is a content type, a line end, a byte that says how to cut, and the body.

use super::{pieces, text, unescaped};
use portcullis::pipeline::fuzzing::{boundary, project_in_parts};

pub(crate) fn check(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let Some(content_type) = text(&data[..end]) else { return };
    let Some(boundary) = boundary(content_type) else { return };
    assert!(content_type.contains(&boundary) && (1..=70).contains(&boundary.len()), "{boundary:?}");
    let Some((&cut, body)) = data.get(end + 1..).and_then(<[u8]>::split_first) else { return };
    let read = |cut| project_in_parts(&boundary, pieces(cut, body));
    let whole = read(1);
    for cut in [0, cut] {
        match (&whole, read(cut)) {
            (Ok(one), Ok(other)) => assert_eq!(*one, other, "cut by {cut}"),
            (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "cut by {cut}: {one:?}, {other:?}"),
        }
    }
    let Ok(project) = whole else { return };
    let values = lax(&boundary, body);
    assert!(project.is_none() || !values.is_empty(), "nobody named {project:?}");
    for value in values {
        assert_eq!(String::from_utf8_lossy(&value), project.as_deref().unwrap_or_default());
    }
}

/// Every value that some server would take for the project's: parts begin wherever the delimiter stands, heads end at
/// the first empty line of any kind, names are looked for anywhere in them.
fn lax(boundary: &str, body: &[u8]) -> Vec<Vec<u8>> {
    let delimiter = format!("--{boundary}");
    let mut values = Vec::new();
    for part in split(body, delimiter.as_bytes()).into_iter().skip(1) {
        let ends = [&b"\r\n\r\n"[..], b"\n\n", b"\r\r"];
        let head = ends.iter().filter_map(|end| Some((find(part, end)?, end.len()))).min();
        let Some((at, length)) = head else { continue };
        if names_project(&part[..at]) {
            let value = &part[at + length..];
            values.push(value.strip_suffix(b"\r\n").unwrap_or(value).to_vec());
        }
    }
    values
}

/// Whether a head has a parameter `name` that is `projectId` to somebody: the first that a search for `name=` finds.
fn names_project(head: &[u8]) -> bool {
    let wanted = b"projectid";
    head.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| {
        let line = unescaped(line).to_ascii_lowercase();
        let Some(at) = find(&line, b"name=").filter(|_| line.starts_with(b"content-disposition")) else {
            return false;
        };
        let after = &line[at + 5..];
        let start = after.iter().position(|byte| !b" \t\"'[".contains(byte)).unwrap_or(after.len());
        let rest = &after[start..];
        let ends = rest.get(wanted.len()).is_none_or(|byte| b" \t\"'[];\0".contains(byte));
        rest.starts_with(wanted) && ends
    })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn split<'t>(mut text: &'t [u8], at: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    while let Some(found) = find(text, at) {
        parts.push(&text[..found]);
        text = &text[found + at.len()..];
    }
    parts.push(text);
    parts
}
