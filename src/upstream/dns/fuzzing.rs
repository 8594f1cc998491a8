//! What the fuzz targets try of the resolver. Nothing else uses it.

use super::message::{self, Kind};
use std::net::IpAddr;

/// What a server says of a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The addresses, in the order of the message.
    pub addresses: Vec<IpAddr>,
    /// Seconds for which the answer holds.
    pub ttl_s: Option<u32>,
    /// It did not fit.
    pub truncated: bool,
    /// 0 when all is well.
    pub code: u8,
}

fn kind(ipv6: bool) -> Kind {
    if ipv6 { Kind::Aaaa } else { Kind::A }
}

/// The question for the addresses of a name.
pub fn question(id: u16, name: &str, ipv6: bool) -> Option<Vec<u8>> {
    message::question(id, name, kind(ipv6))
}

/// Reads the answer to a question.
pub fn answer(answer: &[u8], question: &[u8], ipv6: bool) -> Option<Answer> {
    let read = message::answer(answer, question, kind(ipv6))?;
    Some(Answer { addresses: read.addresses, ttl_s: read.ttl_s, truncated: read.truncated, code: read.code })
}
