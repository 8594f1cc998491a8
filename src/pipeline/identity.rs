//! The identity that upstreams get in place of a credential: signed once, used for many requests.
//!
//! What is prepared is kept in two places. A worker has whole identities of those that come often ([`busy`]), bound to the
//! record in memory that they are of. All workers share the signatures of the others
//! ([`Signatures`](crate::token::Signatures)), behind which the rest is written anew.

mod busy;
mod lines;

use super::authenticate::Known;
use super::authorize::{Grant, organization_of};
use super::reject::Reject;
use super::route::Routed;
use super::{Shared, Snapshot};
use crate::clock::Moment;
use crate::config::Identity;
use crate::store::Membership;
use crate::store::cache::{Entry, UserEntry};
use crate::token::signer::{IdentityClaims, Life};
use crate::token::{MemberRole, ProjectId};
use crate::upstream::Service;
use busy::Busy;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

/// The identities that one worker has signed and may use again.
#[derive(Debug, Default)]
pub(super) struct Identities {
    minted: RefCell<Busy<Minted>>,
    hasher: foldhash::fast::RandomState,
}

/// One signed identity: of this holder, in this state, for this upstream and project.
#[derive(Debug)]
struct Minted {
    holder: Holder,
    /// Its id: a place in the configuration may be another's after a reload.
    service: u64,
    project: Option<ProjectId>,
    /// The fields as lines.
    lines: Box<[u8]>,
}

/// Names a record in memory. The weak reference keeps the address from being used again, so that two records never
/// share an identity, without keeping the record itself.
#[derive(Debug)]
enum Holder {
    /// Of whom no upstream is told.
    Nobody,
    Key(Weak<Entry>),
    User(Weak<UserEntry>, Option<(String, MemberRole)>),
}

impl Holder {
    fn of(grant: &Grant) -> Self {
        match grant.known() {
            Known::Anonymous => Self::Nobody,
            Known::Key(entry) => Self::Key(Arc::downgrade(entry)),
            Known::User(user) => Self::User(Arc::downgrade(&user.entry), place(grant)),
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

/// An identity is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) routed: &'a Routed<'a>,
    pub(super) grant: &'a Grant,
    pub(super) service: &'a Service,
    pub(super) now: Moment,
}

impl Identities {
    /// Writes the lines that tell an upstream, who is asking; none for an open route or an API that tells nothing.
    ///
    /// # Errors
    /// [`Reject::Internal`] when an identity can not be signed.
    pub(super) fn write(&self, asked: Asked<'_>, out: &mut Vec<u8>) -> Result<(), Reject> {
        match asked.routed.api.config.identity {
            Identity::None => Ok(()),
            Identity::Headers => {
                lines::write(out, asked.grant);
                Ok(())
            }
            Identity::Jwt => self.write_signed(asked, out),
        }
    }

    fn write_signed(&self, asked: Asked<'_>, out: &mut Vec<u8>) -> Result<(), Reject> {
        let Asked { grant, service, now, .. } = asked;
        let (place, now_s) = (self.place(grant, service), now.unix_s());
        if let Some(minted) = self.minted.borrow().find(place, now_s)
            && minted.service == service.id()
            && minted.project.as_ref() == grant.project()
            && minted.holder.is(grant)
        {
            out.extend_from_slice(&minted.lines);
            return Ok(());
        }
        if matches!(grant.known(), Known::Anonymous) {
            return Ok(());
        }
        let from = out.len();
        lines::write(out, grant);
        out.extend_from_slice(b"authorization: Bearer ");
        let fresh_until_s = sign(asked, out)?;
        out.extend_from_slice(b"\r\n");
        self.minted.borrow_mut().keep(place, fresh_until_s, now_s, || {
            let (project, lines) = (grant.project().cloned(), out[from..].into());
            Minted { holder: Holder::of(grant), service: service.id(), project, lines }
        });
        Ok(())
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

    /// Forgets everything: the configuration is another.
    pub(super) fn clear(&self) {
        self.minted.borrow_mut().clear();
    }

    /// Forgets some of what is over. What an older key has signed stays good: that key is still published.
    pub(super) fn sweep(&self, now: Moment) {
        self.minted.borrow_mut().sweep(now.unix_s());
    }
}

/// Writes a signed identity, and answers until when it may be used, seconds since 1970.
fn sign(asked: Asked<'_>, out: &mut Vec<u8>) -> Result<u64, Reject> {
    let Asked { shared, snapshot, grant, service, now, .. } = asked;
    let (role, id);
    let mut not_after_s = u64::MAX;
    let (sub, permissions, scopes) = match grant.known() {
        Known::Anonymous => ("", Vec::new(), Vec::new()),
        Known::Key(entry) => {
            let record = &entry.record;
            not_after_s = record.expires_ms().map_or(u64::MAX, |ms| ms / 1000);
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
        aud: &service.name,
        sub,
        org: organization_of(grant).map(|id| id.as_str()),
        project: grant.project().map(ProjectId::as_str),
        permissions,
        scopes,
    };
    let life = Life { ttl_s: snapshot.identity.ttl.as_secs().max(1), not_after_s };
    let ring = snapshot.ring.load();
    ring.signer().write(&claims, life, now, &shared.signatures, out).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Reject {
    Reject::Internal(Box::new(error))
}
