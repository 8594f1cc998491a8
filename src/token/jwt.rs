//! Client-facing JWTs (RFC 7519), HS256 only: what a key is exchanged for, and the access tokens of people.
//!
//! A signature is never enough: what a token names is looked up again on each request.

use super::{Secret, TokenId, UserId};
use crate::clock::Moment;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The `iss` of every client-facing token.
pub const ISSUER: &str = "portcullis";

/// The `typ` of people's access tokens.
const ACCESS: &str = "access";

/// The surface a token is for. Each has an `aud` and a signing key of its own, so that a token of one is noise to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Tokens made from `ocr_` keys.
    Ocriva,
    /// Access tokens of people.
    Ocore,
}

impl Audience {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ocriva => "portcullis:ocriva",
            Self::Ocore => "portcullis:ocore",
        }
    }
}

/// Whom a valid token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A key, in the version that its value had when the token was made.
    Key {
        /// Which key.
        id: TokenId,
        /// The key's version at that time; each regeneration makes a new one.
        version: u64,
    },
    /// A person, by a session.
    Session(SessionClaims),
}

/// What a valid access token says: it is good as long as this session of this person is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// `sub`
    pub user: UserId,
    /// `sid`
    pub session: String,
}

/// A token that was made, and its life in seconds.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Compact form.
    pub token: Secret,
    /// `exp − iat`.
    pub expires_in: u64,
}

/// What a token made from a key says of it.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    /// `sub`
    pub id: &'a str,
    /// `kv`
    pub version: u64,
    /// `org`
    pub organization: &'a str,
    /// `prj`
    pub project: Option<&'a str>,
    /// Expiry of the key, milliseconds since 1970: the token does not outlive it.
    pub expires_ms: Option<u64>,
}

/// The token is not one of ours, not for this surface, or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid token here")]
pub struct Invalid;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    typ: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prj: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kv: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    iat: u64,
    exp: u64,
    jti: String,
}

/// Makes and checks client-facing tokens.
pub struct ClientTokens {
    ocriva: Keys,
    ocore: Keys,
}

/// What a surface's tokens are signed with.
struct Keys {
    sign: hmac::Key,
    /// The one that signs first. Few, so that they are tried one after the other: a name in the token's head would have to be
    /// believed before it is checked.
    verify: Vec<DecodingKey>,
}

impl Keys {
    fn new(secret: &[u8], other: Option<&[u8]>) -> Self {
        let verify = std::iter::once(secret).chain(other).map(DecodingKey::from_secret).collect();
        Self { sign: hmac::Key::new(hmac::HMAC_SHA256, secret), verify }
    }

    fn decode(&self, token: &str, validation: &Validation) -> Option<TokenData<Claims>> {
        self.verify.iter().find_map(|key| jsonwebtoken::decode(token, key, validation).ok())
    }
}

/// The secret of Ocriva's surface.
fn derived(secret: &Secret) -> hmac::Tag {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::sign(&root, b"portcullis: tokens made from ocriva keys, 1")
}

impl fmt::Debug for ClientTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTokens(redacted)")
    }
}

impl ClientTokens {
    /// Keys for both surfaces from the one configured secret: oCore's is the secret itself, as its documents say;
    /// Ocriva's is derived from it. Tokens of the `other` one are accepted, and never made.
    pub fn new(secret: &Secret, other: Option<&Secret>) -> Self {
        let (ocriva, also) = (derived(secret), other.map(derived));
        let bytes = |secret: &'_ Secret| secret.expose().as_bytes().to_vec();
        Self {
            ocriva: Keys::new(ocriva.as_ref(), also.as_ref().map(AsRef::as_ref)),
            ocore: Keys::new(&bytes(secret), other.map(bytes).as_deref()),
        }
    }

