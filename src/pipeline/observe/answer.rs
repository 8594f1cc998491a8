//! An answer's body, with which the trail of its request goes to its end.

use super::super::exchange::Cut;
use super::super::grpc;
use super::super::marks::Marks;
use super::Trail;
use crate::telemetry::log::chain;
use crate::upstream::Answer;
use crate::upstream::body::BodyError;
use crate::wire::Lines;
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer.
#[derive(Debug)]
pub enum Payload {
    /// The gateway's own.
    Own(Full<Bytes>),
    /// An upstream's, passed on as it comes.
    Upstream(Box<Answer>),
}

/// An answer's body with the trail of its request.
#[derive(Debug)]
pub struct Observed {
    payload: Payload,
    pub(in crate::pipeline) trail: Trail,
}

impl Observed {
    /// Of an answer that is not there yet. It is on the heap from then on, because it is handed on often, and is large.
    pub(in crate::pipeline) fn around(trail: Trail) -> Self {
        Self { payload: Payload::Own(Full::default()), trail }
    }

    /// Goes with the answer to its end.
    pub(in crate::pipeline) fn follow(
        mut self: Box<Self>,
        response: Response<Payload>,
    ) -> Response<Box<Self>> {
        self.trail.status = response.status();
        let (head, payload) = response.into_parts();
        self.payload = payload;
        Response::from_parts(head, self)
    }

    /// The fields that the answer carries besides its own.
    pub fn marks(&self) -> Marks<'_> {
        Marks::of(&self.trail)
    }

    /// Status line and fields of an upstream's answer, where they are not in the map: see [`Answer::take_lines`].
    pub fn take_lines(&mut self) -> Option<Lines> {
        match &mut self.payload {
            Payload::Upstream(answer) => answer.take_lines(),
            Payload::Own(_) => None,
        }
    }

    /// Goes on with the request's body, although nobody takes the answer's; ready when there is nothing left of it.
    pub fn push(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.payload {
            Payload::Upstream(answer) if self.trail.cut().is_none() => answer.push(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Ends at once towards the backend, and for the client so that it sees that something is missing; to one that
    /// speaks gRPC it can be said.
    fn end_cut(&mut self, cut: Cut) -> Result<Frame<Bytes>, BodyError> {
        self.payload = Payload::Own(Full::default());
        if !self.trail.grpc {
            return Err(BodyError::Cut);
        }
        self.trail.leave();
        Ok(Frame::trailers(grpc::trailers(&cut.reject())))
    }

    /// Whether it is not to go on: whoever asked for it may not any more.
    pub fn is_cut(&self) -> bool {
        self.trail.cut().is_some()
    }
}

impl Body for Observed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(cut) = this.trail.cut() {
            return Poll::Ready(Some(this.end_cut(cut)));
        }
        let polled = match &mut this.payload {
            Payload::Own(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Payload::Upstream(answer) => Pin::new(&mut **answer).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.trail.response_bytes += frame.data_ref().map_or(0, |data| data.len() as u64)
            }
            Poll::Ready(Some(Err(error))) => {
                let request_id = this.trail.request_id.as_str();
                tracing::warn!(request_id, cause = %chain(error), "an answer broke off");
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            Payload::Own(full) => full.is_end_stream(),
            Payload::Upstream(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.payload {
            Payload::Own(full) => full.size_hint(),
            Payload::Upstream(answer) => answer.size_hint(),
        }
    }
}
