//! `projectId` in the query: found in every spelling that some server would take for it, and left in one.

use super::path::{escape_at, push_escape, unescaped};
use super::scan;
use std::borrow::Cow;

const NAME: &str = "projectId";

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadQuery {
    /// A `%` that no two hexadecimal digits follow.
    Escape,
    /// `projectId` more than once with different values, bracketed, or in a spelling that servers read differently.
    NotSingle,
}

/// What a query says of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectQuery<'a> {
    /// The project named; `None` when absent or empty.
    pub project: Option<Cow<'a, str>>,
    /// It stands there once, spelled plainly (or not at all): the query can be forwarded as it is.
    pub canonical: bool,
}

/// Reads a query (without its `?`).
///
/// # Errors
/// [`BadQuery`]
pub fn read(query: &str) -> Result<ProjectQuery<'_>, BadQuery> {
    if let Some(read) = read_plain(query) {
        return Ok(read);
    }
    let escaped = query.as_bytes().contains(&b'%');
    if escaped && !escapes_are_whole(query.as_bytes()) {
        return Err(BadQuery::Escape);
    }
    let mut found: Option<Cow<'_, str>> = None;
    let mut count = 0;
    let mut canonical = true;
    for pair in query.split('&') {
        let Some(value) = value_of(pair, NAME)? else { continue };
        count += 1;
        let plain =
            pair.starts_with("projectId=") && value.bytes().all(is_plain) && !pair.contains(['%', '+']);
        canonical &= plain || is_canonical(pair, &value);
        if value.is_empty() {
            canonical = false;
            continue;
        }
        if found.as_ref().is_some_and(|first| *first != value) {
            return Err(BadQuery::NotSingle);
        }
        found.get_or_insert(value);
    }
    Ok(ProjectQuery { project: found, canonical: canonical && count <= 1 })
}

/// The way of most queries: plain characters only, and `projectId` at most once and spelled so. `None` for whatever
/// needs a closer look.
fn read_plain(query: &str) -> Option<ProjectQuery<'_>> {
    // Characters that mean themselves to every server, and the two that part pairs.
    if scan::any(query.as_bytes(), |byte| !(is_plain(byte) | (byte == b'=') | (byte == b'&'))) {
        return None;
    }
    let (mut start, mut project) = (0, None);
    for end in memchr::memchr_iter(b'&', query.as_bytes()).chain([query.len()]) {
        let pair = &query[start..end];
        start = end + 1;
        if let Some(value) = pair.strip_prefix("projectId=") {
            if value.is_empty() || value.contains('=') || project.is_some() {
                return None;
            }
            project = Some(Cow::Borrowed(value));
        } else if pair.starts_with('=')
            || pair.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        {
            return None;
        }
    }
    Some(ProjectQuery { project, canonical: true })
}

/// The query with `projectId` in it exactly once (`Some`) or not at all (`None`), the other pairs untouched.
pub fn with_project(query: Option<&str>, project: Option<&str>) -> String {
    let query = query.unwrap_or_default();
    // Room for all of it at once, unless the project has to be escaped.
    let mut out = String::with_capacity(query.len() + NAME.len() + 2 + project.map_or(0, str::len));
    let mut left = project;
    for pair in query.split('&') {
        if !matches!(value_of(pair, NAME), Ok(None)) {
            left.take().inspect(|project| push_project(&mut out, project));
        } else if !pair.is_empty() {
            part(&mut out);
            out.push_str(pair);
        }
    }
    left.inspect(|project| push_project(&mut out, project));
    out
}

fn push_project(out: &mut String, project: &str) {
    part(out);
    out.push_str(NAME);
    out.push('=');
    push_escaped(out, project);
}

/// Parts what comes from what is there.
fn part(out: &mut String) {
    if !out.is_empty() {
        out.push('&');
    }
}

