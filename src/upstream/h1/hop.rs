//! What the head of an answer says to this hop alone, and which of its fields go on.

use super::super::head::Displaced;
use crate::wire::{self, Error, Lines};
use http::header::{HeaderName, HeaderValue};
use httparse::Header;
use std::ops::Range;

/// What a head says to this hop alone.
#[derive(Debug, Default)]
pub(super) struct Hop<'q> {
    /// The protocol that was asked for.
    pub(super) wanted: Option<&'q HeaderValue>,
    /// It is named.
    pub(super) agreed: bool,
    /// Whether the body is chunked; the only coding that is understood.
    pub(super) chunked: bool,
    /// Bytes of the body, as far as the head says.
    pub(super) length: Option<u64>,
    /// The connection closes after this answer.
    pub(super) closes: bool,
    /// Fields that `Connection` lists besides.
    pub(super) listed: Vec<HeaderName>,
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Passes,
    /// It goes on, and is the `Date`.
    Dates,
    /// It says how long the body is.
    Measures,
    /// It announces trailers, so that more than its line has to be looked at.
    Announces,
    /// It ends here (RFC 9110, 7.6.1).
    Ends,
}

/// Whether two texts are the same but for case. The usual spelling is told by a few words at once.
fn is<const N: usize>(text: &[u8], usual: &[u8; N]) -> bool {
    *text == usual[..] || text.eq_ignore_ascii_case(usual)
}

impl Hop<'_> {
    /// Reads what of a field is for this hop. The name may be in any case.
    pub(super) fn look(&mut self, name: &[u8], value: &[u8]) -> Result<Fate, Error> {
        // By their lengths first: most fields are none of these.
        match name.len() {
            4 if is(name, b"Date") => Ok(Fate::Dates),
            7 if is(name, b"Trailer") => Ok(Fate::Announces),
            7 if is(name, b"Upgrade") => {
                let wanted = self.wanted.map(HeaderValue::as_bytes);
                self.agreed |= wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(value));
                Ok(Fate::Ends)
            }
            10 if is(name, b"Connection") => {
                self.options(value);
                Ok(Fate::Ends)
            }
            10 if is(name, b"Keep-Alive") => Ok(Fate::Ends),
            14 if is(name, b"Content-Length") => {
                self.length = Some(wire::length(self.length, value)?);
                Ok(Fate::Measures)
            }
            16 if is(name, b"Proxy-Connection") => Ok(Fate::Ends),
            17 if is(name, b"Transfer-Encoding") => {
                if self.chunked || !is(value, b"chunked") {
                    return Err(Error::Malformed("its transfer coding is not chunked"));
                }
                self.chunked = true;
                Ok(Fate::Ends)
            }
            18 if is(name, b"Proxy-Authenticate") => Ok(Fate::Ends),
            _ => Ok(Fate::Passes),
        }
    }

    fn options(&mut self, value: &[u8]) {
        if !is(value, b"keep-alive") {
            value.split(|&b| b == b',').for_each(|option| self.option(option.trim_ascii()));
        }
    }

    fn option(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"close") {
            self.closes = true;
        } else if !option.eq_ignore_ascii_case(b"keep-alive") {
            self.listed.extend(HeaderName::from_bytes(option));
        }
    }

    /// Copies the lines of a parsed `head` that go on, byte for byte, neighbours in one piece. False when the fields have
    /// to be looked at one by one: then some may have been copied, and this is to be begun anew.
    pub(super) fn copy(
        &mut self,
        head: &[u8],
        headers: &[Header<'_>],
        displaced: Displaced,
        lines: &mut Lines,
    ) -> Result<bool, Error> {
        let base = head.as_ptr().addr();
        let mut run: Range<usize> = 0..0;
        for header in headers {
            let (name, value) = (header.name.as_bytes(), header.value);
            let start = name.as_ptr().addr().wrapping_sub(base);
            let end = value.as_ptr().addr().wrapping_sub(base).wrapping_add(value.len());
            // What was parsed leniently is not passed on as it stands.
            if head.get(start + name.len()) != Some(&b':')
                || head.get(end..).and_then(|rest| rest.get(..2)) != Some(b"\r\n")
            {
                return Ok(false);
            }
            let line = start..end + 2;
            match self.look(name, value)? {
                Fate::Announces => return Ok(false),
                Fate::Ends | Fate::Measures => continue,
                Fate::Passes if displaced(name) => continue,
                Fate::Passes => {}
                Fate::Dates => lines.dated = true,
            }
            if run.end == line.start {
                run.end = line.end;
            } else {
                lines.out.bytes().extend_from_slice(&head[run]);
                run = line;
            }
        }
        lines.out.bytes().extend_from_slice(&head[run]);
        Ok(self.listed.is_empty())
    }
}
