//! Stage 6: what the caller may reach: its organization, its projects, and what the route requires.

use super::authenticate::{Caller, Known};
use super::observe::Trail;
use super::query::{self, BadQuery};
use super::reject::Reject;
use super::route::Routed;
use crate::config::{Dialect, Mode, ProjectPlace, ProjectRequired, Require};
use crate::store::cache::Entry;
use crate::store::{Membership, Terms};
use crate::telemetry::metrics::Policy;
use crate::token::{OrganizationId, Permissions, ProjectId, Reach};
use crate::wire::{Fields, Request};
use http::HeaderName;
use std::sync::Arc;

static X_ORG_SLUG: HeaderName = HeaderName::from_static("x-org-slug");

/// A caller who may do what the request asks, and the project that it is held to. Only [`check`] makes one;
/// [`Grant::with_body`] adds what the body says.
#[derive(Debug)]
pub struct Grant {
    known: Known,
    /// The person's place in the organization the request is for.
    membership: Option<Membership>,
    project: Held,
    /// Whether the query named it.
    named: bool,
    /// The query to forward, where it is not the one that came.
    query: Option<String>,
}

/// The project that a request is held to.
#[derive(Debug)]
enum Held {
    /// None.
    No,
    /// The key's own; its text is the key's, because a count that all requests of a project write would be slow.
    Own,
    /// One of the key's organization.
    To(ProjectId),
}

impl Grant {
    /// Who.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Goes on in the name of what its asker has become; false where they have no part in the organization any more.
    pub(super) fn renew(&mut self, known: Known) -> bool {
        if let (Known::User(person), Some(was)) = (&known, &self.membership) {
            let of = |it: &&Membership| it.organization == was.organization;
            let Some(is) = person.record.memberships.iter().find(of).cloned() else { return false };
            self.membership = Some(is);
        }
        self.known = known;
        true
    }

    /// The person's place in the organization.
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// The project that the request is held to.
    pub fn project(&self) -> Option<&ProjectId> {
        match (&self.project, &self.known) {
            (Held::To(project), _) => Some(project),
            (Held::Own, Known::Key(entry)) => entry.record.terms.reach.project(),
            _ => None,
        }
    }

    /// The query to forward instead of the one that came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Takes in the project that the body names, and holds the route's rule about naming one.
    ///
    /// # Errors
    /// [`Reject::ProjectsDiffer`], [`Reject::ForeignProject`], [`Reject::ProjectRequired`]
    pub fn with_body(
        mut self,
        routed: &Routed<'_>,
        in_body: Option<&str>,
        trail: &mut Trail,
    ) -> Result<Self, Reject> {
        match self.take_in(routed, in_body, trail) {
            Ok(()) => Ok(self),
            Err(reject) => {
                trail.turned_away(&self.known, &reject);
                Err(reject)
            }
        }
    }

    fn take_in(
        &mut self,
        routed: &Routed<'_>,
        in_body: Option<&str>,
        trail: &mut Trail,
    ) -> Result<(), Reject> {
        if let Some(project) = in_body {
            if self.named && self.project().is_some_and(|named| named.as_str() != project) {
                return Err(Reject::ProjectsDiffer);
            }
            self.project = own_project(&self.known, Some(project))?;
            self.named = true;
        }
        match self.required(routed) {
            Err(reject) if observes(routed) => trail.observed(Policy::Project, &reject),
            decided => decided?,
        }
        Ok(())
    }

    /// Whether the body has to be looked at before the rule can be held.
    pub fn needs_body(&self, routed: &Routed<'_>) -> bool {
        matches!(self.known, Known::Key(_))
            && routed.route.config.project.is_some_and(|rule| rule.place != ProjectPlace::Query)
    }

