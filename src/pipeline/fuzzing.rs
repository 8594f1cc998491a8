//! What the fuzz targets try of the pipeline and is not public by itself. Nothing else uses it.

use super::multipart::{self, Multipart};
use super::project_body::{Utf8, bad_part, json_project};
use super::reject::Reject;
use super::trace_context::Parent;

/// The project that a JSON body names which comes in pieces of this size.
///
/// # Errors
/// Why the body is refused.
pub fn project_in_json(mut body: &[u8], size: usize) -> Result<Option<String>, Reject> {
    let mut text = Utf8::default();
    body.chunks(size).try_for_each(|piece| text.feed(piece))?;
    text.finish()?;
    json_project(&mut body)
}

/// The boundary of a content type.
pub fn boundary(content_type: &str) -> Option<String> {
    multipart::boundary(content_type)
}

/// The project that a multipart body names which comes in these pieces.
///
/// # Errors
/// Why the body is refused.
pub fn project_in_parts<'b>(
    boundary: &str,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> Result<Option<String>, Reject> {
    let mut parser = Multipart::new(boundary);
    for piece in pieces {
        parser.feed(piece).map_err(bad_part)?;
    }
    parser.finish().map_err(bad_part)
}

/// The trace, the span and the flags that a `traceparent` names.
pub fn parent(value: &[u8]) -> Option<(u128, u64, u8)> {
    Parent::parse(value).map(|parent| (parent.trace, parent.span, parent.flags))
}
