//! A worker's end of the access log.

use super::{AccessRecord, Message};
use crate::telemetry::metrics::Counter;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Bytes after which a worker hands its lines on.
const BUFFER: usize = 32 * 1024;

/// Lines of one worker, collected before they are handed to the thread that writes. Never blocks.
#[derive(Debug)]
pub struct LogWriter {
    buffer: Vec<u8>,
    lines: u64,
    channel: SyncSender<Message>,
    dropped: Arc<Counter>,
    /// The share that is logged, in 2^-32.
    share: u64,
    /// What the share has added up to since the last logged request.
    due: u64,
}

const WHOLE: u64 = 1 << 32;

impl LogWriter {
    pub(super) fn new(channel: SyncSender<Message>, dropped: Arc<Counter>, sample: f64) -> Self {
        let share = (sample.clamp(0.0, 1.0) * WHOLE as f64).round() as u64;
        Self { buffer: Vec::new(), lines: 0, channel, dropped, share, due: 0 }
    }

    /// Whether the next request is to be logged. Ask once per request: of any stretch of requests the configured
    /// share is logged, evenly spread.
    pub fn sampled(&mut self) -> bool {
        self.due += self.share;
        let sampled = self.due >= WHOLE;
        if sampled {
            self.due -= WHOLE;
        }
        sampled
    }

    /// Adds a line.
    pub fn write(&mut self, record: &AccessRecord<'_>) {
        if self.buffer.capacity() == 0 {
            // Room for the line that passes the limit, so that the buffer does not grow.
            self.buffer.reserve(BUFFER + 4096);
        }
        record.write(&mut self.buffer);
        self.lines += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    /// Hands on what has been collected; to be called about once a second.
    pub fn tick(&mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        let (bytes, lines) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.lines));
        if self.channel.try_send(Message::Lines { bytes, lines }).is_err() {
            self.dropped.add(lines);
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.flush();
    }
}
