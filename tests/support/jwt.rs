//! Tokens as a client may present them, well made or not, and the check of the upstream's identity token.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// `jwt.secret` of every gateway of the suite.
pub(crate) const SECRET: &str = "a-secret-of-the-test-suite-with-more-than-32-characters";

/// Encodes one part of a token.
pub(crate) fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    decode(token.split('.').nth(1).expect("a payload"))
}

/// The header of a token, unchecked.
pub(crate) fn header(token: &str) -> Value {
    decode(token.split('.').next().expect("a header"))
}

fn decode(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url without padding");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A token signed with HMAC-SHA256.
pub(crate) fn sign(header: &Value, claims: &Value, secret: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Signs claims the way the gateway does for a token made from an Ocriva key: with a key derived from the secret.
pub(crate) fn of_key(claims: &Value) -> String {
    sign(&json!({"alg": "HS256", "typ": "JWT"}), claims, ocriva_secret())
}

/// What tokens made from Ocriva keys are signed with.
pub(crate) fn ocriva_secret() -> impl AsRef<[u8]> {
    let root = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&root, b"portcullis: tokens made from ocriva keys, 1")
}

/// Signs claims the way the gateway does for people.
pub(crate) fn hs256(claims: &Value) -> String {
    sign(&json!({"alg": "HS256", "typ": "JWT"}), claims, SECRET)
}

/// The claims of an access token of a person of the `ocore` dialect, good for an hour, or as long as the session.
pub(crate) fn access_claims(user: &str) -> Value {
    let now = super::wait::now().unix_s();
    json!({
        "iss": "portcullis", "aud": "portcullis:ocore", "typ": "access", "sub": user,
        "sid": super::world::session_id(user), "iat": now, "exp": now + 3600, "jti": super::fixture::random_hex(16),
    })
}

/// An access token of a person, with a session that is put into this store: a login would hash a password.
pub(crate) fn access(database: &std::path::Path, user: &str) -> String {
    super::world::begin_session(database, user);
    hs256(&access_claims(user))
}

/// Checks a token against a published key set (Ed25519) and gives its claims.
pub(crate) fn verify_identity(token: &str, jwks: &Value) -> Value {
    let kid = header(token)["kid"].clone();
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("no {kid} in {jwks}"));
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")), "{key}");
    assert_eq!(key.get("d"), None, "a private key was published");
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().expect("x")).expect("base64url");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public)
        .verify(signed.as_bytes(), &signature)
        .expect("the identity token's signature holds");
    claims(token)
}