    /// Makes a token from a key; it lives `life_s` seconds, or as long as the key if that is less.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn for_key(
        &self,
        key: KeyFacts<'_>,
        now: Moment,
        life_s: u64,
    ) -> Result<Issued, aws_lc_rs::error::Unspecified> {
        let iat = now.unix_s();
        let key_exp = key.expires_ms.map_or(u64::MAX, |ms| ms / 1000);
        let exp = key_exp.min(iat.saturating_add(life_s)).max(iat);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: Audience::Ocriva.as_str().into(),
            sub: key.id.into(),
            typ: "ocriva_key".into(),
            sid: None,
            org: Some(key.organization.into()),
            prj: key.project.map(Into::into),
            kv: Some(key.version),
            nbf: None,
            iat,
            exp,
            jti: super::random_id()?,
        };
        Ok(Issued { token: sign(&self.ocriva.sign, &claims), expires_in: exp - iat })
    }

    /// Makes an access token of a session; it lives `life_s` seconds.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn for_session(
        &self,
        of: &SessionClaims,
        now: Moment,
        life_s: u64,
    ) -> Result<Issued, aws_lc_rs::error::Unspecified> {
        let iat = now.unix_s();
        let exp = iat.saturating_add(life_s);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: Audience::Ocore.as_str().into(),
            sub: of.user.as_str().into(),
            typ: ACCESS.into(),
            sid: Some(of.session.clone()),
            org: None,
            prj: None,
            kv: None,
            nbf: None,
            iat,
            exp,
            jti: super::random_id()?,
        };
        Ok(Issued { token: sign(&self.ocore.sign, &claims), expires_in: exp - iat })
    }

    /// Checks an access token of a session. Whether the session still is, has to be looked up.
    ///
    /// # Errors
    /// [`Invalid`], whatever is wrong with it.
    pub fn session(&self, token: &str, now: Moment) -> Result<SessionClaims, Invalid> {
        match self.verify(Audience::Ocore, token, now)? {
            Subject::Session(claims) => Ok(claims),
            Subject::Key { .. } => Err(Invalid),
        }
    }

    /// Checks a token for a surface.
    ///
    /// # Errors
    /// [`Invalid`], whatever is wrong with it.
    pub fn verify(&self, audience: Audience, token: &str, now: Moment) -> Result<Subject, Invalid> {
        let claims = self.claims(audience, token, now)?;
        match (audience, claims.typ.as_str(), claims.kv, claims.sid) {
            (Audience::Ocriva, "ocriva_key", Some(version), _) => {
                Ok(Subject::Key { id: claims.sub.into(), version })
            }
            (Audience::Ocore, ACCESS, _, Some(session)) => {
                Ok(Subject::Session(SessionClaims { user: claims.sub.into(), session }))
            }
            _ => Err(Invalid),
        }
    }

    /// Whether a token bears a signature of ours, be it over or for the other surface: then it was not made up.
    pub fn signed_here(&self, token: &str) -> bool {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        [&self.ocriva, &self.ocore].iter().any(|keys| keys.decode(token, &validation).is_some())
    }

    /// The claims of a token that is ours, for this surface, and not over.
    fn claims(&self, audience: Audience, token: &str, now: Moment) -> Result<Claims, Invalid> {
        let keys = match audience {
            Audience::Ocriva => &self.ocriva,
            Audience::Ocore => &self.ocore,
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false; // below, with the caller's time
        validation.set_audience(&[audience.as_str()]);
        validation.set_issuer(&[ISSUER]);
        let decoded = keys.decode(token, &validation).ok_or(Invalid)?;
        // An extension that must be understood, and is not (RFC 7515, 4.1.11).
        if decoded.header.crit.is_some() {
            return Err(Invalid);
        }
        let claims = decoded.claims;
        let now = now.unix_s();
        if claims.exp <= now || claims.nbf.is_some_and(|nbf| nbf > now) {
            return Err(Invalid);
        }
        Ok(claims)
    }
}

