//! Signs the identities that upstreams get, and publishes the keys to check them with (RFC 7515, 7517, 7518, 8037).

use super::signatures::{SIGNATURE, Signed};
use super::{Secret, Signatures};
use crate::clock::Moment;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::fmt;

/// Algorithms for the identity token (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// Ed25519; the default.
    EdDSA,
    /// ECDSA on P-256 with SHA-256, for JWT libraries that lack EdDSA.
    ES256,
}

impl SigningAlgorithm {
    /// The `alg` of its tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
        }
    }
}

/// A private key in memory, parsed once.
pub struct Signer {
    kid: String,
    key: Key,
    /// The encoded JOSE header with its closing dot.
    header: String,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// The key does not parse, or the system has no random bytes to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the signing key can not be used")]
pub struct BadKey;

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

impl Signer {
    /// Makes a new private key: PKCS#8, DER, base64.
    ///
    /// # Errors
    /// [`BadKey`] when the system has no random bytes to give.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Secret, BadKey> {
        let random = SystemRandom::new();
        let document = match algorithm {
            SigningAlgorithm::EdDSA => Ed25519KeyPair::generate_pkcs8(&random),
            SigningAlgorithm::ES256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
        };
        document.map(|pkcs8| Secret::new(STANDARD.encode(pkcs8.as_ref()))).map_err(|_| BadKey)
    }

    /// Reads a private key as [`Signer::generate`] makes it.
    ///
    /// # Errors
    /// [`BadKey`] when it does not parse.
    pub fn parse(kid: &str, algorithm: &str, private: &Secret) -> Result<Self, BadKey> {
        let pkcs8 = zeroize::Zeroizing::new(STANDARD.decode(private.expose()).map_err(|_| BadKey)?);
        let key = match algorithm {
            "EdDSA" => Key::Ed25519(Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| BadKey)?),
            "ES256" => Key::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map_err(|_| BadKey)?,
            ),
            _ => return Err(BadKey),
        };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": kid }).to_string();
        Ok(Self { kid: kid.to_owned(), key, header: format!("{}.", URL_SAFE_NO_PAD.encode(header)) })
    }

    /// The `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Writes claims as a JWT in compact form behind what is in `out`, signed at `now` or, where `signatures` has it from
    /// lately, before. Answers until when it may be used, seconds since 1970.
    ///
    /// # Errors
    /// [`BadKey`] when the system has no random bytes to give.
    pub fn write(
        &self,
        claims: &IdentityClaims<'_>,
        life: Life,
        now: Moment,
        signatures: &Signatures,
        out: &mut Vec<u8>,
    ) -> Result<u64, BadKey> {
        let mut payload = Vec::with_capacity(512);
        serde_json::to_writer(&mut payload, claims).map_err(|_| BadKey)?;
        let (ttl_s, not_after_s) = (life.ttl_s.to_ne_bytes(), life.not_after_s.to_ne_bytes());
        let code = signatures.code(&[self.header.as_bytes(), &payload, &ttl_s, &not_after_s]);
        let (now_s, since_s) = (now.unix_s(), life.fresh_since(now.unix_s()));
        let found = signatures.find(code, since_s).filter(|found| life.fresh_until(found.iat.into()) > now_s);
        let iat = match &found {
            Some(found) => found.iat,
            None => u32::try_from(now_s).map_err(|_| BadKey)?,
        };
        stamp(&mut payload, &signatures.id(code, iat), iat.into(), life.end(iat.into()));
        let from = out.len();
        out.extend_from_slice(self.header.as_bytes());
        encode(&payload, out);
        let signature = match found {
            Some(found) => found.signature,
            None => {
                let signature = self.signature(&out[from..])?;
                signatures.keep(code, &Signed { iat, signature }, since_s);
                signature
            }
        };
        out.push(b'.');
        encode(&signature, out);
        Ok(life.fresh_until(iat.into()))
    }

    fn signature(&self, message: &[u8]) -> Result<[u8; SIGNATURE], BadKey> {
        let signature = match &self.key {
            Key::Ed25519(key) => key.sign(message),
            Key::P256(key) => key.sign(&SystemRandom::new(), message).map_err(|_| BadKey)?,
        };
        signature.as_ref().try_into().map_err(|_| BadKey)
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        match &self.key {
            Key::Ed25519(key) => json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid,
                "x": URL_SAFE_NO_PAD.encode(key.public_key()),
            }),
            Key::P256(key) => {
                // Uncompressed point: 0x04, x, y (SEC 1, 2.3.3).
                let point = key.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
                })
            }
        }
    }
}

