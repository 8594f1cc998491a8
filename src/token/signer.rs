//! Signs the identities that upstreams get, and publishes the keys to check them with (RFC 7515, 7517, 7518, 8037).

use super::Secret;
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

    /// Signs claims into a JWT in compact form.
    ///
    /// # Errors
    /// [`BadKey`] when the system has no random bytes to give (ES256 only).
    pub fn sign(&self, claims: &IdentityClaims<'_>) -> Result<String, BadKey> {
        let mut token = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).map_err(|_| BadKey)?, &mut token);
        let signature = match &self.key {
            Key::Ed25519(key) => URL_SAFE_NO_PAD.encode(key.sign(token.as_bytes())),
            Key::P256(key) => {
                let signature = key.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| BadKey)?;
                URL_SAFE_NO_PAD.encode(signature)
            }
        };
        token.push('.');
        token.push_str(&signature);
        Ok(token)
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

/// The claims of an upstream identity.
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
    /// Unique.
    pub jti: String,
    /// Seconds since 1970.
    pub iat: u64,
    /// Seconds since 1970.
    pub exp: u64,
}

/// The keys in force at one time.
#[derive(Debug)]
pub struct KeyRing {
    signer: Signer,
    jwks: String,
}

impl KeyRing {
    /// The newest of `keys` that signs already at `now` becomes the signer; all are published.
    /// Each is `(kid, algorithm, private key, signs from, in ms since 1970)`.
    ///
    /// # Errors
    /// [`BadKey`] when one does not parse, or none signs yet.
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
        let (_, signer) = signers.into_iter().rev().find(|(from, _)| *from <= now.unix_ms).ok_or(BadKey)?;
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
            jti: "j".into(),
            iat: 1_800_000_000,
            exp: 1_800_000_300,
        }
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
            let token = ring.signer().sign(&claims()).unwrap();
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
            let keys = [("old", "EdDSA", &old, 0), ("new", "EdDSA", &new, 1000)];
            KeyRing::new(keys.into_iter(), Moment { mono_ns: 0, unix_ms }).unwrap()
        };
        assert_eq!(at(999).signer().kid(), "old");
        assert_eq!(at(1000).signer().kid(), "new");
        assert!(at(999).jwks().contains("\"new\"") && at(1000).jwks().contains("\"old\""));
    }
}
