//! Request bodies that have to be read before they are forwarded: kept in memory, and on disk from there on.

use super::body::Passage;
use bytes::{Buf, Bytes, BytesMut};
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes of one body that are kept in memory; the rest goes to an unnamed temporary file.
const IN_MEMORY: usize = 256 * 1024;
/// Bytes read back from disk at once.
const READ_AT_ONCE: usize = 64 * 1024;
/// Bytes that all bodies of the process together may hold, in memory and on disk: whoever has a key could else fill the
/// disk of everybody.
const MOST_HELD: u64 = 4 << 30;

/// Bytes that are held now. One number for all workers, because they share the disk.
static HELD: AtomicU64 = AtomicU64::new(0);

/// A body's share of [`HELD`], given back when it is dropped.
#[derive(Debug, Default)]
struct Share(u64);

impl Share {
    fn grow(&mut self, bytes: u64) -> bool {
        let fits = |held: u64| held.checked_add(bytes).filter(|held| *held <= MOST_HELD);
        let grown = HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        self.0 += if grown { bytes } else { 0 };
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A body that is being read.
#[derive(Debug, Default)]
pub struct Spool {
    /// What is not on disk.
    memory: BytesMut,
    file: Option<File>,
    length: u64,
    share: Share,
}

impl Spool {
    /// Takes room for so many bytes more; false when all bodies together hold too much.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        self.share.grow(bytes as u64)
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// When the disk refuses; the spool is of no use then.
    pub async fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.length += piece.len() as u64;
        self.memory.extend_from_slice(piece);
        if self.memory.len() >= IN_MEMORY {
            self.write_out().await?;
        }
        Ok(())
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    async fn write_out(&mut self) -> io::Result<()> {
        let (file, memory) = (self.file.take(), self.memory.split().freeze());
        // Off the worker: a slow disk must not be a slow edge.
        let written = spawn_blocking(move || -> io::Result<File> {
            let mut file = file.map_or_else(tempfile::tempfile, Ok)?;
            file.write_all(&memory)?;
            Ok(file)
        });
        self.file = Some(written.await.map_err(io::Error::other)??);
        Ok(())
    }

    /// Lets `read` look at the whole body. It runs on the worker for what fits into memory, else beside it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn inspect<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
    ) -> io::Result<T> {
        if self.file.is_none() {
            return Ok(read(&mut &self.memory[..]));
        }
        self.write_out().await?;
        let Some(mut file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let read = spawn_blocking(move || -> io::Result<(File, T)> {
            file.rewind()?;
            let mut buffered = io::BufReader::with_capacity(READ_AT_ONCE, file);
            let seen = read(&mut buffered);
            let mut file = buffered.into_inner();
            file.seek(io::SeekFrom::End(0))?;
            Ok((file, seen))
        });
        let (file, seen) = read.await.map_err(io::Error::other)??;
        self.file = Some(file);
        Ok(seen)
    }

    /// The body again, byte for byte.
    pub fn replay(self) -> Replay {
        let on_disk = self.length - self.memory.len() as u64;
        let file = self.file.map(Arc::new);
        let (memory, share) = (self.memory.freeze(), Arc::new(self.share));
        Replay { disk: Disk::Ready, file, offset: 0, on_disk, memory, share, passage: whole() }
    }
}

/// A spooled body on its way out.
#[derive(Debug)]
pub struct Replay {
    disk: Disk,
    /// Read by position, so that two can read it at once.
    file: Option<Arc<File>>,
    /// Where the next piece begins.
    offset: u64,
    /// Bytes that the file has in all.
    on_disk: u64,
    /// What comes after them.
    memory: Bytes,
    /// Given back with the last copy.
    share: Arc<Share>,
    /// How far it is on its way out.
    pub(super) passage: Rc<Passage>,
}

#[derive(Debug)]
enum Disk {
    Ready,
    Reading(JoinHandle<io::Result<Bytes>>),
}

impl Replay {
    /// The body from its beginning. To be asked for before anything of this one was given out.
    pub(super) fn again(&self) -> Self {
        debug_assert_eq!(self.offset, 0, "it has begun");
        let (file, memory, share) = (self.file.clone(), self.memory.clone(), self.share.clone());
        Self { disk: Disk::Ready, file, offset: 0, on_disk: self.on_disk, memory, share, passage: whole() }
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.on_disk - self.offset + self.memory.len() as u64
    }

    /// The whole of it, where it is in memory and not larger than this; nothing of it was given out yet.
    pub fn small(&self, most: usize) -> Option<Bytes> {
        (self.on_disk == 0 && self.memory.len() <= most).then(|| self.memory.clone())
    }

    /// One that is there already.
    pub(super) fn of(memory: Bytes) -> Self {
        Self {
            disk: Disk::Ready,
            file: None,
            offset: 0,
            on_disk: 0,
            memory,
            share: Arc::default(),
            passage: whole(),
        }
    }

    /// Takes note that a piece goes out.
    pub(super) fn passing(&self, piece: Bytes) -> Bytes {
        self.passage.bytes.set(self.passage.bytes.get() + piece.len() as u64);
        piece
    }

    /// The next piece, or `None` at the end.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.offset < self.on_disk {
            return self.poll_disk(cx).map(Some);
        }
        self.file = None;
        let length = self.memory.len().min(READ_AT_ONCE);
        Poll::Ready((length > 0).then(|| Ok(self.memory.copy_to_bytes(length))))
    }

