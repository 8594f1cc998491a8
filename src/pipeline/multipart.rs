//! `projectId` in a `multipart/form-data` body (RFC 7578), read as strictly as servers differ.
//!
//! The parser sees the body piece by piece and keeps only what it needs. The boundary may stand nowhere but in a
//! proper delimiter line, so that a server that is laxer about line ends finds no part that was not seen here.

use super::query::resembles;
use bytes::{Buf, BytesMut};

/// Most bytes of one part's header fields.
const HEAD_MOST: usize = 16 * 1024;
/// Most bytes of a `projectId` value.
const VALUE_MOST: usize = 1024;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// `projectId` twice with different values, as a file, or disguised.
    NotSingle,
    /// The body is not what RFC 7578 describes, and how.
    Malformed(&'static str),
}

/// Whether a content type is `multipart/form-data`.
pub(super) fn is_form_data(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// The boundary of a `multipart/form-data` content type; `None` for another type, for a boundary that RFC 2046 forbids,
/// and for what parsers read differently: any parameter that is not `boundary` or `charset` (`boundary*`, `xboundary`),
/// and separators outside quotes.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    if !is_form_data(content_type) {
        return None;
    }
    let (_, parameters) = content_type.split_once(';')?;
    let mut found = None;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            continue;
        }
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let marks: &[u8] = if quoted.is_some() { b"'()+_,-./:=? " } else { b"'+_-." };
        let value = quoted.unwrap_or(value);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || marks.contains(&b);
        let valid = (1..=70).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ');
        if !name.eq_ignore_ascii_case("boundary") || !valid || found.is_some() {
            return None;
        }
        found = Some(value.to_owned());
    }
    found
}

/// A body being read.
#[derive(Debug)]
pub(super) struct Multipart {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// What was seen of the present line, head or value and has to be kept.
    held: BytesMut,
    /// The last two bytes before the present position.
    before: [u8; 2],
    project: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter: nothing but it may come.
    Start,
    /// Behind a delimiter: its line's end, or `--`.
    Delimited,
    /// In a part's header fields.
    Head,
    /// In a part's content; `true` when it is `projectId`'s.
    Content(bool),
    /// Behind the closing delimiter.
    End,
}

impl Multipart {
    /// A parser for this boundary.
    pub(super) fn new(boundary: &str) -> Self {
        let delimiter = [b"--", boundary.as_bytes()].concat();
        Self { delimiter, state: State::Start, held: BytesMut::new(), before: [0; 2], project: None }
    }