/// How long a token is good.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Seconds from when it is signed.
    pub ttl_s: u64,
    /// Not beyond this, seconds since 1970.
    pub not_after_s: u64,
}

impl Life {
    /// When one that is signed at `iat` ends.
    fn end(self, iat: u64) -> u64 {
        iat.saturating_add(self.ttl_s).min(self.not_after_s).max(iat)
    }

    /// It is used for the first four fifths of its life, so that it is still good when the upstream looks at it.
    fn fresh_until(self, iat: u64) -> u64 {
        iat + ((self.end(iat) - iat) * 4).div_ceil(5)
    }

    /// What was signed earlier is not fresh any more.
    fn fresh_since(self, now_s: u64) -> u64 {
        now_s.saturating_sub((self.ttl_s.saturating_mul(4)).div_ceil(5)).max(1)
    }
}

/// Ends claims with which token it is, and from when until when it is good.
fn stamp(payload: &mut Vec<u8>, id: &[u8; 16], iat: u64, exp: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // The brace of their end; there are claims before it.
    payload.pop();
    payload.extend_from_slice(b",\"jti\":\"");
    payload.extend(id.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]));
    payload.extend_from_slice(b"\",\"iat\":");
    payload.extend_from_slice(itoa::Buffer::new().format(iat).as_bytes());
    payload.extend_from_slice(b",\"exp\":");
    payload.extend_from_slice(itoa::Buffer::new().format(exp).as_bytes());
    payload.push(b'}');
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, 0);
    // It fits: what is encoded is a third longer, rounded up.
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut out[from..]).unwrap_or(0);
    out.truncate(from + written);
}

/// The claims of an upstream identity, less its id (`jti`) and times (`iat`, `exp`).
#[derive(Debug, serde::Serialize)]
pub struct IdentityClaims<'a> {
    /// Who signed: the configured issuer.
    pub iss: &'a str,
    /// Whom it is for: the upstream's name.
    pub aud: &'a str,
    /// The key's or person's id.
    pub sub: &'a str,
    /// The organization's id.
    pub org: Option<&'a str>,
    /// The project's id, where the request is held to one.
    pub project: Option<&'a str>,
    /// As granted.
    pub permissions: Vec<&'a str>,
    /// As granted.
    pub scopes: Vec<&'a str>,
}

/// The keys in force at one time.
#[derive(Debug)]
pub struct KeyRing {
    signer: Signer,
    jwks: String,
}

impl KeyRing {
    /// The newest of `keys` that signs already at `now` becomes the signer, or else the first that will; all are published.
    /// Each is `(kid, algorithm, private key, signs from, in ms since 1970)`.
    ///
    /// # Errors
    /// [`BadKey`] when one does not parse, or there is none.
    pub fn new<'a>(
        keys: impl Iterator<Item = (&'a str, &'a str, &'a Secret, u64)>,
        now: Moment,
    ) -> Result<Self, BadKey> {
        let mut signers = Vec::new();
        for (kid, algorithm, private, signs_from_ms) in keys {
            signers.push((signs_from_ms, Signer::parse(kid, algorithm, private)?));
        }
        signers.sort_by_key(|(from, _)| *from);
        let published: Vec<Value> = signers.iter().map(|(_, signer)| signer.jwk()).collect();
        // None signs yet when another node, whose clock is a little ahead, has just made the first one.
        let signs = signers.iter().rposition(|(from, _)| *from <= now.unix_ms).unwrap_or(0);
        let (_, signer) = signers.into_iter().nth(signs).ok_or(BadKey)?;
        Ok(Self { signer, jwks: json!({ "keys": published }).to_string() })
    }

