//! The body of a request over HTTP/2, as its stream has it.

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request's body; what is taken of it opens the stream's window again.
#[derive(Debug)]
pub struct Received {
    stream: RecvStream,
    /// Bytes that are still to come, where the head says it. The library holds the client to it.
    left: Option<u64>,
    /// Only trailers may still come.
    is_read: bool,
}

impl Received {
    /// The body of a request with these fields.
    pub fn new(fields: &HeaderMap, stream: RecvStream) -> Self {
        Self { left: length(fields), stream, is_read: false }
    }
}

/// What all `Content-Length` fields agree on.
fn length(fields: &HeaderMap) -> Option<u64> {
    let mut agreed = None;
    for value in fields.get_all(CONTENT_LENGTH) {
        for one in value.to_str().ok()?.split(',').map(str::trim) {
            // `parse` would take a sign.
            let length = one.bytes().all(|byte| byte.is_ascii_digit()).then(|| one.parse::<u64>().ok())??;
            if agreed.replace(length).is_some_and(|before| before != length) {
                return None;
            }
        }
    }
    agreed
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        if !this.is_read {
            match ready!(this.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    let _ = this.stream.flow_control().release_capacity(data.len());
                    this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // Whatever its reason: without the end of the stream, what came is a part (RFC 9113, 8.1).
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.is_read = true,
            }
        }
        let trailers = ready!(this.stream.poll_trailers(cx));
        Poll::Ready(trailers.transpose().map(|fields| fields.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_length_is_what_all_fields_say() {
        let of = |values: &[&'static str]| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            length(&fields)
        };
        assert_eq!(of(&["12"]), Some(12));
        assert_eq!(of(&["12", "12"]), Some(12));
        assert_eq!(of(&["12, 12"]), Some(12));
        for values in
            [&["12", "13"][..], &["12,13"], &["+12"], &["-1"], &[""], &["12,"], &["99999999999999999999"]]
        {
            assert_eq!(of(values), None, "{values:?}");
        }
        assert_eq!(of(&[]), None);
    }
}
