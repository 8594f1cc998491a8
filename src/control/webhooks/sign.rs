//! Signatures as Standard Webhooks has them: HMAC-SHA256 over id, timestamp and raw body.

use crate::token::Secret;
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "whsec_";
/// Bytes of a secret that the gateway makes, and what it takes from people.
const MADE: usize = 32;
const TAKEN: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn new_secret() -> Result<Secret, aws_lc_rs::error::Unspecified> {
    let mut random = [0; MADE];
    rand::fill(&mut random)?;
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(random))))
}

/// Whether a secret is one: `whsec_` and the base64 of 24 to 64 bytes.
pub fn is_secret(secret: &Secret) -> bool {
    bytes(secret).is_some_and(|bytes| TAKEN.contains(&bytes.len()))
}

fn bytes(secret: &Secret) -> Option<Vec<u8>> {
    STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()
}

/// The value of `webhook-signature`; `None` when the secret is none.
pub(super) fn signature(secret: &Secret, id: &str, timestamp_s: u64, body: &str) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(secret)?);
    let tag = hmac::sign(&key, format!("{id}.{timestamp_s}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_specification_does() {
        // The test vector of the Standard Webhooks libraries.
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_is_long_enough_and_never_the_same() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert!(is_secret(&one) && one != other);
        for bad in ["", "whsec_", "whsec_AAAA", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(!is_secret(&Secret::from(bad)), "{bad}");
        }
    }
}
