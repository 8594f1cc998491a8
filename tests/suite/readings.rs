//! How backends of all kinds may read a request: plain parsers and lenient ones, independent of the gateway's own.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Undoes percent-encoding once; what is no escape stays.
pub(super) fn percent_decode(text: &[u8], plus: bool) -> Vec<u8> {
    let hex = |at: usize| text.get(at).and_then(|&b| char::from(b).to_digit(16));
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', _, _) if plus => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Name and value pairs of a query, decoded.
fn pairs(query: &str, separators: &[char]) -> Vec<(String, String)> {
    let text = |part: &str| String::from_utf8_lossy(&percent_decode(part.as_bytes(), true)).into_owned();
    query
        .split(separators)
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// Whether a sloppy backend takes this name for `projectId`.
fn sloppily_project(name: &str) -> bool {
    let name = name.split('\0').next().unwrap_or_default();
    let name = name.split('[').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case("projectId")
}

fn exactly_project(name: &str) -> bool {
    name == "projectId"
}

/// Members of JSON objects are matched in any case by some decoders, and never trimmed.
fn project_in_any_case(name: &str) -> bool {
    name.eq_ignore_ascii_case("projectId")
}

/// Every value of the project that some backend could take from pairs: first or last, exact or sloppy names.
fn candidates(pairs: &[(String, String)], sloppily: fn(&str) -> bool) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for named in [exactly_project as fn(&str) -> bool, sloppily] {
        let mut values = pairs.iter().filter(|(name, _)| named(name)).map(|(_, value)| value.clone());
        let first = values.next();
        found.push(values.next_back().or_else(|| first.clone()));
        found.push(first);
    }
    found
}

/// What backends may take for the project of a query.
pub(super) fn of_query(query: &str) -> Vec<Option<String>> {
    let mut found = candidates(&pairs(query, &['&']), sloppily_project);
    found.extend(candidates(&pairs(query, &['&', ';']), sloppily_project));
    found
}

/// The members of the top object, duplicates kept.
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// What backends may take for the project of a JSON body: first or last member, names of any case.
pub(super) fn of_json(body: &[u8]) -> Vec<Option<String>> {
    let Ok(Members(members)) = serde_json::from_slice(body) else { return vec![None] };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        // A backend that loosens types would take this; nothing the edge lets through may look so.
        other => format!("not a string: {other}"),
    };
    let members: Vec<_> = members.into_iter().map(|(name, value)| (name, text(value))).collect();
    candidates(&members, project_in_any_case)
}

/// What backends may take for the project of a multipart body. Each way of reading is one combination of habits.
pub(super) fn of_multipart(content_type: &str, body: &[u8]) -> Vec<Option<String>> {
    let Some(boundary) = boundary(content_type) else { return vec![None] };
    let mut found = Vec::new();
    for lenient_lines in [false, true] {
        for whole in [false, true] {
            let parts = parts(body, &boundary, lenient_lines, whole);
            let fields: Vec<_> = parts.iter().filter_map(|part| field(part, lenient_lines)).collect();
            found.extend(candidates(&fields, sloppily_project));
        }
    }
    found
}

fn boundary(content_type: &str) -> Option<String> {
    let at = content_type.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let rest = &content_type[at..];
    Some(match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?.to_owned(),
        None => rest.split(';').next()?.trim().to_owned(),
    })
}

/// The parts between delimiter lines. `whole` reads on after the closing delimiter, as some scanners do.
fn parts(body: &[u8], boundary: &str, lenient_lines: bool, whole: bool) -> Vec<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let text = if lenient_lines { text.replace("\r\n", "\n") } else { text };
    let line_end = if lenient_lines { "\n" } else { "\r\n" };
    let delimiter = format!("--{boundary}");
    let (mut parts, mut current): (Vec<String>, Option<Vec<&str>>) = (Vec::new(), None);
    for line in text.split(line_end) {
        let bare = line.trim_end_matches([' ', '\t']);
        let closes = bare == format!("{delimiter}--");
        if bare == delimiter || closes {
            parts.extend(current.take().map(|lines| lines.join(line_end)));
            if closes && !whole {
                break;
            }
            current = (!closes).then(Vec::new);
        } else if let Some(lines) = &mut current {
            lines.push(line);
        }
    }
    parts
}

/// A part's field name and value.
fn field(part: &str, lenient_lines: bool) -> Option<(String, String)> {
    let blank = if lenient_lines { "\n\n" } else { "\r\n\r\n" };
    let (head, value) = part.split_once(blank)?;
    let head = head.replace("\r\n ", " ").replace("\n ", " ").replace("\r\n\t", " ").replace("\n\t", " ");
    let lower = head.to_ascii_lowercase();
    let start = lower.find("content-disposition")?;
    let line = head[start..].lines().next()?;
    let encoded = lower.contains("base64") || lower.contains("quoted-printable");
    let value = if encoded { format!("decoded from {value}") } else { value.to_owned() };
    Some((disposition_name(line)?, value))
}

/// The parameters of a field's value; semicolons in quotes separate nothing.
fn parameters(line: &str) -> Vec<(String, String)> {
    let (mut quoted, mut escaped, mut list) = (false, false, vec![String::new()]);
    for c in line.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ';' if !quoted => {
                list.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        list.last_mut().expect("it is never empty").push(c);
    }
    let pairs = list.iter().skip(1).filter_map(|text| text.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// `name*=` wins over `name=`, as RFC 6266 has it for file names and many libraries for this.
fn disposition_name(line: &str) -> Option<String> {
    let parameters = parameters(line);
    let find =
        |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if let Some(extended) = find("name*") {
        let value = extended.rsplit('\'').next()?;
        return Some(String::from_utf8_lossy(&percent_decode(value.as_bytes(), false)).into_owned());
    }
    Some(find("name")?.trim_matches(['"', '\'']).replace('\\', ""))
}

/// The path as a careless backend resolves it: decoded, what was encoded twice of dots and slashes too, backslashes
/// turned, dots resolved, cut at a NUL.
pub(super) fn sloppy_path(target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut path = String::from_utf8_lossy(&percent_decode(path.as_bytes(), false)).into_owned();
    for (code, sign) in
        [("%2e", "."), ("%2E", "."), ("%2f", "/"), ("%2F", "/"), ("%5c", "/"), ("%5C", "/"), ("\\", "/")]
    {
        path = path.replace(code, sign);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment.split('\0').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

#[test]
fn lenient_readers_see_what_strict_ones_miss() {
    assert!(of_query("projectId=a&projectid=b").contains(&Some("b".into())));
    assert!(of_query("x=1;projectId=b").contains(&Some("b".into())));
    assert!(of_query("%70rojectId[]=b").contains(&Some("b".into())));
    assert!(of_json(br#"{"projectId":"a","\u0070rojectId":"b"}"#).contains(&Some("b".into())));
    let body = b"--B\nContent-Disposition: form-data; name*=UTF-8''project%49d\n\nb\n--B--\n";
    assert!(of_multipart("multipart/form-data; boundary=B", body).contains(&Some("b".into())));
    let quoted = b"--B\r\nContent-Disposition: form-data; filename=\"; name=projectId\"; name=\"x\"\r\n\r\nb\r\n--B--\r\n";
    assert!(!of_multipart("multipart/form-data; boundary=B", quoted).contains(&Some("b".into())));
    assert_eq!(sloppy_path("/v1/%252e%252e/x\\.//%7a?q"), "/x/z");
}