fn sign(key: &hmac::Key, claims: &Claims) -> Secret {
    let mut token = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    token.push('.');
    // Plain strings and numbers: serialising them can not fail.
    token.push_str(&URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default()));
    let tag = hmac::sign(key, token.as_bytes());
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(tag.as_ref()));
    Secret::new(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { mono_ns: 0, unix_ms: 1_800_000_000_000 };

    const SECRET: &str = "a secret of at least 32 characters";
    const NEXT: &str = "another secret of 32 characters!";

    fn tokens() -> ClientTokens {
        ClientTokens::new(&Secret::from(SECRET), None)
    }

    fn facts(expires_ms: Option<u64>) -> KeyFacts<'static> {
        KeyFacts { id: "t1", version: 3, organization: "o", project: None, expires_ms }
    }

    #[test]
    fn a_token_names_its_key_until_it_expires() {
        let issued = tokens().for_key(facts(None), NOW, 3600).unwrap();
        assert_eq!(issued.expires_in, 3600);
        assert!(issued.token.expose().starts_with("eyJhbGciOiJIUzI1NiIs"));
        let subject = tokens().verify(Audience::Ocriva, issued.token.expose(), NOW);
        assert_eq!(subject, Ok(Subject::Key { id: "t1".into(), version: 3 }));
        let later = NOW.after(std::time::Duration::from_secs(3600));
        assert_eq!(tokens().verify(Audience::Ocriva, issued.token.expose(), later), Err(Invalid));
    }

    #[test]
    fn a_token_that_is_over_was_signed_here_all_the_same_and_a_forged_one_was_not() {
        let key = tokens().for_key(facts(Some(NOW.unix_ms)), NOW, 3600).unwrap();
        let session = SessionClaims { user: "u1".into(), session: "s1".to_owned() };
        let session = tokens().for_session(&session, NOW, 0).unwrap();
        for issued in [key, session] {
            let token = issued.token.expose();
            assert!(tokens().signed_here(token));
            assert!(!ClientTokens::new(&Secret::from(NEXT), None).signed_here(token));
            let (head, signature) = token.rsplit_once('.').unwrap();
            assert!(!tokens().signed_here(&format!("{head}.")));
            assert!(!tokens().signed_here(&format!("{head}x.{signature}")));
        }
        assert!(!tokens().signed_here("a.b.c"));
    }

    #[test]
    fn another_secret_is_accepted_and_never_signs() {
        let of = |secret: &str, other: Option<&str>| {
            ClientTokens::new(&Secret::from(secret), other.map(Secret::from).as_ref())
        };
        let session = SessionClaims { user: "u1".into(), session: "s1".to_owned() };
        let made = |by: &ClientTokens| {
            let [key, person] =
                [by.for_key(facts(None), NOW, 60).unwrap(), by.for_session(&session, NOW, 60).unwrap()];
            [(Audience::Ocriva, key), (Audience::Ocore, person)]
        };
        let accepts = |by: &ClientTokens, (audience, issued): &(Audience, Issued)| {
            by.verify(*audience, issued.token.expose(), NOW).is_ok() && by.signed_here(issued.token.expose())
        };
        // Both ways of a rotation: the next one known beforehand, the one before still known.
        for both in [of(SECRET, Some(NEXT)), of(NEXT, Some(SECRET))] {
            for issued in made(&of(SECRET, None)).iter().chain(&made(&of(NEXT, None))) {
                assert!(accepts(&both, issued));
            }
        }
        for issued in made(&of(NEXT, Some(SECRET))) {
            assert!(accepts(&of(NEXT, None), &issued) && !accepts(&of(SECRET, None), &issued));
        }
    }

    #[test]
    fn a_token_does_not_outlive_its_key() {
        let issued = tokens().for_key(facts(Some(NOW.unix_ms + 59_900)), NOW, 3600).unwrap();
        assert_eq!(issued.expires_in, 59);
    }

    #[test]
    fn an_access_token_names_its_session() {
        let of = SessionClaims { user: "u1".into(), session: "s1".to_owned() };
        let issued = tokens().for_session(&of, NOW, 60).unwrap();
        assert_eq!(tokens().session(issued.token.expose(), NOW), Ok(of));
        assert_eq!(
            tokens().verify(Audience::Ocore, issued.token.expose(), NOW),
            Ok(Subject::Session(SessionClaims { user: "u1".into(), session: "s1".to_owned() }))
        );
        let later = NOW.after(std::time::Duration::from_secs(60));
        assert_eq!(tokens().session(issued.token.expose(), later), Err(Invalid));
        let of_key = tokens().for_key(facts(None), NOW, 3600).unwrap();
        assert_eq!(tokens().session(of_key.token.expose(), NOW), Err(Invalid));
    }

    #[test]
    fn a_token_of_one_surface_is_refused_on_the_other() {
        let issued = tokens().for_key(facts(None), NOW, 3600).unwrap();
        assert_eq!(tokens().verify(Audience::Ocore, issued.token.expose(), NOW), Err(Invalid));
    }

    #[test]
    fn other_algorithms_and_changed_bytes_are_refused() {
        let issued = tokens().for_key(facts(None), NOW, 3600).unwrap();
        let (_, rest) = issued.token.expose().split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"EdDSA"}"#, r#"{"alg":"hs256"}"#]
        {
            let header = URL_SAFE_NO_PAD.encode(header);
            for signature in [signature, ""] {
                let forged = format!("{header}.{claims}.{signature}");
                assert_eq!(tokens().verify(Audience::Ocriva, &forged, NOW), Err(Invalid), "{forged}");
            }
        }
        let mut bytes = issued.token.expose().to_owned().into_bytes();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert_eq!(tokens().verify(Audience::Ocriva, &String::from_utf8_lossy(&bytes), NOW), Err(Invalid));
    }
}
