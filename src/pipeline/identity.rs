//! The identity that upstreams get in place of a credential: signed once, used for many requests.

use super::Snapshot;
use super::authenticate::Known;
use super::authorize::{Grant, organization_of};
use super::reject::Reject;
use super::route::Routed;
use crate::clock::Moment;
use crate::config::Identity;
use crate::store::Membership;
use crate::store::cache::{Entry, UserEntry};
use crate::token::signer::IdentityClaims;
use crate::token::{MemberRole, ProjectId};
use crate::upstream::{Prepared, Service};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::{Arc, Weak};

static ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-gateway-organization-id");
static PROJECT_ID: HeaderName = HeaderName::from_static("x-gateway-project-id");
static TOKEN_ID: HeaderName = HeaderName::from_static("x-gateway-token-id");
static TOKEN_TYPE: HeaderName = HeaderName::from_static("x-gateway-token-type");
static USER_ID: HeaderName = HeaderName::from_static("x-gateway-user-id");
static PERMISSIONS: HeaderName = HeaderName::from_static("x-gateway-permissions");
static SCOPES: HeaderName = HeaderName::from_static("x-gateway-scopes");

/// A header value for any text: bytes that are not visible ASCII, commas and `%` are percent-encoded.
fn header(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | b',' | 0..=0x20 | 0x7f.. => super::path::push_escape(&mut value, byte),
            _ => value.push(char::from(byte)),
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> HeaderValue {
    let values: Vec<HeaderValue> = items.map(header).collect();
    let joined = values.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b',');
    HeaderValue::from_bytes(&joined).unwrap_or(HeaderValue::from_static(""))
}

/// Most identities that one worker keeps.
const MOST_KEPT: usize = 32_768;

/// The identities that one worker has signed and may use again.
#[derive(Debug, Default)]
pub(super) struct Identities {
    minted: RefCell<HashMap<u64, Minted, foldhash::fast::RandomState>>,
    hasher: foldhash::fast::RandomState,
}

/// One signed identity: of this holder, in this state, for this upstream and project.
#[derive(Debug)]
struct Minted {
    holder: Holder,
    /// Its id: a place in the configuration may be another's after a reload.
    service: u64,
    project: Option<ProjectId>,
    mode: Identity,
    fields: Rc<Prepared>,
    /// Seconds since 1970; from then on a new one is signed.
    fresh_until_s: u64,
}

/// Names a record in memory. The weak reference keeps the address from being used again, so that two records never
/// share an identity, without keeping the record itself.
#[derive(Debug)]
enum Holder {
    Key(Weak<Entry>),
    User(Weak<UserEntry>, Option<(String, MemberRole)>),
}

impl Holder {
    fn of(grant: &Grant) -> Option<Self> {
        match grant.known() {
            Known::Anonymous => None,
            Known::Key(entry) => Some(Self::Key(Arc::downgrade(entry))),
            Known::User(user) => Some(Self::User(Arc::downgrade(&user.entry), place(grant))),
        }
    }

    fn is(&self, grant: &Grant) -> bool {
        match (self, grant.known()) {
            (Self::Key(held), Known::Key(entry)) => held.as_ptr() == Arc::as_ptr(entry),
            (Self::User(held, at), Known::User(user)) => {
                held.as_ptr() == Arc::as_ptr(&user.entry) && *at == place(grant)
            }
            _ => false,
        }
    }
}

fn place(grant: &Grant) -> Option<(String, MemberRole)> {
    let place = |it: &Membership| (it.organization.as_str().to_owned(), it.role.clone());
    grant.membership().map(place)
}

impl Identities {
    /// The fields that tell an upstream, who is asking; none for an open route or an API that tells nothing.
    ///
    /// # Errors
    /// [`Reject::Internal`] when an identity can not be signed.
    pub(super) fn of(
        &self,
        snapshot: &Snapshot,
        routed: &Routed<'_>,
        grant: &Grant,
        service: &Service,
        now: Moment,
    ) -> Result<Rc<Prepared>, Reject> {
        let mode = routed.api.config.identity;
        if mode == Identity::None {
            return Ok(Rc::default());
        }
        let place = self.place(grant, service);
        if let Some(minted) = self.minted.borrow().get(&place)
            && minted.fresh_until_s > now.unix_s()
            && minted.service == service.id()
            && minted.mode == mode
            && minted.project.as_ref() == grant.project()
            && minted.holder.is(grant)
        {
            return Ok(minted.fields.clone());
        }
        let Some(holder) = Holder::of(grant) else { return Ok(Rc::default()) };
        let minted = mint(snapshot, mode, grant, holder, service, now)?;
        let fields = minted.fields.clone();
        self.keep(place, minted, now);
        Ok(fields)
    }

