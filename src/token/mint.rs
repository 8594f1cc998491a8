//! New keys, and which family a presented one belongs to.

use super::Secret;

/// The family of a key, told by its prefix. The rest of a presented key is never validated, only looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFamily {
    /// `ocr_`
    Ocriva,
    /// `ocore_`
    Ocore,
}

impl KeyFamily {
    /// The family whose prefix `text` starts with.
    pub fn of(text: &str) -> Option<Self> {
        if text.starts_with("ocr_") {
            Some(Self::Ocriva)
        } else if text.starts_with("ocore_") {
            Some(Self::Ocore)
        } else {
            None
        }
    }

    /// The name by which stores and fixtures know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ocriva => "ocriva",
            Self::Ocore => "ocore",
        }
    }

    fn mint_prefix(self) -> &'static str {
        match self {
            Self::Ocriva => "ocr_",
            Self::Ocore => "ocore_k_",
        }
    }
}

/// Makes a key: the family's prefix and 64 lowercase hexadecimal digits of 256 random bits.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn mint(family: KeyFamily) -> Result<Secret, aws_lc_rs::error::Unspecified> {
    random_secret(family.mint_prefix())
}

/// A prefix and 64 lowercase hexadecimal digits of 256 random bits.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn random_secret(prefix: &str) -> Result<Secret, aws_lc_rs::error::Unspecified> {
    use std::fmt::Write;
    let mut random = [0u8; 32];
    aws_lc_rs::rand::fill(&mut random)?;
    let mut text = String::with_capacity(prefix.len() + 64);
    text.push_str(prefix);
    for byte in random {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_has_the_published_shape() {
        let key = mint(KeyFamily::Ocriva).unwrap();
        assert_eq!(key.expose().len(), 68);
        assert!(key.expose()[4..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert!(mint(KeyFamily::Ocore).unwrap().expose().starts_with("ocore_k_"));
        assert_ne!(key, mint(KeyFamily::Ocriva).unwrap());
        assert_eq!(format!("{key:?}"), "Secret(redacted)");
    }

    #[test]
    fn prefixes_that_share_letters_stay_apart() {
        assert_eq!(KeyFamily::of("ocr_1"), Some(KeyFamily::Ocriva));
        assert_eq!(KeyFamily::of("ocore_key_1"), Some(KeyFamily::Ocore));
        assert_eq!(KeyFamily::of("ocr"), None);
        assert_eq!(KeyFamily::of("OCR_1"), None);
    }
}
