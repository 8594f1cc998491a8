//! A body of server-sent events (HTML standard, section 9.2): one a second.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Interval;

/// Events numbered from 1, the first at once.
#[derive(Debug)]
pub(in crate::demo) struct Events {
    tick: Interval,
    sent: u64,
    /// How many there are; `None` for no end.
    count: Option<u64>,
}

impl Events {
    pub(super) fn new(count: Option<u64>) -> Self {
        Self { tick: tokio::time::interval(Duration::from_secs(1)), sent: 0, count }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.count.is_some_and(|count| self.sent >= count) {
            return Poll::Ready(None);
        }
        ready!(self.tick.poll_tick(cx));
        self.sent += 1;
        let text = format!("event: progress\nid: {n}\ndata: {{\"step\":{n}}}\n\n", n = self.sent);
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