    /// Looks at the next piece of the body.
    ///
    /// # Errors
    /// [`Bad`]; the parser is of no use then.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Bad> {
        self.held.extend_from_slice(piece);
        loop {
            let progress = match self.state {
                State::Start => self.start()?,
                State::Delimited => self.delimited()?,
                State::Head => self.head()?,
                State::Content(project) => self.content(project)?,
                State::End => self.end()?,
            };
            if !progress {
                return Ok(());
            }
        }
    }

    /// The project that the body named; `None` when none, or an empty one.
    ///
    /// # Errors
    /// [`Bad`] when the body ended too early, or the value is no text.
    pub(super) fn finish(self) -> Result<Option<String>, Bad> {
        if self.state != State::End || !matches!(&*self.held, b"" | b"\r\n") {
            return Err(Bad::Malformed("The multipart body does not end with its closing boundary."));
        }
        let Some(project) = self.project else { return Ok(None) };
        let text = String::from_utf8(project).map_err(|_| Bad::NotSingle)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn start(&mut self) -> Result<bool, Bad> {
        let length = self.delimiter.len().min(self.held.len());
        if self.held[..length] != self.delimiter[..length] {
            return Err(Bad::Malformed("The multipart body does not begin with its boundary."));
        }
        Ok(length == self.delimiter.len() && self.consume(length, State::Delimited))
    }

    fn delimited(&mut self) -> Result<bool, Bad> {
        match self.held.get(..2) {
            None => Ok(false),
            Some(b"\r\n") => Ok(self.consume(2, State::Head)),
            Some(b"--") => Ok(self.consume(2, State::End)),
            Some(_) => {
                Err(Bad::Malformed("The multipart boundary is followed by something else than a line end."))
            }
        }
    }

    fn head(&mut self) -> Result<bool, Bad> {
        // The bound is the same however the body is cut: a whole head that is too long is not taken either.
        let Some(end) = find(&self.held, b"\r\n\r\n").filter(|end| *end <= HEAD_MOST) else {
            let long = self.held.len() > HEAD_MOST + 3;
            return if long {
                Err(Bad::Malformed("A part of the multipart body has too long a head."))
            } else {
                Ok(false)
            };
        };
        let is_project = names_project(&self.held[..end])?;
        Ok(self.consume(end + 4, State::Content(is_project)))
    }

    fn content(&mut self, is_project: bool) -> Result<bool, Bad> {
        let Some(at) = find(&self.held, &self.delimiter) else {
            // Keep what could be the beginning of a delimiter, and the line end before it.
            let keep = self.delimiter.len() + 1;
            if is_project && self.held.len() > VALUE_MOST + keep {
                return Err(Bad::NotSingle);
            }
            if !is_project && self.held.len() > keep {
                self.forget(self.held.len() - keep);
            }
            return Ok(false);
        };
        if !self.line_end_before(at) {
            return Err(Bad::Malformed("The multipart boundary stands inside a part's content."));
        }
        if is_project {
            let value = self.held[..at.saturating_sub(2)].to_vec();
            if value.len() > VALUE_MOST || self.project.as_ref().is_some_and(|first| *first != value) {
                return Err(Bad::NotSingle);
            }
            self.project = Some(value);
        }
        Ok(self.consume(at + self.delimiter.len(), State::Delimited))
    }

    fn end(&mut self) -> Result<bool, Bad> {
        if b"\r\n".starts_with(&self.held) {
            return Ok(false);
        }
        Err(Bad::Malformed("Something follows the closing boundary of the multipart body."))
    }

    /// Whether the two bytes before `at` are CRLF; they may have been forgotten, or be the head's own.
    fn line_end_before(&self, at: usize) -> bool {
        let byte = |back: usize| match at.checked_sub(back) {
            Some(index) => self.held[index],
            None => self.before[2 - (back - at)],
        };
        byte(2) == b'\r' && byte(1) == b'\n'
    }

    fn consume(&mut self, length: usize, next: State) -> bool {
        self.forget(length);
        self.state = next;
        true
    }

    fn forget(&mut self, length: usize) {
        match length {
            0 => {}
            1 => self.before = [self.before[1], self.held[0]],
            _ => self.before = [self.held[length - 2], self.held[length - 1]],
        }
        self.held.advance(length);
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

const BAD_HEAD: Bad = Bad::Malformed("A part of the multipart body has a malformed Content-Disposition.");

/// Whether a part's head says that it is `projectId`.
fn names_project(head: &[u8]) -> Result<bool, Bad> {
    let head = std::str::from_utf8(head).map_err(|_| BAD_HEAD)?;
    let (mut disposition, mut encoded) = (None, false);
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(BAD_HEAD)?;
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_graphic())
            || value.contains(['\r', '\n', '\0'])
        {
            return Err(BAD_HEAD);
        }
        if name.eq_ignore_ascii_case("content-disposition") && disposition.replace(value).is_some() {
            return Err(BAD_HEAD);
        }
        let plain = ["7bit", "8bit", "binary"].iter().any(|plain| value.trim().eq_ignore_ascii_case(plain));
        encoded |= name.eq_ignore_ascii_case("content-transfer-encoding") && !plain;
    }
    let Disposition { name, is_file } = disposition_of(disposition.ok_or(BAD_HEAD)?)?;
    if name == "projectId" {
        return if is_file || encoded { Err(Bad::NotSingle) } else { Ok(true) };
    }
    // `=?` begins an encoded word (RFC 2047), which some servers decode in names.
    if name.contains("=?")
        || resembles(name.as_bytes())
        || resembles(&super::path::unescaped(name.as_bytes()))
    {
        return Err(Bad::NotSingle);
    }
    Ok(false)
}

struct Disposition {
    name: String,
    is_file: bool,
}

/// `form-data; name="…"; filename="…"`, `name` first, with at most one of each and nothing else: servers that search
/// for `name=` or know RFC 2231 (`name*0=`) would find another name in more.
fn disposition_of(value: &str) -> Result<Disposition, Bad> {
    let (kind, mut rest) = value.split_once(';').ok_or(BAD_HEAD)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(BAD_HEAD);
    }
    let (mut name, mut is_file) = (None, false);
    while !rest.trim().is_empty() {
        let (parameter, after) = rest.split_once('=').ok_or(BAD_HEAD)?;
        let (value, behind) = parameter_value(after)?;
        match parameter.trim().to_ascii_lowercase().as_str() {
            "name" if name.replace(value.to_owned()).is_some() => return Err(BAD_HEAD),
            "name" => {}
            "filename" | "filename*" if name.is_some() => is_file = true,
            _ => return Err(BAD_HEAD),
        }
        rest = behind;
    }
    Ok(Disposition { name: name.ok_or(BAD_HEAD)?, is_file })
}

