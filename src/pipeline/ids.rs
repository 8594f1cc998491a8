//! Request ids and trace context, from a generator of the worker's own. They identify; they guard nothing.

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

    /// `X-Request-Id` and a `traceparent` (W3C Trace Context), as lines of HTTP/1.1: the client's trace goes on where it
    /// sent a valid one, else the request id begins one that is not sampled.
    pub(super) fn lines(&self, client: Option<&[u8]>, request_id: &RequestId) -> [u8; LINES.len()] {
        let mut lines = *LINES;
        lines[14..46].copy_from_slice(&request_id.0);
        match client.filter(|value| is_traceparent(value)) {
            Some(value) => lines[61..116].copy_from_slice(value),
            None => lines[64..96].copy_from_slice(&request_id.0),
        }
        lines[97..113].copy_from_slice(&hex(self.next() | 1));
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

/// Version 00: `00-` trace id `-` parent id `-` flags, lower case, ids not all zero.
fn is_traceparent(value: &[u8]) -> bool {
    let hex = |range: &[u8]| range.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let set = |range: &[u8]| range.iter().any(|&b| b != b'0');
    value.len() == 55
        && value.starts_with(b"00-")
        && (value[35], value[52]) == (b'-', b'-')
        && hex(&value[3..35])
        && hex(&value[36..52])
        && hex(&value[53..])
        && set(&value[3..35])
        && set(&value[36..52])
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
    fn a_valid_trace_goes_on_and_an_invalid_one_does_not() {
        let ids = Ids::new().unwrap();
        let id = ids.request_id();
        assert_eq!(id.as_str().len(), 32);
        assert_ne!(id, ids.request_id());
        let value = |client: Option<&[u8]>| {
            let lines = ids.lines(client, &id);
            let (first, second) = (&lines[..48], &lines[48..]);
            assert_eq!(first, format!("x-request-id: {}\r\n", id.as_str()).as_bytes());
            let value = second.strip_prefix(b"traceparent: ").and_then(|rest| rest.strip_suffix(b"\r\n"));
            HeaderValue::from_bytes(value.unwrap()).unwrap()
        };
        let client = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let ours = value(Some(client.as_bytes()));
        assert!(is_traceparent(ours.as_bytes()));
        assert!(ours.to_str().unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(ours.to_str().unwrap().ends_with("-01"));
        assert_ne!(ours, client);
        let none = HeaderValue::from_static("00-00000000000000000000000000000000-00f067aa0ba902b7-01");
        let fresh = value(Some(none.as_bytes()));
        assert!(is_traceparent(fresh.as_bytes()));
        assert_eq!(&fresh.as_bytes()[3..35], id.as_str().as_bytes());
        assert!(fresh.to_str().unwrap().ends_with("-00"));
    }
}
