//! Identifiers are opaque strings: compared byte for byte, never parsed (CONTRACT of both dialects).

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )+};
}

id! {
    /// An organization: the tenant.
    OrganizationId,
    /// A project of an organization.
    ProjectId,
    /// A person.
    UserId,
}

/// A key, under all its values: it names the rate-limit bucket and survives regeneration.
///
/// A million of them are held, so that what most of them are made of takes 24 bytes and no allocation: UUIDs, up to 32
/// hexadecimal digits, any text of up to 22 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenId(Packed);

/// Each text has one form only, so that two ids are the same text exactly when their forms are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Packed {
    /// A UUID in lower case, with its four hyphens.
    Uuid([u8; 16]),
    /// So many pairs of hexadecimal digits in lower case; zeros behind them.
    Hex(u8, [u8; 16]),
    /// So many bytes; zeros behind them.
    Short(u8, [u8; SHORT]),
    /// Anything else.
    Long(Arc<str>),
}

const SHORT: usize = 22;

/// Bytes of a UUID's text, and where its hyphens are.
const UUID: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The text of a [`TokenId`], for as long as it is looked at.
#[derive(Clone)]
pub enum IdText<'a> {
    /// Written out: so many bytes of these.
    Written(u8, [u8; UUID]),
    /// As it is held.
    Held(&'a str),
}

impl TokenId {
    /// The identifier's text.
    pub fn text(&self) -> IdText<'_> {
        match &self.0 {
            Packed::Long(text) => IdText::Held(text),
            Packed::Uuid(bytes) => IdText::Written(UUID as u8, uuid(bytes)),
            Packed::Hex(pairs, bytes) => {
                let mut text = [0; UUID];
                let pairs = usize::from(*pairs);
                write_hex(&bytes[..pairs], &mut text);
                IdText::Written((pairs * 2) as u8, text)
            }
            Packed::Short(length, bytes) => {
                let mut text = [0; UUID];
                text[..SHORT].copy_from_slice(bytes);
                IdText::Written(*length, text)
            }
        }
    }
}

impl From<&str> for TokenId {
    fn from(text: &str) -> Self {
        let bytes = text.as_bytes();
        let packed = packed_uuid(bytes).or_else(|| packed_hex(bytes)).or_else(|| packed_short(bytes));
        Self(packed.unwrap_or_else(|| Packed::Long(text.into())))
    }
}

impl From<String> for TokenId {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text(), f)
    }
}

impl Deref for IdText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            // What was written was a text, or digits.
            Self::Written(length, bytes) => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
            }
            Self::Held(text) => text,
        }
    }
}

impl fmt::Debug for IdText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

fn packed_uuid(text: &[u8]) -> Option<Packed> {
    let text: &[u8; UUID] = text.try_into().ok()?;
    if HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut digits = text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, byte)| *byte);
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = pair(digits.next()?, digits.next()?)?;
    }
    Some(Packed::Uuid(bytes))
}

fn packed_hex(text: &[u8]) -> Option<Packed> {
    if text.len() > 32 || !text.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = pair(digits[0], digits[1])?;
    }
    Some(Packed::Hex((text.len() / 2) as u8, bytes))
}

fn packed_short(text: &[u8]) -> Option<Packed> {
    let mut bytes = [0; SHORT];
    bytes.get_mut(..text.len())?.copy_from_slice(text);
    Some(Packed::Short(text.len() as u8, bytes))
}

fn uuid(bytes: &[u8; 16]) -> [u8; UUID] {
    let mut text = [b'-'; UUID];
    for (group, at) in [(0..4, 0), (4..6, 9), (6..8, 14), (8..10, 19), (10..16, 24)] {
        write_hex(&bytes[group], &mut text[at..]);
    }
    text
}

/// Two hexadecimal digits in lower case as a byte.
fn pair(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    Some(value(high)? << 4 | value(low)?)
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn any_text_comes_back_as_it_went_in_and_is_nobody_else_s() {
        let texts = [
            "",
            "a",
            "0",
            "00",
            "0a",
            "0A",
            "t-1",
            "abcdef",
            "abcdeg",
            "68da2880b45d7a01d90a3c51",
            "68da2880b45d7a01d90a3c5",
            "68DA2880B45D7A01D90A3C51",
            "68da2880b45d7a01d90a3c5100000000",
            "68da2880b45d7a01d90a3c510000000000",
            "68db5cc4c78g1e17gd4c7h85",
            "0199f0c1-7a3e-7b2c-8d4e-5f6a7b8c9d0e",
            "0199F0C1-7a3e-7b2c-8d4e-5f6a7b8c9d0e",
            "0199f0c17-a3e-7b2c-8d4e-5f6a7b8c9d0e",
            "0199f0c17a3e7b2c8d4e5f6a7b8c9d0e",
            "twenty-two bytes long.",
            "twenty-three bytes long",
            "กุญแจ",
            "กุญแจของเครื่องสแกนใบเสร็จ",
            "\0",
            "\0\0",
            "an id may have up to sixty-four characters, any of them but one.",
        ];
        let ids: HashSet<TokenId> = texts.iter().map(|text| TokenId::from(*text)).collect();
        assert_eq!(ids.len(), texts.len());
        for text in texts {
            let id = TokenId::from(text);
            assert_eq!(&*id.text(), text);
            assert_eq!(id.to_string(), text);
            assert_eq!(id, TokenId::from(text.to_owned()));
            assert!(ids.contains(&id));
        }
    }

    #[test]
    fn an_id_is_small() {
        assert_eq!(size_of::<TokenId>(), 24);
        let text = "0199f0c1-7a3e-7b2c-8d4e-5f6a7b8c9d0e";
        for inline in [text, "68da2880b45d7a01d90a3c51", "0199f0c17a3e7b2c8d4e5f6a7b8c9d0e"] {
            assert!(!matches!(TokenId::from(inline).0, Packed::Long(_)), "{inline}");
        }
    }
}
