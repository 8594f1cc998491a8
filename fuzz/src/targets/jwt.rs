//! JWTs: nothing is accepted that was not signed with the key, and of what was signed only what its claims allow. An input
//! is either a token's text, or (after the byte 0) a byte that says how it is signed, a header, a line end, and claims.

use super::text;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::clock::Moment;
use portcullis::token::Secret;
use portcullis::token::jwt::{Audience, ClientTokens};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const SECRET: &str = "the fuzzer's secret, of 32 characters or more";
const NOW: Moment = Moment { mono_ns: 0, unix_ms: 1_800_000_000_000 };

static TOKENS: LazyLock<ClientTokens> = LazyLock::new(|| ClientTokens::new(&Secret::from(SECRET), None));

pub(crate) fn check(data: &[u8]) {
    let [0, how, rest @ ..] = data else {
        let Some(token) = text(data) else { return };
        return shown(token);
    };
    let at = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let (header, claims) = (&rest[..at], rest.get(at + 1..).unwrap_or_default());
    let body = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signed = |key: &[u8]| {
        URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes()))
    };
    let signature = match how % 6 {
        0 => signed(SECRET.as_bytes()),
        1 => signed(&ocriva_key()),
        2 => signed(b"another secret of at least 32 characters"),
        3 => signed(b""),
        4 => String::new(),
        _ => signed(SECRET.as_bytes())[..usize::from(how / 6).min(42)].to_owned(),
    };
    shown(&format!("{body}.{signature}"));
}

/// What is accepted was signed, for this surface, and its claims say so.
fn shown(token: &str) {
    for (audience, key, name) in [
        (Audience::Ocore, SECRET.as_bytes().to_vec(), "portcullis:ocore"),
        (Audience::Ocriva, ocriva_key(), "portcullis:ocriva"),
    ] {
        let accepted = TOKENS.verify(audience, token, NOW).is_ok();
        if !is_signed(token, &key) {
            assert!(!accepted, "{token} was not signed for {name}");
        } else if accepted {
            assert!(allows(token, name), "{token} does not say that it is for {name} and now");
        }
        assert!(!accepted || TOKENS.signed_here(token));
        assert_eq!(
            accepted && audience == Audience::Ocore,
            TOKENS.session(token, NOW).is_ok() && audience == Audience::Ocore
        );
    }
    if TOKENS.signed_here(token) {
        assert!(is_signed(token, SECRET.as_bytes()) || is_signed(token, &ocriva_key()), "{token}");
    }
}

/// The signature, checked without the library that the program checks it with.
fn is_signed(token: &str, key: &[u8]) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return false };
    let (key, Ok(tag)) = (hmac::Key::new(hmac::HMAC_SHA256, key), URL_SAFE_NO_PAD.decode(signature)) else {
        return false;
    };
    hmac::verify(&key, format!("{header}.{claims}").as_bytes(), &tag).is_ok()
}

fn allows(token: &str, audience: &str) -> bool {
    // The library passes over what it does not keep, be it UTF-8 or not, and numbers beyond all bounds.
    let json = |part: &str| -> Option<BTreeMap<String, Value>> {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&String::from_utf8_lossy(&bytes)).ok()?;
        let value = |text: &RawValue| serde_json::from_str(text.get()).unwrap_or(Value::Bool(false));
        Some(members.into_iter().map(|(name, text)| (name, value(&text))).collect())
    };
    let mut parts = token.split('.');
    let (Some(header), Some(claims)) = (parts.next().and_then(json), parts.next().and_then(json)) else {
        return false;
    };
    let claim = |name: &str| claims.get(name).unwrap_or(&Value::Null);
    let now = NOW.unix_s();
    let kind = if audience == "portcullis:ocore" { "access" } else { "ocriva_key" };
    let names = *claim("iss") == "portcullis" && *claim("aud") == audience && *claim("typ") == kind;
    let over = claim("exp").as_u64().is_none_or(|exp| exp <= now);
    let early = !claim("nbf").is_null() && claim("nbf").as_u64().is_none_or(|nbf| nbf > now);
    header.get("alg").is_some_and(|alg| alg == "HS256")
        && header.get("crit").is_none_or(Value::is_null)
        && names
        && !over
        && !early
}

fn ocriva_key() -> Vec<u8> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&root, b"portcullis: tokens made from ocriva keys, 1").as_ref().to_vec()
}