    /// Whether somebody who has to name a project has done so.
    ///
    /// # Errors
    /// [`Reject::OwnProjectRequired`], [`Reject::ProjectRequired`]
    pub(super) fn required(&self, routed: &Routed<'_>) -> Result<(), Reject> {
        let (Some(rule), Known::Key(entry)) = (routed.route.config.project, &self.known) else {
            return Ok(());
        };
        let organization_key = entry.record.terms.reach == Reach::Organization;
        match rule.required {
            _ if self.named => Ok(()),
            ProjectRequired::Always if !organization_key => Err(Reject::OwnProjectRequired),
            ProjectRequired::Always | ProjectRequired::Organization if organization_key => {
                Err(Reject::ProjectRequired)
            }
            _ => Ok(()),
        }
    }
}

/// Checks organization, project in the query, permissions and scopes.
///
/// # Errors
/// What is not allowed; see [`Reject`].
pub fn check(
    caller: Caller,
    routed: &Routed<'_>,
    request: &Request,
    trail: &mut Trail,
) -> Result<Grant, Reject> {
    let membership = organization(&caller, routed, request)
        .inspect_err(|reject| trail.turned_away(caller.known(), reject))?;
    let mut grant =
        Grant { known: caller.into_known(), membership, project: Held::No, named: false, query: None };
    let decided = project(&mut grant, routed, request.target.query())
        .and_then(|()| requirements(&grant, routed, trail));
    match decided {
        Ok(()) => Ok(grant),
        Err(reject) => {
            trail.turned_away(&grant.known, &reject);
            Err(reject)
        }
    }
}

/// The organization that the path or `X-Org-Slug` names has to be the caller's.
pub(super) fn organization(
    caller: &Caller,
    routed: &Routed<'_>,
    request: &Request,
) -> Result<Option<Membership>, Reject> {
    let fields = &request.fields;
    let ocore = routed.api.config.dialect == Dialect::Ocore;
    match caller.known() {
        Known::Anonymous => Ok(None),
        Known::Key(entry) => {
            let id = &entry.record.terms.organization;
            if routed.organization(request.target.path()).is_some_and(|named| named != id.as_str()) {
                return Err(Reject::ForeignOrganization);
            }
            if ocore && slugs(fields).any(|slug| slug != entry.organization().organization.slug.as_bytes()) {
                return Err(Reject::ForeignSlug);
            }
            Ok(None)
        }
        Known::User(user) => membership(&user.record.memberships, fields).cloned().map(Some),
    }
}

fn slugs(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields.get_all(&X_ORG_SLUG).map(<[u8]>::trim_ascii)
}

fn membership<'m>(memberships: &'m [Membership], fields: &Fields) -> Result<&'m Membership, Reject> {
    let mut named = slugs(fields);
    let Some(slug) = named.next() else {
        return match memberships {
            [only] => Ok(only),
            _ => Err(Reject::SlugRequired),
        };
    };
    if named.any(|other| other != slug) {
        return Err(Reject::ForeignSlug);
    }
    memberships.iter().find(|membership| membership.slug.as_bytes() == slug).ok_or(Reject::ForeignSlug)
}

/// `projectId` in the query: checked wherever the dialect knows the parameter, required or not.
fn project(grant: &mut Grant, routed: &Routed<'_>, raw_query: Option<&str>) -> Result<(), Reject> {
    let rule = routed.route.config.project;
    if !matches!(grant.known, Known::Key(_))
        || (routed.api.config.dialect != Dialect::Ocriva && rule.is_none())
    {
        return Ok(());
    }
    let seen = match raw_query {
        Some(text) => query::read(text).map_err(|bad| match bad {
            BadQuery::Escape => Reject::BadEscape,
            BadQuery::NotSingle => Reject::ProjectNotSingle,
        })?,
        None => query::ProjectQuery { project: None, canonical: true },
    };
    grant.named = seen.project.is_some();
    grant.project = own_project(&grant.known, seen.project.as_deref())?;
    let inject = !grant.named && grant.project().is_some() && rule.is_some_and(|rule| rule.inject);
    if inject || !seen.canonical {
        let project = if grant.named || inject { grant.project() } else { None };
        grant.query = Some(query::with_project(raw_query, project.map(ProjectId::as_str)));
    }
    Ok(())
}