/// A quoted string or a token, and what follows its `;`.
fn parameter_value(text: &str) -> Result<(&str, &str), Bad> {
    let text = text.trim_start();
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.find('"').ok_or(BAD_HEAD)?;
            (&quoted[..end], &quoted[end + 1..])
        }
        None => {
            let end = text.find(';').unwrap_or(text.len());
            (text[..end].trim_end(), &text[end..])
        }
    };
    // Servers differ about what a backslash does, and about quotes of either kind.
    if value.contains(['\\', '"', '\'']) {
        return Err(BAD_HEAD);
    }
    let rest = rest.trim_start();
    match rest.strip_prefix(';') {
        Some(rest) => Ok((value, rest)),
        None if rest.is_empty() => Ok((value, "")),
        None => Err(BAD_HEAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome must not depend on how the body is cut into pieces.
    fn project(body: &str) -> Result<Option<String>, Bad> {
        let whole = cut(body, body.len().max(1));
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(cut(body, size), whole, "pieces of {size}");
        }
        whole
    }

    fn cut(body: &str, size: usize) -> Result<Option<String>, Bad> {
        let mut parser = Multipart::new("XyZ");
        for piece in body.as_bytes().chunks(size) {
            parser.feed(piece)?;
        }
        parser.finish()
    }

    const FILE: &str = "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--\r\n-XyZ\n\r\n";

    fn part(disposition: &str, value: &str) -> String {
        format!("--XyZ\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn the_field_is_found_wherever_it_stands() {
        let field = part("form-data; name=\"projectId\"", "A");
        for body in [
            format!("{field}--XyZ--\r\n"),
            format!("{FILE}{field}--XyZ--"),
            format!("{field}{FILE}{field}--XyZ--\r\n"),
            format!("{}--XyZ--", part("form-data; name=projectId", "A")),
        ] {
            assert_eq!(project(&body), Ok(Some("A".into())), "{body}");
        }
        assert_eq!(project(&format!("{FILE}--XyZ--")), Ok(None));
        assert_eq!(project(&format!("{}--XyZ--", part("form-data; name=\"projectId\"", ""))), Ok(None));
    }

    #[test]
    fn two_projects_or_disguises_are_refused() {
        let field = part("form-data; name=\"projectId\"", "A");
        for body in [
            format!("{field}{}--XyZ--", part("form-data; name=\"projectId\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"projectid\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"projectId[]\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"%70rojectId\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"[projectId]\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"=?utf-8?B?cHJvamVjdElk?=\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"projectId\"; filename=\"x\"", "B")),
            format!(
                "{}--XyZ--",
                part("form-data; name=\"projectId\"\r\nContent-Transfer-Encoding: base64", "Qg==")
            ),
            format!("{}--XyZ--", part("form-data; name=\"projectId\"", &"x".repeat(2000))),
        ] {
            assert_eq!(project(&body), Err(Bad::NotSingle), "{body}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        let field = part("form-data; name=\"projectId\"", "A");
        let b = "Content-Disposition: form-data; name=\"projectId\"\r\n\r\nB\r\n";
        for body in [
            String::new(),
            field.clone(),
            format!("preamble\r\n{field}--XyZ--"),
            format!("\r\n{field}--XyZ--"),
            format!("{field}--XyZ--\r\n--XyZ\r\n{b}--XyZ--"),
            format!("{field}--XyZ \r\n{b}--XyZ--"),
            format!("{}\n--XyZ\r\n{b}--XyZ--", part("form-data; name=\"x\"", "1")),
            format!("{}--XyZ--", part("form-data; name=\"x\"; name=\"projectId\"", "B")),
            format!("{}--XyZ--", part("form-data; name*=utf-8''projectId", "B")),
            format!("{}--XyZ--", part("form-data; name=\"x\"; name*0=\"project\"; name*1=\"Id\"", "B")),
            format!("{}--XyZ--", part("form-data; x-name=\"projectId\"; name=\"x\"", "B")),
            format!("{}--XyZ--", part("form-data; filename=\" name=projectId\"; name=\"x\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"project\\Id\"", "B")),
            format!("{}--XyZ--", part("form-data; name=\"x\"\r\n name=\"projectId\"", "B")),
            format!(
                "{}--XyZ--",
                part("form-data; name=\"x\"\nContent-Disposition: form-data; name=\"projectId\"", "B")
            ),
            format!("{}--XyZ--", part("attachment; name=\"projectId\"", "B")),
            "--XyZ\r\nContent-Type: text/plain\r\n\r\nB\r\n--XyZ--".into(),
        ] {
            assert!(matches!(project(&body), Err(Bad::Malformed(_))), "{body:?}: {:?}", project(&body));
        }
    }

    #[test]
    fn boundaries_are_those_of_rfc_2046() {
        assert_eq!(boundary("multipart/form-data; boundary=XyZ"), Some("XyZ".into()));
        assert_eq!(boundary("Multipart/Form-Data; Boundary=\"a b\""), Some("a b".into()));
        assert_eq!(boundary("multipart/form-data; charset=UTF-8; boundary=\"a,b\""), Some("a,b".into()));
        for no in [
            "multipart/form-data",
            "multipart/mixed; boundary=a",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=a\"b",
            "multipart/form-data; boundary=a; boundary*=utf-8''b",
            "multipart/form-data; boundary=a; boundary*0=b",
            "multipart/form-data; xboundary=b; boundary=a",
            "multipart/form-data; boundary=a; charset=utf-16",
            "multipart/form-data; boundary=a,b",
            "multipart/form-data; boundary=a=b",
        ] {
            assert_eq!(boundary(no), None, "{no}");
        }
    }
}
