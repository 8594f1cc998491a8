//! The access log: workers collect lines, one thread writes them.
//!
//! A log that can not be written fast enough loses lines, and counts them; it never slows a request.

mod record;
mod writer;

pub use record::AccessRecord;
pub use writer::LogWriter;

use super::metrics::{Counter, Metrics};
use crate::config::{self, LogPath};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

/// Buffers that may wait for the thread: at 32 KiB each, 8 MiB.
const WAITING: usize = 256;

/// How long a shutdown waits for a log that does not take its lines.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread gets.
#[derive(Debug)]
enum Message {
    /// Whole lines, and how many.
    Lines { bytes: Vec<u8>, lines: u64 },
    /// Look at the flag.
    Reopen,
    /// Everything before this has been sent.
    Stop,
}

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    channel: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
    dropped: Arc<Counter>,
    sample: f64,
}

impl AccessLog {
    /// Opens the log and starts the thread that writes it.
    ///
    /// # Errors
    /// When the file can not be opened for appending, or the thread not be started.
    pub fn open(config: &config::AccessLog, metrics: &Metrics) -> io::Result<Self> {
        let dropped = metrics.access_log_dropped();
        let reopen = Arc::new(AtomicBool::new(false));
        let sink = Sink {
            output: Output::open(&config.path)?,
            path: config.path.clone(),
            reopen: Arc::clone(&reopen),
            dropped: Arc::clone(&dropped),
            failing: false,
        };
        let (channel, messages) = mpsc::sync_channel(WAITING);
        let (ending, ended) = mpsc::channel::<()>();
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            sink.run(&messages);
            drop(ending);
        })?;
        Ok(Self { channel, reopen, ended, dropped, sample: config.sample })
    }

    /// A worker's end.
    pub fn writer(&self) -> LogWriter {
        LogWriter::new(self.channel.clone(), Arc::clone(&self.dropped), self.sample)
    }

    /// Opens the file anew, after something else has moved it away. Lines sent before may go to either.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // When the channel is full, the thread comes to look at the flag anyway.
        let _ = self.channel.try_send(Message::Reopen);
    }

    /// Ends the log once everything is written that was sent before; drop the writers first. Blocks, but not for
    /// longer than about five seconds.
    pub fn shutdown(&self) {
        // Waits for room: the thread may be busy. When it is stuck, the process must end nevertheless.
        let channel = self.channel.clone();
        let stop = std::thread::Builder::new().name("access-log-stop".into());
        if stop.spawn(move || channel.send(Message::Stop)).is_ok() {
            // Nothing is ever sent: this returns when the thread has ended.
            let _ = self.ended.recv_timeout(PATIENCE);
        }
    }
}

/// The thread's side.
struct Sink {
    output: Output,
    path: LogPath,
    reopen: Arc<AtomicBool>,
    dropped: Arc<Counter>,
    /// Whether the last write failed, so that a full disk is reported once.
    failing: bool,
}

impl Sink {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            if self.reopen.swap(false, Ordering::AcqRel) {
                self.open_anew();
            }
            match message {
                Message::Lines { bytes, lines } => self.write(&bytes, lines),
                Message::Reopen => {}
                Message::Stop => return,
            }
        }
    }

    fn open_anew(&mut self) {
        match Output::open(&self.path) {
            Ok(output) => self.output = output,
            Err(error) => tracing::error!(%error, path = ?self.path, "access log stays with the old file"),
        }
    }

    fn write(&mut self, bytes: &[u8], lines: u64) {
        let result = self.output.write(bytes);
        if let Err(error) = &result {
            self.dropped.add(lines);
            if !self.failing {
                tracing::error!(%error, path = ?self.path, "access log can not be written");
            }
        }
        self.failing = result.is_err();
    }
}

enum Output {
    Stdout,
    Stderr,
    File(File),
}

impl Output {
    fn open(path: &LogPath) -> io::Result<Self> {
        Ok(match path {
            LogPath::Stdout => Self::Stdout,
            LogPath::Stderr => Self::Stderr,
            LogPath::File(path) => Self::File(append_to(path)?),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::File(file) => file.write_all(bytes),
        }
    }
}

// Who called what from where is not for every user of the machine.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests;
