//! What clients say of the trace that a request is a part of (W3C Trace Context).

use crate::telemetry::traces::{SpanId, TraceId};
use http::HeaderName;

pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What a client says of its trace: a valid `traceparent` (W3C Trace Context, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) flags: u8,
}

impl Parent {
    /// Reads version 00, and of a later one what it has in common with it (4.3).
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let (version, rest) = (value.get(..2)?, value.get(55..)?);
        let later = version != b"00" && version != b"ff" && rest.first().is_none_or(|next| *next == b'-');
        if !(version == b"00" && rest.is_empty() || later) {
            return None;
        }
        number(version)?;
        if [value[2], value[35], value[52]] != *b"---" {
            return None;
        }
        let span = SpanId::try_from(number(&value[36..52])?).ok()?;
        let (trace, flags) = (number(&value[3..35])?, u8::try_from(number(&value[53..55])?).ok()?);
        (trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// Whether it is recorded.
    pub(super) fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

/// A number of lower-case hexadecimal digits.
pub(super) fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_one_is_read() {
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
        let whole = Some(Parent { trace, span: 0x00f0_67aa_0ba9_02b7, flags: 1 });
        let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        for (text, wanted) in [
            (format!("00-{ids}-01"), whole),
            (format!("00-{ids}-00"), whole.map(|parent| Parent { flags: 0, ..parent })),
            (format!("cc-{ids}-01"), whole),
            (format!("cc-{ids}-01-what-will-be"), whole),
            (format!("cc-{ids}-01.what-will-be"), None),
            (format!("00-{ids}-01-what-will-be"), None),
            (format!("ff-{ids}-01"), None),
            (format!("0g-{ids}-01"), None),
            (format!("00-{}-01", ids.to_uppercase()), None),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), None),
            (format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16)), None),
            (format!("00-{ids}-0"), None),
            (format!("00_{ids}_01"), None),
            (String::new(), None),
        ] {
            assert_eq!(Parent::parse(text.as_bytes()), wanted, "{text}");
        }
    }
}