/// The value of a parameter that decides where a request goes; none where it is not there. Refused are the same
/// spellings as those of `projectId`: whatever some server would take for the parameter and others not.
///
/// # Errors
/// [`BadQuery`]
pub fn parameter<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, BadQuery> {
    let mut found: Option<Cow<'_, str>> = None;
    if query.as_bytes().contains(&b'%') && !escapes_are_whole(query.as_bytes()) {
        return Err(BadQuery::Escape);
    }
    for pair in query.split('&') {
        let Some(value) = value_of(pair, name)? else { continue };
        if found.as_ref().is_some_and(|first| *first != value) {
            return Err(BadQuery::NotSingle);
        }
        found.get_or_insert(value);
    }
    Ok(found)
}

/// The value, where a pair's name is this one; refuses names that only some servers take for it.
fn value_of<'q>(pair: &'q str, wanted: &str) -> Result<Option<Cow<'q, str>>, BadQuery> {
    let plainly = pair.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('='));
    if let Some(value) = plainly.filter(|_| wanted.bytes().all(is_plain)) {
        return value_text(value, wanted).map(Some);
    }
    if !may_be_named(pair, wanted) {
        return Ok(None);
    }
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = decode(name);
    if *name == *wanted.as_bytes() {
        return value_text(value, wanted).map(Some);
    }
    // Servers that trim, cut at NUL, fold case, read brackets, or split at `;` too, would see it here.
    if looks_like(&name, wanted) || pair.split(';').any(|piece| looks_like(&decode(piece), wanted)) {
        return Err(BadQuery::NotSingle);
    }
    Ok(None)
}

/// A cheap sieve: only a pair with the name's first character or an escape, and as many more, can be meant.
fn may_be_named(pair: &str, name: &str) -> bool {
    let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
    pair.len() >= name.len()
        && pair.bytes().any(|b| matches!(b, b'%' | b'+') || Some(b.to_ascii_lowercase()) == first)
}

/// Whether a name is one that some server would take for `projectId`.
pub(super) fn resembles(name: &[u8]) -> bool {
    looks_like(name, NAME)
}

fn looks_like(name: &[u8], wanted: &str) -> bool {
    let skip = |b: &u8| !b.is_ascii_whitespace() && !b.is_ascii_control();
    let is_cut = |&b: &u8| matches!(b, b'=' | b'[' | b']' | 0);
    // `[projectId]` is `projectId` to some: brackets around nothing are passed over.
    let mut pieces = name.split(is_cut).map(|piece| {
        let start = piece.iter().position(skip).unwrap_or(piece.len());
        let end = piece.iter().rposition(skip).map_or(start, |at| at + 1);
        &piece[start..end]
    });
    pieces.find(|piece| !piece.is_empty()).is_some_and(|first| first.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn value_text<'q>(value: &'q str, name: &str) -> Result<Cow<'q, str>, BadQuery> {
    if value.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(value));
    }
    let decoded = decode(value);
    // A second pair behind `;`, or a control character, is one value here and another one elsewhere.
    if decoded.iter().any(|b| b.is_ascii_control())
        || value.split(';').skip(1).any(|rest| looks_like(&decode(rest), name))
    {
        return Err(BadQuery::NotSingle);
    }
    String::from_utf8(decoded.into_owned()).map(Cow::Owned).map_err(|_| BadQuery::NotSingle)
}

/// `application/x-www-form-urlencoded`: escapes and `+` (WHATWG URL, 5.1).
fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(unescaped(text.replace('+', " ").as_bytes()))
}

fn escapes_are_whole(query: &[u8]) -> bool {
    query.iter().enumerate().all(|(at, &byte)| byte != b'%' || escape_at(query, at).is_some())
}

/// A character that no server reads as anything else in a value.
fn is_plain(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter | digit | (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~')
}

fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_plain(byte) { out.push(char::from(byte)) } else { push_escape(out, byte) }
    }
}

