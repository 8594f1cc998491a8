//! Memory that the connections of one worker share: what is only needed for a moment is not kept a thousand times.

use super::names::Names;
use super::section::Line;
use super::{MOST_FIELDS, Spans};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Most bytes of one kind that are kept for later: what some hundred requests take that are under way at once.
const SPARES: usize = 1024 * 1024;
/// Smallest of them that is worth it: one that grows while an answer is read costs more than a new one.
const SMALLEST_MAP: usize = 16;
/// Largest of them, in fields and bytes.
const LARGEST_MAP: usize = 64;
const LARGEST_OUT: usize = 64 * 1024;
/// Room in a new list of fields, and for a new target and the largest that is kept, in bytes.
const LINES: usize = 24;
const TEXT: usize = 256;
const LARGEST_TEXT: usize = 4 * 1024;
/// Room for more bytes behind those that are held: when there is less, and how much is made then.
const LEAST_ROOM: usize = 1024;
const MOST_ROOM: usize = 8 * 1024;

/// One worker's memory for heads and buffers.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) names: Names,
    lines: Spares<Vec<Line>>,
    texts: Spares<String>,
    maps: Spares<HeaderMap>,
    outs: Spares<Vec<u8>>,
    read: RefCell<BytesMut>,
    /// Fields of the early hints that were heard last.
    hints: RefCell<Option<HeaderMap>>,
    /// Where the fields of the head stand that is being read.
    pub(crate) spans: RefCell<Spans>,
}

impl Scratch {
    /// The name that is spelled so; `None` when it is no name.
    pub fn name(&self, spelled: &[u8]) -> Option<HeaderName> {
        self.names.of(spelled).map(|name| name.name().clone())
    }

    /// An empty list of a request's fields.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.take().unwrap_or_else(|| Vec::with_capacity(LINES))
    }

    /// Takes back a list that is no longer needed.
    pub(super) fn give_lines(&self, mut list: Vec<Line>) {
        if (LINES..=MOST_FIELDS).contains(&list.capacity()) {
            list.clear();
            self.lines.give(list);
        }
    }

    /// An empty text for a request's target.
    pub(super) fn text(&self) -> String {
        self.texts.take().unwrap_or_else(|| String::with_capacity(TEXT))
    }

    /// Takes back a text that is no longer needed.
    pub(crate) fn give_text(&self, mut text: String) {
        if (TEXT..=LARGEST_TEXT).contains(&text.capacity()) {
            text.clear();
            self.texts.give(text);
        }
    }

    /// What `write` writes, in memory that is shared with others.
    pub(super) fn copied(&self, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        let mut shared = self.read.borrow_mut();
        if shared.capacity() < LEAST_ROOM {
            shared.reserve(MOST_ROOM);
        }
        write(&mut shared);
        shared.split().freeze()
    }

    /// An empty map.
    pub fn map(&self) -> HeaderMap {
        self.maps.take().unwrap_or_else(|| HeaderMap::with_capacity(24))
    }

    /// Takes back a map that is no longer needed.
    pub fn recycle(&self, mut map: HeaderMap) {
        // What repeated names take is in no capacity, and is kept by `clear`.
        if (SMALLEST_MAP..=LARGEST_MAP).contains(&map.capacity()) && map.len() <= LARGEST_MAP {
            map.clear();
            self.maps.give(map);
        }
    }

    /// Keeps the fields of early hints (RFC 8297) that were heard while something was polled, for whoever polls it.
    pub fn hint(&self, fields: HeaderMap) {
        *self.hints.borrow_mut() = Some(fields);
    }

    /// The early hints that were heard since this was asked last.
    pub fn take_hint(&self) -> Option<HeaderMap> {
        self.hints.borrow_mut().take()
    }

    /// An empty buffer for what is to be written.
    pub fn out(&self) -> Out {
        let bytes = self.outs.take().unwrap_or_else(|| Vec::with_capacity(2048));
        Out { bytes, sent: 0 }
    }

    /// Takes back a buffer whose bytes are written or of no use.
    pub fn give(&self, mut out: Out) {
        if (1..=LARGEST_OUT).contains(&out.bytes.capacity()) {
            out.bytes.clear();
            self.outs.give(out.bytes);
        }
    }

    /// Reads what there is onto the end of `held`, about `want` bytes at most; 0 at the end of the stream. As long as
    /// nothing is held, it is read into memory that all connections share, so that waiting takes none.
    pub fn poll_read<S: AsyncRead + Unpin>(
        &self,
        stream: &mut S,
        held: &mut BytesMut,
        want: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if !held.is_empty() {
            if held.capacity() - held.len() < LEAST_ROOM {
                // Memory of its own and no more than it takes: one that sends slowly holds it long.
                let mut own = BytesMut::with_capacity(held.len() + want.min(MOST_ROOM));
                own.extend_from_slice(held);
                *held = own;
            }
            return pin!(stream.read_buf(held)).poll(cx);
        }
        // Even an empty one holds on to the memory that it was cut from.
        *held = BytesMut::new();
        let mut shared = self.read.borrow_mut();
        if shared.capacity() < want / 4 {
            shared.reserve(want);
        }
        let read = ready!(pin!(stream.read_buf(&mut *shared)).poll(cx))?;
        *held = shared.split();
        Poll::Ready(Ok(read))
    }
}

