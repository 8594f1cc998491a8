//! Second factors: time-based one-time passwords (RFC 6238 over RFC 4226: HMAC-SHA-1, six digits, thirty seconds, what
//! every authenticator speaks), and recovery codes for who has lost theirs.

use super::Secret;
use crate::clock::Moment;
use aws_lc_rs::hmac;

/// Seconds that a code lasts.
const STEP_S: u64 = 30;
/// Clocks differ: codes of this many steps before and after the present one are taken.
const SKEW: u64 = 1;
/// 160 bits, as many as the digest has (RFC 4226, 4).
const SECRET_BYTES: usize = 20;
/// 80 bits: enough that a fast digest may be kept of it.
const RECOVERY_BYTES: usize = 10;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret to share with an authenticator, in base32 (RFC 4648, 6).
///
/// # Errors
/// When the system has no random bytes to give.
pub fn new_secret() -> Result<Secret, aws_lc_rs::error::Unspecified> {
    random::<SECRET_BYTES>().map(Secret::new)
}

/// A new recovery code: four groups of four letters and digits.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn new_recovery_code() -> Result<Secret, aws_lc_rs::error::Unspecified> {
    let text = random::<RECOVERY_BYTES>()?.to_lowercase();
    let groups: Vec<&str> = (0..4).map(|group| &text[group * 4..group * 4 + 4]).collect();
    Ok(Secret::new(groups.join("-")))
}

/// A recovery code as it is compared: without what people add when they type it off.
pub fn recovery_code(typed: &str) -> Secret {
    let kept = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    Secret::new(kept.flat_map(char::to_lowercase).collect())
}

/// The time step for which `code` is right at `now`; `None` when it is wrong.
pub fn step_of(secret: &Secret, code: &str, now: Moment) -> Option<u64> {
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &decoded(secret.expose())?);
    let present = now.unix_s() / STEP_S;
    let shown = Secret::from(code);
    let mut steps = (present.saturating_sub(SKEW)..=present + SKEW).rev();
    // The latest one, so that an earlier one of the same digits is not good afterwards. Compared in constant time.
    steps.find(|step| Secret::new(format!("{:06}", number(&key, *step, 1_000_000))) == shown)
}

/// The URL that authenticators read, from a picture of it as a rule.
pub fn url(secret: &Secret, issuer: &str, account: &str) -> Secret {
    let (issuer, account) = (escaped(issuer), escaped(account));
    Secret::new(format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
        secret.expose()
    ))
}

/// RFC 4226, 5.3.
fn number(key: &hmac::Key, step: u64, modulus: u32) -> u32 {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 0x0f);
    let four = [tag[offset] & 0x7f, tag[offset + 1], tag[offset + 2], tag[offset + 3]];
    u32::from_be_bytes(four) % modulus
}

fn random<const BYTES: usize>() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut random = [0u8; BYTES];
    aws_lc_rs::rand::fill(&mut random)?;
    Ok(encoded(&random))
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(5) {
        let mut five = [0u8; 8];
        five[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(five);
        let characters = (group.len() * 8).div_ceil(5);
        text.extend((0..characters).map(|at| char::from(ALPHABET[(bits >> (35 - 5 * at) & 31) as usize])));
    }
    text
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character)? as u32;
        (bits, held) = (bits << 5 | value, held + 5);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// RFC 3986, 2.1: all but the unreserved.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Moment = |seconds| Moment { mono_ns: 0, unix_ms: seconds * 1000 };

    /// RFC 6238, appendix B, the rows of SHA-1.
    #[test]
    fn the_rfc_s_vectors() {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345678901234567890");
        for (seconds, wanted) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000u64, 65_353_130),
        ] {
            assert_eq!(number(&key, seconds / STEP_S, 100_000_000), wanted, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_right_around_its_time() {
        let secret = Secret::new(encoded(b"12345678901234567890"));
        assert_eq!(secret.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        // The code of step 1, which lasts from 30 to 59 s; a step before and after it take it too.
        for (seconds, right) in
            [(0, true), (30, true), (59, true), (89, true), (90, false), (1_000_000, false)]
        {
            assert_eq!(step_of(&secret, "287082", AT(seconds)), right.then_some(1), "{seconds}");
        }
        for wrong in ["", "28708", "2870820", "28708x", "000000", "٢٨٧٠٨٢"] {
            assert_eq!(step_of(&secret, wrong, AT(59)), None, "{wrong}");
        }
    }

    #[test]
    fn base32_goes_there_and_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "MY"),
            (b"fo", "MZXQ"),
            (b"foo", "MZXW6"),
            (b"foob", "MZXW6YQ"),
            (b"fooba", "MZXW6YTB"),
            (b"foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!((encoded(bytes).as_str(), decoded(text).unwrap().as_slice()), (text, bytes));
        }
        assert_eq!(decoded("m1"), None);
    }

    #[test]
    fn secrets_and_codes_are_random_and_read_well() {
        let secret = new_secret().unwrap();
        assert!(secret.expose().len() == 32 && secret != new_secret().unwrap());
        let code = new_recovery_code().unwrap();
        assert_eq!(code.expose().split('-').map(str::len).collect::<Vec<_>>(), [4; 4]);
        assert_eq!(
            recovery_code(&format!(" {} ", code.expose().to_uppercase())),
            recovery_code(code.expose())
        );
    }

    #[test]
    fn the_url_is_escaped() {
        let url = url(&"ABC".into(), "oCore", "a b@example.com");
        let wanted = "otpauth://totp/oCore:a%20b%40example.com?secret=ABC&issuer=oCore&algorithm=SHA1&digits=6&period=30";
        assert_eq!(url.expose(), wanted);
    }
}