fn is_canonical(pair: &str, value: &str) -> bool {
    let mut escaped = String::with_capacity(value.len());
    push_escaped(&mut escaped, value);
    pair.strip_prefix("projectId=").is_some_and(|raw| raw == escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(query: &str) -> Result<Option<String>, BadQuery> {
        read(query).map(|read| read.project.map(Cow::into_owned))
    }

    #[test]
    fn every_spelling_of_the_name_is_found() {
        for query in [
            "projectId=A",
            "%70rojectId=A",
            "a=1&projectId=A&b",
            "%70%72ojectId=%41",
            "projectId=A&projectId=A",
        ] {
            assert_eq!(project(query), Ok(Some("A".into())), "{query}");
        }
        assert_eq!(project("a=1&projectIds=B&xprojectId=C"), Ok(None));
        assert_eq!(project("next=%2Fx%3Fa%3D1%26projectId%3DB"), Ok(None));
        assert_eq!(project("projectId="), Ok(None));
        assert_eq!(project("projectId"), Ok(None));
        assert_eq!(project("projectId=a+b%20c"), Ok(Some("a b c".into())));
    }

    #[test]
    fn spellings_that_servers_disagree_about_are_refused() {
        for query in [
            "projectId=A&projectId=B",
            "projectId[]=A",
            "projectId%5B%24ne%5D=A",
            "[projectId]=A",
            "%5B%20projectId%5D=A",
            "[][projectId]=A",
            "projectid=A",
            "PROJECTID=A",
            "projectId%00=A",
            "%20projectId=A",
            "+projectId=A",
            "a=1;projectId=B",
            "projectId=A;projectId=B",
            "=projectId=B",
            "projectId=A&=projectId=B",
            "projectId=A%00",
            "projectId=%ff",
        ] {
            assert_eq!(project(query), Err(BadQuery::NotSingle), "{query}");
        }
        for query in ["a=%", "a=%2", "projectId=%zz"] {
            assert_eq!(project(query), Err(BadQuery::Escape), "{query}");
        }
    }

    #[test]
    fn any_parameter_is_read_as_strictly() {
        let version = |query| parameter(query, "version").map(|value| value.map(Cow::into_owned));
        for query in ["version=2", "a=1&version=2&b", "%76ersion=2", "version=%32", "version=2&version=2"] {
            assert_eq!(version(query), Ok(Some("2".into())), "{query}");
        }
        for query in ["", "versions=2", "xversion=2", "a=version", "api.version=2"] {
            assert_eq!(version(query), Ok(None), "{query}");
        }
        assert_eq!(version("version"), Ok(Some(String::new())));
        for query in [
            "version=1&version=2",
            "Version=2",
            "version[]=2",
            "version%5B%5D=2",
            "+version=2",
            "a=1;version=2",
            "version=1;version=2",
            "version%00=2",
            "version=%00",
            "version=%ff",
            "VERSION",
        ] {
            assert_eq!(version(query), Err(BadQuery::NotSingle), "{query}");
        }
        assert_eq!(version("version=%2"), Err(BadQuery::Escape));
    }

    #[test]
    fn what_is_not_plain_is_rewritten_and_then_reads_the_same() {
        for query in ["%70rojectId=A", "projectId=A&projectId=A", "a=1&projectId=a+b&c=%2B", "projectId="] {
            let seen = read(query).unwrap();
            assert!(!seen.canonical, "{query}");
            let again = with_project(Some(query), seen.project.as_deref());
            let reread = read(&again).unwrap();
            assert_eq!(reread.project, seen.project, "{query} → {again}");
            assert!(reread.canonical, "{query} → {again}");
        }
        assert_eq!(with_project(Some("a=1&projectId=a+b&c=%2B"), Some("a b")), "a=1&projectId=a%20b&c=%2B");
        assert_eq!(with_project(None, Some("A")), "projectId=A");
        assert_eq!(with_project(Some("a=1"), Some("A")), "a=1&projectId=A");
        assert!(read("a=1&projectId=A&b=%41").unwrap().canonical);
    }
}