    fn place(&self, grant: &Grant, service: &Service) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match grant.known() {
            Known::Anonymous => {}
            Known::Key(entry) => Arc::as_ptr(entry).addr().hash(&mut hasher),
            Known::User(user) => Arc::as_ptr(&user.entry).addr().hash(&mut hasher),
        }
        service.id().hash(&mut hasher);
        grant.project().map(ProjectId::as_str).hash(&mut hasher);
        hasher.finish()
    }

    fn keep(&self, place: u64, minted: Minted, now: Moment) {
        let mut kept = self.minted.borrow_mut();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, minted| minted.fresh_until_s > now.unix_s());
        }
        if kept.len() >= MOST_KEPT {
            // All in use: any half is as good as the other.
            let mut turn = false;
            kept.retain(|_, _| {
                turn = !turn;
                turn
            });
        }
        kept.insert(place, minted);
    }

    /// Forgets everything: the configuration is another.
    pub(super) fn clear(&self) {
        self.minted.borrow_mut().clear();
    }

    /// Forgets what is over. What an older key has signed stays good: that key is still published.
    pub(super) fn sweep(&self, now: Moment) {
        self.minted.borrow_mut().retain(|_, minted| minted.fresh_until_s > now.unix_s());
    }
}

fn mint(
    snapshot: &Snapshot,
    mode: Identity,
    grant: &Grant,
    holder: Holder,
    service: &Service,
    now: Moment,
) -> Result<Minted, Reject> {
    let iat = now.unix_s();
    let ttl = snapshot.identity.ttl.as_secs().max(1);
    let key_exp = match grant.known() {
        Known::Key(entry) => entry.record.expires_ms().map_or(u64::MAX, |ms| ms / 1000),
        _ => u64::MAX,
    };
    let exp = iat.saturating_add(ttl).min(key_exp).max(iat);
    let mut fields = plain_fields(grant);
    if mode == Identity::Jwt {
        fields.push((AUTHORIZATION, sign(snapshot, &service.name, grant, iat, exp)?));
    }
    // Used for the first four fifths of its life, so that it is still good when the upstream looks at it.
    let fresh_until_s = iat + ((exp - iat) * 4).div_ceil(5);
    let (fields, project) = (Rc::new(Prepared::new(fields)), grant.project().cloned());
    Ok(Minted { holder, service: service.id(), project, mode, fields, fresh_until_s })
}

/// The identity in fields of its own, unsigned.
fn plain_fields(grant: &Grant) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = Vec::new();
    let mut push = |name: &HeaderName, value: HeaderValue| fields.push((name.clone(), value));
    match grant.known() {
        Known::Anonymous => {}
        Known::Key(entry) => {
            let record = &entry.record;
            push(&ORGANIZATION_ID, header(record.terms.organization.as_str()));
            push(&TOKEN_ID, header(&record.id.text()));
            push(&TOKEN_TYPE, HeaderValue::from_static(record.terms.reach.as_str()));
            push(&PERMISSIONS, list(record.terms.permissions.iter()));
            push(&SCOPES, list(record.terms.scopes.iter().map(AsRef::as_ref)));
        }
        Known::User(user) => {
            push(&USER_ID, header(user.record.id.as_str()));
            push(&TOKEN_TYPE, HeaderValue::from_static("user"));
            if let Some(membership) = grant.membership() {
                push(&ORGANIZATION_ID, header(membership.organization.as_str()));
                push(&PERMISSIONS, list(membership.role.permissions().iter()));
            }
        }
    }
    if let Some(project) = grant.project() {
        push(&PROJECT_ID, header(project.as_str()));
    }
    fields
}

fn sign(
    snapshot: &Snapshot,
    audience: &str,
    grant: &Grant,
    iat: u64,
    exp: u64,
) -> Result<HeaderValue, Reject> {
    let (role, id);
    let (sub, permissions, scopes) = match grant.known() {
        Known::Anonymous => ("", Vec::new(), Vec::new()),
        Known::Key(entry) => {
            let record = &entry.record;
            let scopes = record.terms.scopes.iter().map(AsRef::as_ref).collect();
            id = record.id.text();
            (&*id, record.terms.permissions.iter().collect(), scopes)
        }
        Known::User(user) => {
            role = grant.membership().map(|membership| membership.role.permissions()).unwrap_or_default();
            (user.record.id.as_str(), role.iter().collect(), Vec::new())
        }
    };
    let claims = IdentityClaims {
        iss: &snapshot.identity.issuer,
        aud: audience,
        sub,
        org: organization_of(grant).map(|id| id.as_str()),
        project: grant.project().map(ProjectId::as_str),
        permissions,
        scopes,
        jti: crate::token::random_id().map_err(internal)?,
        iat,
        exp,
    };
    let token = snapshot.ring.load().signer().sign(&claims).map_err(internal)?;
    HeaderValue::try_from(format!("Bearer {token}")).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Reject {
    Reject::Internal(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_fits_into_a_header() {
        assert_eq!(
            list(["read", "two words", "a,b", "อ", "50%"].into_iter()),
            "read,two%20words,a%2Cb,%E0%B8%AD,50%25"
        );
    }
}