    /// The key that signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The JWK Set (RFC 7517, 5), as JSON.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    fn claims() -> IdentityClaims<'static> {
        IdentityClaims {
            iss: "https://api.example.com",
            aud: "processing",
            sub: "t1",
            org: Some("o1"),
            project: None,
            permissions: vec!["read", "อ่าน"],
            scopes: vec![],
        }
    }

    const LIFE: Life = Life { ttl_s: 300, not_after_s: u64::MAX };

    fn at(unix_s: u64) -> Moment {
        Moment { mono_ns: 0, unix_ms: unix_s * 1000 }
    }

    fn token(ring: &KeyRing, life: Life, unix_s: u64, signatures: &Signatures) -> (String, u64) {
        let mut out = Vec::new();
        let until_s = ring.signer().write(&claims(), life, at(unix_s), signatures, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), until_s)
    }

    fn payload(token: &str) -> Value {
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_the_same_for_four_fifths_of_its_life_and_then_another() {
        let private = Signer::generate(SigningAlgorithm::EdDSA).unwrap();
        let ring = |kid| KeyRing::new([(kid, "EdDSA", &private, 0)].into_iter(), at(0)).unwrap();
        let (first, second) = (ring("k1"), ring("k2"));
        let signatures = Signatures::new(0);
        let (token_1, until_s) = token(&first, LIFE, 1_800_000_000, &signatures);
        assert_eq!(until_s, 1_800_000_240);
        let said = payload(&token_1);
        assert_eq!((&said["iat"], &said["exp"]), (&json!(1_800_000_000u64), &json!(1_800_000_300u64)));
        assert_eq!(said["jti"].as_str().map(str::len), Some(32));
        assert_eq!(token(&first, LIFE, 1_800_000_239, &signatures), (token_1.clone(), until_s));
        let (token_2, _) = token(&first, LIFE, 1_800_000_240, &signatures);
        assert_eq!(payload(&token_2)["iat"], json!(1_800_000_240u64));
        assert_ne!(payload(&token_2)["jti"], said["jti"]);
        // By another key, for another life: never the same signature.
        let (token_3, _) = token(&second, LIFE, 1_800_000_000, &signatures);
        let shorter = Life { not_after_s: 1_800_000_010, ..LIFE };
        let (token_4, until_s) = token(&first, shorter, 1_800_000_000, &signatures);
        assert_eq!((&payload(&token_4)["exp"], until_s), (&json!(1_800_000_010u64), 1_800_000_008));
        let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        let all = [token_1, token_2, token_3, token_4].map(|token| signature(&token));
        assert_eq!(std::collections::HashSet::from(all).len(), 4);
        let over = Life { not_after_s: 1_800_000_010, ..LIFE };
        let (_, until_s) = token(&first, over, 1_800_000_020, &signatures);
        assert_eq!(until_s, 1_800_000_020, "one that ends before it begins is used once");
    }

    #[test]
    fn another_library_verifies_both_algorithms_with_the_published_set() {
        let now = Moment { mono_ns: 0, unix_ms: 1_800_000_000_000 };
        for (algorithm, name, theirs) in [
            (SigningAlgorithm::EdDSA, "EdDSA", Algorithm::EdDSA),
            (SigningAlgorithm::ES256, "ES256", Algorithm::ES256),
        ] {
            let private = Signer::generate(algorithm).unwrap();
            let ring = KeyRing::new([("k1", name, &private, 0)].into_iter(), now).unwrap();
            let signatures = Signatures::new(0);
            let (token, _) = token(&ring, LIFE, 1_800_000_000, &signatures);
            // Of what was signed before, another token is made.
            let again = self::token(&ring, LIFE, 1_800_000_100, &signatures);
            assert_eq!(again.0, token);
            let set: JwkSet = serde_json::from_str(ring.jwks()).unwrap();
            let key = DecodingKey::from_jwk(set.find("k1").unwrap()).unwrap();
            let mut validation = Validation::new(theirs);
            validation.set_audience(&["processing"]);
            let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
            assert_eq!(decoded.claims["permissions"], json!(["read", "อ่าน"]));
            validation.set_audience(&["other"]);
            assert!(jsonwebtoken::decode::<Value>(&token, &key, &validation).is_err());
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_signs_when_its_time_has_come() {
        let (old, new) =
            (Signer::generate(SigningAlgorithm::EdDSA), Signer::generate(SigningAlgorithm::EdDSA));
        let (old, new) = (old.unwrap(), new.unwrap());
        let at = |unix_ms| {
            let keys = [("old", "EdDSA", &old, 500), ("new", "EdDSA", &new, 1000)];
            KeyRing::new(keys.into_iter(), Moment { mono_ns: 0, unix_ms }).unwrap()
        };
        assert_eq!(at(999).signer().kid(), "old");
        assert_eq!(at(1000).signer().kid(), "new");
        // Just made, by somebody whose clock is ahead.
        assert_eq!(at(499).signer().kid(), "old");
        assert!(at(999).jwks().contains("\"new\"") && at(1000).jwks().contains("\"old\""));
    }
}