/// Memory of one kind that waits for its next use.
#[derive(Debug)]
struct Spares<T> {
    kept: RefCell<Vec<T>>,
    /// What is kept, in bytes.
    bytes: Cell<usize>,
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self { kept: RefCell::default(), bytes: Cell::default() }
    }
}

impl<T: Room> Spares<T> {
    /// What was given back last.
    fn take(&self) -> Option<T> {
        let spare = self.kept.borrow_mut().pop()?;
        self.bytes.set(self.bytes.get() - spare.room());
        Some(spare)
    }

    /// Keeps it, unless there is enough.
    fn give(&self, spare: T) {
        let bytes = self.bytes.get() + spare.room();
        if bytes <= SPARES {
            self.bytes.set(bytes);
            self.kept.borrow_mut().push(spare);
        }
    }
}

/// What takes memory: how much, in bytes.
trait Room {
    fn room(&self) -> usize;
}

impl<T> Room for Vec<T> {
    fn room(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl Room for String {
    fn room(&self) -> usize {
        self.capacity()
    }
}

impl Room for HeaderMap {
    /// About: a name and a value for each field, and once more for what binds them and for repeated names.
    fn room(&self) -> usize {
        self.capacity() * 2 * (size_of::<HeaderName>() + size_of::<HeaderValue>())
    }
}

/// Bytes that are to be written.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    sent: usize,
}

impl Out {
    /// Where to add some.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Those that are still to be written.
    pub fn left(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// How many are still to be written.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether all are written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what is not written.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Writes once, `behind` following in the same call where that is possible; answers how much of `behind` was taken.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        behind: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let ahead = &self.bytes[self.sent..];
        let stream = Pin::new(stream);
        let written = ready!(match (ahead.is_empty(), behind.is_empty()) {
            (_, true) => stream.poll_write(cx, ahead),
            (true, false) => stream.poll_write(cx, behind),
            (false, false) => stream.poll_write_vectored(cx, &[IoSlice::new(ahead), IoSlice::new(behind)]),
        })?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let ours = written.min(ahead.len());
        self.sent += ours;
        if self.is_empty() {
            self.clear();
        }
        Poll::Ready(Ok(written - ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_used_again() {
        let scratch = Scratch::default();
        for size in [2048, LARGEST_OUT] {
            let made = (0..4 * SPARES / size).map(|_| Out { bytes: Vec::with_capacity(size), sent: 0 });
            made.collect::<Vec<_>>().into_iter().for_each(|out| scratch.give(out));
            assert_eq!(scratch.outs.bytes.get(), SPARES);
            let used = (0..SPARES / size).map(|_| scratch.out()).collect::<Vec<_>>();
            assert!(used.iter().all(|out| out.bytes.capacity() == size));
            assert_eq!((scratch.outs.bytes.get(), scratch.outs.take()), (0, None));
        }
    }

    #[test]
    fn a_connection_that_waits_holds_no_memory() {
        let (scratch, cx) = (Scratch::default(), &mut Context::from_waker(std::task::Waker::noop()));
        let (mut client, mut server) = tokio::io::duplex(64);
        let mut held = BytesMut::new();
        assert!(pin!(tokio::io::AsyncWriteExt::write_all(&mut client, b"head")).poll(cx).is_ready());
        assert!(scratch.poll_read(&mut server, &mut held, 1024, cx).is_ready());
        let head = held.split_to(4).freeze();
        drop(scratch.read.take());
        assert!(!head.is_unique(), "this test would show nothing");
        assert!(scratch.poll_read(&mut server, &mut held, 1024, cx).is_pending());
        assert!(head.is_unique());
    }

    #[test]
    fn a_slow_sender_holds_no_more_than_it_takes() {
        let (scratch, cx) = (Scratch::default(), &mut Context::from_waker(std::task::Waker::noop()));
        let (mut held, mut more) = (BytesMut::new(), BytesMut::new());
        assert!(scratch.poll_read(&mut &[0; 9][..], &mut more, 64 * 1024, cx).is_ready());
        for _ in 0..9 {
            assert!(scratch.poll_read(&mut &[0; 1][..], &mut held, 64 * 1024, cx).is_ready());
        }
        assert!(held.capacity() <= 2 * MOST_ROOM, "{}", held.capacity());
    }

    #[test]
    fn what_is_read_is_what_came_however_it_is_cut() {
        let scratch = Scratch::default();
        let sent: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let (mut first, mut second) = (&sent[..], &sent[..]);
        let (mut whole, mut pieces, mut held) = (BytesMut::new(), Vec::new(), BytesMut::new());
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        loop {
            let Poll::Ready(Ok(read)) = scratch.poll_read(&mut first, &mut held, 777, cx) else {
                panic!("no bytes")
            };
            pieces.push(held.split().freeze());
            let Poll::Ready(Ok(also)) = scratch.poll_read(&mut second, &mut whole, 4096, cx) else {
                panic!("no bytes")
            };
            if read + also == 0 {
                break;
            }
        }
        assert_eq!(pieces.concat(), sent);
        assert_eq!(whole, sent);
    }
}
