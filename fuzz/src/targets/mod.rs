//! What is tried, each in a file: a function that panics where a property does not hold. Both the fuzzer and
//! `tests/suite/fuzz_cases.rs` compile this folder.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod certificate;
pub(crate) mod config;
pub(crate) mod credential;
pub(crate) mod cursor;
pub(crate) mod dns;
pub(crate) mod fixture;
pub(crate) mod forwarded;
pub(crate) mod head;
pub(crate) mod json;
pub(crate) mod jwt;
pub(crate) mod log;
pub(crate) mod multipart;
pub(crate) mod path;
pub(crate) mod proxy;
pub(crate) mod query;
pub(crate) mod traceparent;
pub(crate) mod webhook;

/// The input as text; what is none is of no interest to readers of text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Undoes all escapes that are whole, as every server does.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (mut plain, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

/// How an input is cut into pieces: its first byte says.
fn pieces(cut: u8, data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut state = u32::from(cut) | 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match cut % 4 {
            0 => 1,
            1 => rest.len(),
            2 => usize::from(cut / 4) + 1,
            _ => (state >> 24) as usize + 1,
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        Some(piece)
    })
}
