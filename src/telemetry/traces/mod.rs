//! Traces: what requests that are traced did, as spans. Workers hand them over whole, when a request has ended; who sends
//! them to a collector takes them from here. Only [`otlp`] knows the format.

pub mod otlp;

use super::metrics::Counter;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Names a trace: 16 bytes (W3C Trace Context, 3.2.2.3).
pub type TraceId = u128;
/// Names a span: 8 bytes, not all zero (W3C Trace Context, 3.2.2.4).
pub type SpanId = u64;

/// Requests that may wait to be sent. A request has about six spans, of about half a kilobyte each, and few texts of its client's.
const WAITING: usize = 4096;
/// Bytes that are kept of a text which clients choose, as in the access log: they send as many as a head may have, and ask
/// for the trace themselves.
const TEXT_MAX: usize = 2048;

/// One thing that took time.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its own name in it.
    pub id: SpanId,
    /// What it is a part of; none for a trace that begins here.
    pub parent: Option<SpanId>,
    /// Its parent is another program's.
    pub remote_parent: bool,
    /// Its part in a call.
    pub kind: Kind,
    /// What was done, of few different words.
    pub name: Cow<'static, str>,
    /// Nanoseconds since 1970 at which it began.
    pub start_ns: u64,
    /// Nanoseconds since 1970 at which it ended.
    pub end_ns: u64,
    /// What else is to be said.
    pub attributes: Vec<(&'static str, Value)>,
    /// It failed.
    pub failed: bool,
}

/// A span's part in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request is answered.
    Server,
    /// A request is sent.
    Client,
    /// Neither.
    Internal,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Integer(i64),
}

impl Value {
    /// The beginning of a text that a client has chosen.
    pub fn beginning(text: &str) -> Self {
        // Copied: what is only cut short keeps the room of the whole.
        Self::Text(Cow::Owned(text[..text.floor_char_boundary(TEXT_MAX)].to_owned()))
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// Where workers leave the spans of requests. It is bounded: what finds no room is dropped, and counted.
#[derive(Debug)]
pub struct Traces {
    queue: mpsc::Sender<Vec<Span>>,
    dropped: Arc<Counter>,
}

impl Traces {
    /// A queue, and its other end. Nothing is woken by what comes: whoever takes it looks now and then.
    pub fn new(dropped: Arc<Counter>) -> (Self, mpsc::Receiver<Vec<Span>>) {
        let (queue, waiting) = mpsc::channel(WAITING);
        (Self { queue, dropped }, waiting)
    }

    /// Leaves the spans of one request.
    pub fn leave(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.queue.try_send(spans).is_err() {
            self.dropped.add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn a_client_s_text_takes_no_more_room_than_its_beginning() {
        assert_eq!(Value::beginning("a"), Value::Text("a".into()));
        let Value::Text(kept) = Value::beginning(&"\u{20ac}".repeat(TEXT_MAX)) else { panic!() };
        assert_eq!(kept, "\u{20ac}".repeat(TEXT_MAX / 3));
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let dropped = Metrics::new(1).spans("dropped");
        let (traces, mut waiting) = Traces::new(dropped.clone());
        let span = otlp::tests::span();
        for _ in 0..WAITING + 2 {
            traces.leave(vec![span.clone(), span.clone()]);
        }
        assert_eq!(dropped.value(), 4);
        assert_eq!(waiting.try_recv().map(|spans| spans.len()), Ok(2));
        traces.leave(vec![span]);
        assert_eq!(dropped.value(), 4, "there is room again");
    }
}