    fn poll_disk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let Some(file) = &self.file else { return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())) };
        if let Disk::Ready = self.disk {
            let length = (self.on_disk - self.offset).min(READ_AT_ONCE as u64) as usize;
            let (file, offset) = (file.clone(), self.offset);
            self.disk = Disk::Reading(spawn_blocking(move || read_piece(&file, offset, length)));
        }
        let Disk::Reading(reading) = &mut self.disk else { return Poll::Pending };
        let done = ready!(Pin::new(reading).poll(cx));
        self.disk = Disk::Ready;
        let piece = done.map_err(io::Error::other)??;
        self.offset += piece.len() as u64;
        Poll::Ready(Ok(piece))
    }
}

/// The way of a body that its client has sent to its end.
fn whole() -> Rc<Passage> {
    let passage = Passage::default();
    passage.ended.set(true);
    Rc::new(passage)
}

fn read_piece(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; length];
    file.read_exact_at(&mut piece, offset)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn round_trip(length: usize) {
        let body: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let mut spool = Spool::default();
        for piece in body.chunks(10_007) {
            spool.push(piece).await.unwrap();
        }
        let seen = spool.inspect(|reader| {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        assert_eq!(seen.await.unwrap().unwrap(), body);
        let mut first = spool.replay();
        let mut replay = first.again();
        // One that was begun and left does not move the other.
        if let Some(piece) = std::future::poll_fn(|cx| first.poll_chunk(cx)).await {
            piece.unwrap();
        }
        assert_eq!(replay.remaining(), length as u64);
        let mut again = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| replay.poll_chunk(cx)).await {
            again.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(again, body);
        assert_eq!(replay.remaining(), 0);
    }

    #[test]
    fn what_all_bodies_hold_has_a_bound_and_is_given_back() {
        let (mut one, mut other) = (Share::default(), Share::default());
        assert!(one.grow(MOST_HELD / 2));
        assert!(!other.grow(MOST_HELD), "more than there is");
        drop(one);
        assert!(other.grow(MOST_HELD / 2));
    }

    #[tokio::test]
    async fn what_was_read_comes_out_again_from_memory_and_from_disk() {
        for length in [0, 1, IN_MEMORY - 1, IN_MEMORY, 3 * IN_MEMORY + 17] {
            round_trip(length).await;
        }
    }
}
