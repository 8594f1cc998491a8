//! Stage 6, second half: `projectId` in a body. The body is read to its end and checked before a byte of it is sent on.

use super::multipart::{self, Multipart};
use super::observe::Trail;
use super::query::resembles;
use super::reject::Reject;
use super::route::Routed;
use crate::config::{Dialect, ProjectPlace};
use crate::dialect::media::is_json;
use crate::upstream::Outgoing;
use crate::upstream::spool::Spool;
use crate::wire::{self, Broken, Fields, Inbound, Request};
use http::Method;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http_body_util::BodyExt;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;

const NOT_JSON: &str = "Send the body as JSON in UTF-8, with Content-Type: application/json.";
const NOT_MULTIPART: &str = "Send the body as multipart/form-data with a boundary.";
const NO_JSON: &str = "The body is not well-formed JSON in UTF-8.";
const CODED: &str = "Send the body without a Content-Encoding: it has to be read to find projectId.";

/// How the body of a request is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As JSON.
    Json,
    /// As multipart/form-data with this boundary.
    Multipart(String),
}

/// Finds out from route and header fields how the body is to be read.
///
/// # Errors
/// 400 or 415 for what can not be checked.
pub(super) fn reading(routed: &Routed<'_>, fields: &Fields) -> Result<Reading, Reject> {
    if only(fields, &CONTENT_ENCODING)?.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Reject::UnsupportedMediaType(CODED));
    }
    let content_type = only(fields, &CONTENT_TYPE)?.unwrap_or_default();
    if routed.route.config.project.is_some_and(|rule| rule.place == ProjectPlace::Multipart) {
        if !multipart::is_form_data(content_type) {
            return Err(Reject::UnsupportedMediaType(NOT_MULTIPART));
        }
        return multipart::boundary(content_type)
            .map(Reading::Multipart)
            .ok_or(Reject::BadBody(NOT_MULTIPART));
    }
    if is_json(content_type) { Ok(Reading::Json) } else { Err(Reject::UnsupportedMediaType(NOT_JSON)) }
}

/// Reads the body as the route says and finds the project it names.
///
/// # Errors
/// 400, 408, 413 or 415 for what can not be checked; 503 when too much is held already, 500 when the disk refuses.
pub(super) async fn read(
    routed: &Routed<'_>,
    fields: &Fields,
    body: Inbound,
    trail: &mut Trail,
) -> Result<(Option<String>, Outgoing), Reject> {
    let limit = routed.route.body_limit;
    if let Reading::Multipart(boundary) = reading(routed, fields)? {
        let mut parser = Multipart::new(&boundary);
        let spool = spool(body, limit, trail, |piece| parser.feed(piece).map_err(bad_part)).await?;
        let project = parser.finish().map_err(bad_part)?;
        return Ok((project, Outgoing::spooled(spool)));
    }
    let mut text = Utf8::default();
    let mut spool = spool(body, limit, trail, |piece| text.feed(piece)).await?;
    text.finish()?;
    let project = spool.inspect(json_project).await.map_err(disk)??;
    Ok((project, Outgoing::spooled(spool)))
}

/// Whether the body is said to be JSON in UTF-8; a body of no type at all is taken for it.
///
/// # Errors
/// 400 when the type is given twice.
pub(super) fn is_json_type(fields: &Fields) -> Result<bool, Reject> {
    Ok(only(fields, &CONTENT_TYPE)?.is_none_or(is_json))
}

/// Holds oCore's rule that the bodies of POST, PUT and PATCH are JSON and say so.
///
/// # Errors
/// 400 when one does not.
pub(super) fn says_json(routed: &Routed<'_>, request: &Request, empty: bool) -> Result<(), Reject> {
    let writes = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
    if routed.api.config.dialect != Dialect::Ocore || !writes || empty {
        return Ok(());
    }
    if is_json(only(&request.fields, &CONTENT_TYPE)?.unwrap_or_default()) {
        Ok(())
    } else {
        Err(Reject::BadBody(NOT_JSON))
    }
}

/// Refuses by `Content-Length` what is larger than the limit, before anything is read.
///
/// # Errors
/// [`Reject::BodyTooLarge`]
pub(super) fn bounded(fields: &Fields, limit: u64) -> Result<(), Reject> {
    let length = fields.get(&CONTENT_LENGTH).and_then(|value| wire::text(value)?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) { Err(Reject::BodyTooLarge) } else { Ok(()) }
}

async fn spool(
    mut body: Inbound,
    limit: u64,
    trail: &mut Trail,
    mut look: impl FnMut(&[u8]) -> Result<(), Reject>,
) -> Result<Spool, Reject> {
    let mut spool = Spool::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error {
            Broken::Slow => Reject::BodySlow,
            Broken::H1(_) | Broken::H2(_) | Broken::Endpoint(_) => Reject::BodyBroke,
        })?;
        let Some(piece) = frame.data_ref() else { continue };
        if spool.length() + piece.len() as u64 > limit {
            return Err(Reject::BodyTooLarge);
        }
        look(piece)?;
        if !spool.has_room(piece.len()) {
            return Err(Reject::Crowded);
        }
        spool.push(piece).await.map_err(disk)?;
        trail.request_bytes(spool.length());
    }
    Ok(spool)
}

/// The one value of a field; two are one too many where the value decides how a body is read.
fn only<'h>(fields: &'h Fields, name: &HeaderName) -> Result<Option<&'h str>, Reject> {
    let mut values = fields.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Reject::BadBody("Send Content-Type and Content-Encoding once each."));
    }
    let text = wire::text(value).ok_or(Reject::UnsupportedMediaType(NOT_JSON))?;
    Ok(Some(text.trim()))
}

