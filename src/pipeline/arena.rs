//! Small header values cut from one buffer per worker, so that a number in a header costs no allocation.

use bytes::{BufMut, BytesMut};
use http::HeaderValue;
use std::cell::RefCell;

/// Bytes taken from the allocator at once.
const CHUNK: usize = 16 * 1024;

/// One worker's buffer.
#[derive(Debug, Default)]
pub struct Arena {
    buffer: RefCell<BytesMut>,
}

impl Arena {
    /// A decimal number.
    pub fn number(&self, number: u64) -> HeaderValue {
        self.value(20, |buffer| put_number(buffer, number))
    }

    /// The `RateLimit` field of draft-ietf-httpapi-ratelimit-headers: what remains, and seconds until there is more.
    pub fn rate_limit(&self, remaining: u32, seconds: u64) -> HeaderValue {
        self.value(64, |buffer| {
            buffer.put_slice(b"\"default\";r=");
            put_number(buffer, remaining.into());
            buffer.put_slice(b";t=");
            put_number(buffer, seconds);
        })
    }

    /// Whatever `write` puts into the buffer: at most `most` bytes, visible ASCII.
    pub fn value(&self, most: usize, write: impl FnOnce(&mut BytesMut)) -> HeaderValue {
        let mut buffer = self.buffer.borrow_mut();
        if buffer.capacity() - buffer.len() < most {
            *buffer = BytesMut::with_capacity(CHUNK.max(most));
        }
        write(&mut buffer);
        let bytes = buffer.split().freeze();
        HeaderValue::from_maybe_shared(bytes).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Two digits at a time.
fn put_number(buffer: &mut BytesMut, mut number: u64) {
    const PAIRS: &[u8; 200] = b"000102030405060708091011121314151617181920212223242526272829\
        30313233343536373839404142434445464748495051525354555657585960616263646566676869\
        707172737475767778798081828384858687888990919293949596979899";
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while number >= 100 {
        let pair = (number % 100) as usize * 2;
        number /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if number >= 10 {
        let pair = number as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    buffer.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_out() {
        let arena = Arena::default();
        for number in [0, 7, 10, 1_800_000_000, u64::MAX] {
            assert_eq!(arena.number(number).to_str().unwrap(), number.to_string());
        }
        assert_eq!(arena.rate_limit(59, 1).to_str().unwrap(), "\"default\";r=59;t=1");
        for _ in 0..10_000 {
            assert_eq!(arena.number(12_345), "12345");
        }
    }
}
