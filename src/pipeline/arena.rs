//! Small header values cut from one buffer per worker, so that an id in a header costs no allocation.

use bytes::BytesMut;
use http::HeaderValue;
use std::cell::RefCell;

/// Bytes taken from the allocator at once.
const CHUNK: usize = 16 * 1024;

/// One worker's buffer.
#[derive(Debug, Default)]
pub(super) struct Arena {
    buffer: RefCell<BytesMut>,
}

impl Arena {
    /// Whatever `write` puts into the buffer: at most `most` bytes, visible ASCII.
    pub(super) fn value(&self, most: usize, write: impl FnOnce(&mut BytesMut)) -> HeaderValue {
        let mut buffer = self.buffer.borrow_mut();
        // When all that was cut from it is gone, as it mostly is by then, the memory is used again.
        if buffer.capacity() - buffer.len() < most && !buffer.try_reclaim(most) {
            *buffer = BytesMut::with_capacity(CHUNK.max(most));
        }
        write(&mut buffer);
        let bytes = buffer.split().freeze();
        HeaderValue::from_maybe_shared(bytes).unwrap_or(HeaderValue::from_static(""))
    }
}
