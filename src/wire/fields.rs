//! Field lines: read into a map without copying a value, written from name and value.

use super::{Error, Scratch};
use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;

/// Most fields of a head or trailer section.
pub const MOST_FIELDS: usize = 100;

/// Where the names and values of a head stand in its buffer, so that values can share the buffer's memory once it is
/// theirs.
#[derive(Debug, Default)]
pub struct Spans(Vec<[u32; 4]>);

impl Spans {
    /// Notes where the fields of a parsed head stand in `buffer`.
    pub fn note(&mut self, buffer: &[u8], headers: &[Header<'_>]) {
        let base = buffer.as_ptr().addr();
        let span = |text: &[u8]| {
            let start = (text.as_ptr().addr() - base) as u32;
            [start, start + text.len() as u32]
        };
        self.0.clear();
        self.0.extend(headers.iter().map(|header| {
            let ([a, b], [c, d]) = (span(header.name.as_bytes()), span(header.value));
            [a, b, c, d]
        }));
    }

    /// Puts the fields into a map. `look` sees each one first; those for which it says false are left out.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what no field can be, and whatever `look` says.
    pub fn read(
        &self,
        head: &Bytes,
        scratch: &Scratch,
        mut look: impl FnMut(&HeaderName, &[u8]) -> Result<bool, Error>,
    ) -> Result<HeaderMap, Error> {
        let mut fields = scratch.map();
        for &[a, b, c, d] in &self.0 {
            let (a, b, c, d) = (a as usize, b as usize, c as usize, d as usize);
            let name = scratch.name(&head[a..b]).ok_or(Error::Malformed("a field's name is malformed"))?;
            if !look(&name, &head[c..d])? {
                continue;
            }
            let value = HeaderValue::from_maybe_shared(head.slice(c..d));
            fields.append(name, value.map_err(|_| Error::Malformed("a field's value is malformed"))?);
        }
        Ok(fields)
    }
}

/// The one length that all `Content-Length` values seen so far name.
///
/// # Errors
/// [`Error::Malformed`] when it is no number, or not the one before.
pub fn length(before: Option<u64>, value: &[u8]) -> Result<u64, Error> {
    let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| plain);
    let length = text.and_then(|text| text.parse::<u64>().ok());
    let length = length.ok_or(Error::Malformed("its Content-Length is no number"))?;
    if before.is_some_and(|before| before != length) {
        return Err(Error::Malformed("it has two lengths"));
    }
    Ok(length)
}

/// One line; names and values are valid by their types, so that none can end a line.
pub fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A decimal number, two digits at a time.
pub fn write_number(out: &mut impl BufMut, mut number: u64) {
    if let Ok(digit @ 0..10) = u8::try_from(number) {
        return out.put_u8(b'0' + digit);
    }
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
    out.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_out() {
        for number in [0, 7, 10, 99, 100, 101, 12_345, 1_800_000_000, u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