pub(super) fn bad_part(bad: multipart::Bad) -> Reject {
    match bad {
        multipart::Bad::NotSingle => Reject::ProjectNotSingle,
        multipart::Bad::Malformed(why) => Reject::BadBody(why),
    }
}

fn disk(error: std::io::Error) -> Reject {
    Reject::Internal(Box::new(error))
}

/// The `projectId` of a JSON object's top level.
pub(super) fn json_project(reader: &mut dyn Read) -> Result<Option<String>, Reject> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let top = json.deserialize_any(Top).and_then(|top| json.end().map(|()| top));
    match top {
        Ok(Found::Project(project)) => Ok(project.filter(|text| !text.is_empty())),
        Ok(Found::NotSingle) => Err(Reject::ProjectNotSingle),
        Err(_) => Err(Reject::BadBody(NO_JSON)),
    }
}

/// Holds a body to UTF-8, piece by piece: the parser passes over what it does not keep, and a backend that is laxer might
/// see a quotation mark there.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character that goes on in the next piece.
    begun: Vec<u8>,
}

impl Utf8 {
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<(), Reject> {
        while !self.begun.is_empty() {
            let Some((first, rest)) = piece.split_first() else { return Ok(()) };
            self.begun.push(*first);
            piece = rest;
            if begun(&self.begun)?.is_empty() {
                self.begun.clear();
            }
        }
        self.begun.extend_from_slice(begun(piece)?);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Reject> {
        if self.begun.is_empty() { Ok(()) } else { Err(Reject::BadBody(NO_JSON)) }
    }
}

/// What of some bytes is the beginning of a character; all before it is UTF-8.
fn begun(bytes: &[u8]) -> Result<&[u8], Reject> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(&[]),
        Err(error) if error.error_len().is_none() => Ok(&bytes[error.valid_up_to()..]),
        Err(_) => Err(Reject::BadBody(NO_JSON)),
    }
}

/// What was found at the top of a JSON text.
enum Found {
    Project(Option<String>),
    NotSingle,
}

/// Reads a JSON text, keeping only what it says of the project.
struct Top;

impl<'de> Visitor<'de> for Top {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let (mut project, mut single) = (None, true);
        while let Some(name) = map.next_key::<String>()? {
            if name != "projectId" {
                // `ProjectID`, `projectId[]`: some servers bind these to the same field.
                single &= !resembles(name.as_bytes());
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match map.next_value()? {
                Member::Text(value) => {
                    single &= project.as_ref().is_none_or(|first| *first == value);
                    project = Some(value);
                }
                Member::Null => single &= project.is_none(),
                Member::Other => single = false,
            }
        }
        Ok(if single { Found::Project(project) } else { Found::NotSingle })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Project(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found, E> {
        Ok(Found::Project(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Project(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found, E> {
        Ok(Found::Project(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Project(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Found, E> {
        Ok(Found::Project(None))
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Project(None))
    }
}

/// What stands for the project. Anything but a text is passed over, not kept: it may be as large as the body.
enum Member {
    Text(String),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project's id")
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(json: &str) -> Result<Option<String>, &'static str> {
        json_project(&mut json.as_bytes()).map_err(|reject| reject.code())
    }

    #[test]
    fn the_top_level_member_is_found_in_every_spelling() {
        assert_eq!(project(r#"{"a":{"projectId":"B"},"projectId":"A"}"#), Ok(Some("A".into())));
        assert_eq!(project(r#"{"\u0070rojectId":"A","projectId":"A"}"#), Ok(Some("A".into())));
        assert_eq!(project(r#"{"projectId":null}"#), Ok(None));
        assert_eq!(project(r#"[{"projectId":"B"}]"#), Ok(None));
        assert_eq!(project("3"), Ok(None));
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for json in [
            r#"{"projectId":"A","projectId":"B"}"#,
            r#"{"projectId":"A","\u0070rojectId":"B"}"#,
            r#"{"projectID":"A"}"#,
            r#"{"projectId[]":"A"}"#,
            r#"{"projectId":["A"]}"#,
            r#"{"projectId":{"$ne":"A"}}"#,
            r#"{"projectId":1}"#,
            r#"{"projectId":"A","projectId":null}"#,
        ] {
            assert_eq!(project(json), Err("project_not_single"), "{json}");
        }
        for json in ["", "{", "{} {}", "\u{feff}{}", "{'a':1}", "{\"a\":NaN}", "nope"] {
            assert_eq!(project(json), Err("bad_body"), "{json}");
        }
    }

    #[test]
    fn a_body_is_utf_8_to_its_end_however_it_is_cut() {
        let held = |body: &[u8], size: usize| {
            let mut text = Utf8::default();
            body.chunks(size).try_for_each(|piece| text.feed(piece)).and_then(|()| text.finish()).is_ok()
        };
        for size in 1..6 {
            assert!(held("{\"a\":\"\u{e4}\u{20ac}\u{1f600}\"}".as_bytes(), size), "{size}");
            for bad in [
                &b"\xff"[..],
                b"\xc0\xa2",
                b"a\xe2\x82",
                b"\xe2\x82a",
                b"\xed\xa0\x80",
                b"\x80",
                b"\xf0\x9f\x98",
            ] {
                assert!(!held(bad, size), "{bad:?} by {size}");
            }
        }
    }

    #[test]
    fn json_types_in_utf_8_only() {
        for yes in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/vnd.x+json;charset=\"utf-8\"",
        ] {
            assert!(is_json(yes), "{yes}");
        }
        for no in [
            "",
            "text/json",
            "application/x-www-form-urlencoded+json",
            "application/a,b+json",
            "application/json; charset=utf-16",
            "application/jsonp",
            "multipart/form-data",
        ] {
            assert!(!is_json(no), "{no}");
        }
    }
}