/// The project that a key may use of those that were named: its own, or any of its organization's. An unknown one is
/// answered like a foreign one, so that nobody learns which exist.
fn own_project(known: &Known, named: Option<&str>) -> Result<Held, Reject> {
    let Known::Key(entry) = known else { return Ok(Held::No) };
    match (&entry.record.terms.reach, named) {
        (Reach::Project(own), Some(named)) if own.as_str() != named => Err(Reject::ForeignProject),
        (Reach::Project(_), _) => Ok(Held::Own),
        (Reach::Organization, None) => Ok(Held::No),
        (Reach::Organization, Some(named)) => {
            let view = entry.organization();
            view.project(named).map(|project| Held::To(project.id.clone())).ok_or(Reject::ForeignProject)
        }
    }
}

/// Whether the route's rule about naming a project only observes.
fn observes(routed: &Routed<'_>) -> bool {
    routed.route.config.project.is_some_and(|rule| rule.mode == Mode::Observe)
}

/// Permissions and scopes of the route; in `mode: observe` what is missing is only counted.
fn requirements(grant: &Grant, routed: &Routed<'_>, trail: &mut Trail) -> Result<(), Reject> {
    let require = &routed.route.config.require;
    let Some(reject) = missing(grant, require) else { return Ok(()) };
    if require.mode == Mode::Observe {
        trail.observed(Policy::Require, &reject);
        return Ok(());
    }
    Err(reject)
}

fn missing(grant: &Grant, require: &Require) -> Option<Reject> {
    match &grant.known {
        Known::Anonymous => None,
        Known::Key(entry) => missing_of_key(entry, &require.permissions, &require.scopes),
        Known::User(_) => missing_of_person(grant.membership.as_ref(), &require.permissions),
    }
}

/// Whether something is missing that is enforced, of what was there when the request began.
pub(super) fn still_lacks(grant: &Grant, require: &Require) -> bool {
    require.mode == Mode::Enforce && missing(grant, require).is_some()
}

fn missing_of_key(entry: &Entry, permissions: &[Arc<str>], scopes: &[Arc<str>]) -> Option<Reject> {
    if lacking_permissions(&entry.record.terms.permissions, permissions).next().is_some() {
        return Some(Reject::Permission);
    }
    lacking_scopes(&entry.record.terms, scopes).next().is_some().then_some(Reject::Scope)
}

/// A person has what the role has, looked up now; scopes narrow keys, not people.
fn missing_of_person(membership: Option<&Membership>, permissions: &[Arc<str>]) -> Option<Reject> {
    if permissions.is_empty() {
        return None;
    }
    let held = membership.map(|membership| membership.role.permissions()).unwrap_or_default();
    lacking_permissions(&held, permissions).next().is_some().then_some(Reject::Permission)
}

/// Those of the wanted permissions that are not held.
pub(super) fn lacking_permissions<'w>(
    held: &Permissions,
    wanted: &'w [Arc<str>],
) -> impl Iterator<Item = &'w str> {
    wanted.iter().map(|wanted| &**wanted).filter(|wanted| !held.allow(wanted))
}

/// Those of the wanted scopes that a key does not have.
pub(super) fn lacking_scopes<'w>(key: &Terms, wanted: &'w [Arc<str>]) -> impl Iterator<Item = &'w str> {
    wanted.iter().map(|wanted| &**wanted).filter(|wanted| !key.scopes.iter().any(|held| **held == **wanted))
}

/// The organization whose request this is, for the log and the identity.
pub fn organization_of(grant: &Grant) -> Option<&OrganizationId> {
    match grant.known() {
        Known::Anonymous => None,
        Known::Key(entry) => Some(&entry.record.terms.organization),
        Known::User(_) => grant.membership().map(|membership| &membership.organization),
    }
}
