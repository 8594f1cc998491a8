//! What the fuzz targets try of HTTP/1.1 towards clients. Nothing else uses it.

use super::head;
use crate::listen::fuzzing::Head;
use crate::pipeline::Early;
use crate::wire::Scratch;
use bytes::BytesMut;

pub(in crate::listen) fn read(buffer: &mut BytesMut, scratch: &Scratch) -> Result<Option<Head>, Early> {
    let asked = head::parse(buffer, scratch)?;
    Ok(asked.map(|asked| (asked.request, asked.framing, asked.wishes.keep)))
}

pub(in crate::listen) fn may_be_complete(buffer: &[u8], seen: usize) -> bool {
    head::may_be_complete(buffer, seen)
}
