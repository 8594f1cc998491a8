//! Answers of name servers, against a plain reader. An input is what stands behind the question: flags and code, how many
//! records there are, the records.

use portcullis::upstream::dns::fuzzing::{Answer, answer, question};
use std::net::IpAddr;

pub(crate) fn check(data: &[u8]) {
    let asked = question(0x1234, "api.example.com", false).expect("a question");
    assert_eq!(answer(data, &asked, false), None, "no answer to this question");
    let Some((&[flags, code, high, low], records)) = data.split_first_chunk::<4>() else { return };
    let mut message = asked.clone();
    (message[2], message[3], message[6], message[7]) = (flags, code, high, low);
    message.extend_from_slice(records);
    for ipv6 in [false, true] {
        let asked = question(0x1234, "api.example.com", ipv6).expect("a question");
        let at = asked.len() - 4;
        message[at..asked.len()].copy_from_slice(&asked[at..]);
        let read = answer(&message, &asked, ipv6);
        assert_eq!(read, plain(&message, asked.len(), ipv6));
        assert!(read.is_none_or(|read| read.addresses.len() * 4 <= records.len()));
        assert_eq!(answer(&message[1..], &asked, ipv6), None);
    }
    for length in 0..data.len().min(300) {
        let _ = data.get(..length).and_then(|name| question(1, std::str::from_utf8(name).ok()?, true));
    }
}

/// The same, by offsets.
fn plain(message: &[u8], mut at: usize, ipv6: bool) -> Option<Answer> {
    let word = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
    let truncated = message[2] & 2 != 0;
    let mut read = Answer { addresses: Vec::new(), ttl_s: None, truncated, code: message[3] & 15 };
    if message[2] & 0x80 == 0 {
        return None;
    }
    for _ in 0..word(6)? {
        let one = (|| {
            while !matches!(*message.get(at)?, 0 | 0xc0..) {
                let label = usize::from(*message.get(at)?);
                at += if label < 64 { label + 1 } else { return None };
            }
            at += if message[at] == 0 { 1 } else { 2 };
            let (kind, class, length) = (word(at)?, word(at + 2)?, usize::from(word(at + 8)?));
            let ttl = u32::from(word(at + 4)?) << 16 | u32::from(word(at + 6)?);
            let data = message.get(at + 10..at + 10 + length)?;
            at += 10 + length;
            Some((kind, class, ttl, data))
        })();
        let (kind, class, ttl, data) = match one {
            Some(one) => one,
            None if truncated => break,
            None => return None,
        };
        let address: Option<IpAddr> = match (kind, class, ipv6, data.len()) {
            (1, 1, false, 4) => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            (28, 1, true, 16) => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        if address.is_some() || kind == 5 {
            read.ttl_s = Some(read.ttl_s.unwrap_or(u32::MAX).min(ttl));
        }
        read.addresses.extend(address);
    }
    Some(read)
}
