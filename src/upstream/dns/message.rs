//! DNS messages as a stub resolver needs them (RFC 1035, 4): one question out, addresses and their time to live in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    A = 1,
    Aaaa = 28,
}

const CNAME: u16 = 5;
const INTERNET: u16 = 1;
const HEADER: usize = 12;

/// What a server says of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) addresses: Vec<IpAddr>,
    /// Seconds for which the answer holds.
    pub(super) ttl_s: Option<u32>,
    /// It did not fit; the whole is to be had over TCP.
    pub(super) truncated: bool,
    /// 0 when all is well, 3 when there is no such name.
    pub(super) code: u8,
}

/// A question; `None` when the name can not be asked for.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend_from_slice(&id.to_be_bytes());
    // Recursion desired; one question.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    if message.len() > HEADER + 255 {
        return None;
    }
    message.extend_from_slice(&(kind as u16).to_be_bytes());
    message.extend_from_slice(&INTERNET.to_be_bytes());
    Some(message)
}

/// Reads the answer to a question; `None` for whatever is no answer to it. The server is trusted to have followed
/// aliases, as with every stub resolver: addresses are taken whichever of the names they stand at.
pub(super) fn answer(message: &[u8], question: &[u8], kind: Kind) -> Option<Answer> {
    let asked = question.get(HEADER..)?;
    let echoed = message.get(HEADER..HEADER + asked.len())?;
    let is_answer =
        message[2] & 0x80 != 0 && message[..2] == question[..2] && echoed.eq_ignore_ascii_case(asked);
    if !is_answer || message[4..6] != [0, 1] {
        return None;
    }
    let mut answer =
        Answer { truncated: message[2] & 0x02 != 0, code: message[3] & 0x0f, ..Answer::default() };
    let mut rest = &message[HEADER + asked.len()..];
    for _ in 0..u16::from_be_bytes([message[6], message[7]]) {
        match record(&mut rest) {
            Some(record) => answer.take(&record, kind),
            // A truncated answer may end anywhere.
            None if answer.truncated => break,
            None => return None,
        }
    }
    Some(answer)
}

impl Answer {
    fn take(&mut self, record: &Record<'_>, kind: Kind) {
        let address: Option<IpAddr> = match (record.kind, record.class, kind) {
            (1, INTERNET, Kind::A) => <[u8; 4]>::try_from(record.data).ok().map(|b| Ipv4Addr::from(b).into()),
            (28, INTERNET, Kind::Aaaa) => {
                <[u8; 16]>::try_from(record.data).ok().map(|b| Ipv6Addr::from(b).into())
            }
            _ => None,
        };
        if address.is_some() || record.kind == CNAME {
            self.ttl_s = Some(self.ttl_s.map_or(record.ttl_s, |ttl| ttl.min(record.ttl_s)));
        }
        self.addresses.extend(address);
    }
}

struct Record<'m> {
    kind: u16,
    class: u16,
    ttl_s: u32,
    data: &'m [u8],
}

/// Takes a record off the front.
fn record<'m>(rest: &mut &'m [u8]) -> Option<Record<'m>> {
    skip_name(rest)?;
    let (head, tail) = rest.split_first_chunk::<10>()?;
    let [k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let data = tail.get(..length)?;
    *rest = &tail[length..];
    Some(Record {
        kind: u16::from_be_bytes([k0, k1]),
        class: u16::from_be_bytes([c0, c1]),
        ttl_s: u32::from_be_bytes([t0, t1, t2, t3]),
        data,
    })
}

fn skip_name(rest: &mut &[u8]) -> Option<()> {
    loop {
        let length = usize::from(*rest.first()?);
        match length {
            0 => {
                *rest = &rest[1..];
                return Some(());
            }
            // A pointer ends a name; where it points to is of no interest here.
            0xc0.. => {
                *rest = rest.get(2..)?;
                return Some(());
            }
            1..=63 => *rest = rest.get(1 + length..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(question: &[u8], records: &[(u16, u32, &[u8])]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] |= 0x80;
        message[7] = records.len() as u8;
        for (kind, ttl_s, data) in records {
            message.extend_from_slice(&[0xc0, 12]);
            message.extend_from_slice(&kind.to_be_bytes());
            message.extend_from_slice(&INTERNET.to_be_bytes());
            message.extend_from_slice(&ttl_s.to_be_bytes());
            message.extend_from_slice(&(data.len() as u16).to_be_bytes());
            message.extend_from_slice(data);
        }
        message
    }

    #[test]
    fn addresses_come_with_the_least_time_to_live() {
        let question = question(7, "a.example.", Kind::A).unwrap();
        let records: [(u16, u32, &[u8]); 3] =
            [(5, 60, &[1, b'b', 0]), (1, 30, &[10, 0, 0, 1]), (1, 90, &[10, 0, 0, 2])];
        let read = answer(&reply(&question, &records), &question, Kind::A).unwrap();
        assert_eq!(read.addresses, [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])]);
        assert_eq!((read.ttl_s, read.code, read.truncated), (Some(30), 0, false));
    }

    #[test]
    fn what_answers_another_question_is_passed_over() {
        let ours = question(7, "a.example", Kind::A).unwrap();
        for other in [
            question(8, "a.example", Kind::A),
            question(7, "b.example", Kind::A),
            question(7, "a.example", Kind::Aaaa),
        ] {
            let forged = reply(&other.unwrap(), &[(1, 30, &[10, 6, 6, 6])]);
            assert_eq!(answer(&forged, &ours, Kind::A), None);
        }
        assert_eq!(answer(&ours, &ours, Kind::A), None, "a question is no answer");
    }

    #[test]
    fn no_message_is_read_beyond_its_end() {
        let question = question(7, "a.example", Kind::A).unwrap();
        let whole = reply(&question, &[(1, 30, &[10, 0, 0, 1]), (1, 30, &[10, 0, 0, 2])]);
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], &question, Kind::A), None, "{length}");
        }
        let mut cut = whole[..whole.len() - 3].to_vec();
        cut[2] |= 0x02;
        let read = answer(&cut, &question, Kind::A).unwrap();
        assert!(read.truncated && read.addresses.len() == 1);
    }

    #[test]
    fn names_that_do_not_fit_are_not_asked_for() {
        assert_eq!(question(1, &"x".repeat(64), Kind::A), None);
        assert_eq!(question(1, &"x.".repeat(200), Kind::A), None);
        assert_eq!(question(1, "a..b", Kind::A), None);
    }
}
