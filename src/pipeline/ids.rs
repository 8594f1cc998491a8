//! Request ids and trace context, from a generator of the worker's own. They identify; they guard nothing.

use super::trace::Trace;
use super::trace_context::Parent;
use crate::telemetry::traces::SpanId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use std::cell::Cell;

/// Names one request: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The lines of a request id and of a trace, with noughts where they are filled in.
const LINES: &[u8; 118] = b"x-request-id: 00000000000000000000000000000000\r\n\
    traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n";

/// One worker's generator (SplitMix64: Steele, Lea, Flood 2014), seeded from the system.
#[derive(Debug)]
pub(super) struct Ids {
    state: Cell<u64>,
}

impl Ids {
    /// A generator with a random seed.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub(super) fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed)?;
        Ok(Self { state: Cell::new(u64::from_ne_bytes(seed)) })
    }

    fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any number, as likely as any other.
    pub(super) fn chance(&self) -> u64 {
        self.next()
    }

    /// A new request id: 32 hexadecimal digits.
    pub(super) fn request_id(&self) -> RequestId {
        let (high, low) = (self.next(), self.next());
        let mut digits = [0; 32];
        digits[..16].copy_from_slice(&hex(high));
        digits[16..].copy_from_slice(&hex(low));
        RequestId(digits)
    }

    /// A new name for a span.
    pub(super) fn span(&self) -> SpanId {
        // Never zero, which is no name.
        self.next() | 1
    }

    /// `X-Request-Id` and a `traceparent` (W3C Trace Context), as lines of HTTP/1.1. Of a request that is traced, the
    /// upstream's part belongs to our exchange with it; else the client's trace goes on as if we were not there, and where
    /// there is none, the request id begins one that is not recorded.
    pub(super) fn lines(
        &self,
        client: Option<Parent>,
        trace: Option<&Trace>,
        request_id: &RequestId,
    ) -> [u8; LINES.len()] {
        let mut lines = *LINES;
        lines[14..46].copy_from_slice(&request_id.0);
        let parent = match (trace, client) {
            (Some(trace), _) => Parent { trace: trace.id, span: trace.client, flags: 1 },
            (None, Some(parent)) => parent,
            (None, None) => {
                lines[64..96].copy_from_slice(&request_id.0);
                lines[97..113].copy_from_slice(&hex(self.span()));
                return lines;
            }
        };
        lines[64..80].copy_from_slice(&hex((parent.trace >> 64) as u64));
        lines[80..96].copy_from_slice(&hex(parent.trace as u64));
        lines[97..113].copy_from_slice(&hex(parent.span));
        lines[114..116].copy_from_slice(&hex(parent.flags.into())[14..]);
        lines
    }
}

/// A key for a WebSocket handshake of ours (RFC 6455, 4.1): 16 random bytes.
///
/// # Errors
/// When the system has no random bytes to give.
pub(super) fn websocket_key() -> Result<HeaderValue, aws_lc_rs::error::Unspecified> {
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce)?;
    HeaderValue::try_from(STANDARD.encode(nonce)).map_err(|_| aws_lc_rs::error::Unspecified)
}

/// All half bytes at once: each in a byte of its own, then the letters' distance from the digits added to those above 9.
fn hex(number: u64) -> [u8; 16] {
    let spread = |half: u32| {
        let mut wide = u64::from(half);
        wide = (wide << 16 | wide) & 0x0000_ffff_0000_ffff;
        wide = (wide << 8 | wide) & 0x00ff_00ff_00ff_00ff;
        wide = (wide << 4 | wide) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = (wide + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        wide + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)
    };
    let (high, low) = (spread((number >> 32) as u32), spread(number as u32));
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_spelled_out() {
        for number in [0, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(hex(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn a_valid_trace_goes_on_and_else_one_begins() {
        let ids = Ids::new().unwrap();
        let id = ids.request_id();
        assert_eq!(id.as_str().len(), 32);
        assert_ne!(id, ids.request_id());
        let value = |client: Option<&[u8]>| {
            let lines = ids.lines(client.and_then(Parent::parse), None, &id);
            let (first, second) = lines.split_at(48);
            assert_eq!(first, format!("x-request-id: {}\r\n", id.as_str()).as_bytes());
            let value = second.strip_prefix(b"traceparent: ").and_then(|rest| rest.strip_suffix(b"\r\n"));
            String::from_utf8(value.unwrap().to_vec()).unwrap()
        };
        let client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";
        assert_eq!(value(Some(client.as_bytes())), client, "who does not record it leaves it alone");
        let none = b"00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let fresh = Parent::parse(value(Some(none)).as_bytes()).expect("a valid one");
        assert_eq!(format!("{:032x}", fresh.trace), id.as_str());
        assert_eq!(fresh.flags, 0);
    }
}
