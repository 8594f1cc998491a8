//! What the caller may reach: organization, project, permissions, in words. Nothing is decided here.

use super::super::authenticate::Known;
use super::super::authorize::{self, Grant};
use super::super::project_body::Reading;
use super::super::query;
use super::super::route::Routed;
use super::report::Way;
use super::say::list;
use crate::config::{Dialect, Mode, ProjectRequired};
use crate::store::Membership;
use crate::token::{Permissions, Reach};
use crate::wire::Request;
use http::header::HeaderName;

static X_ORG_SLUG: HeaderName = HeaderName::from_static("x-org-slug");

/// The organization that the request names, and the caller's.
pub(super) fn organization(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    place: Option<&Membership>,
    request: &Request,
) -> String {
    let fields = &request.fields;
    if let Some(named) = routed.organization(request.target.path()) {
        way.fact("in the path", &*named);
    }
    if routed.api.config.dialect == Dialect::Ocore {
        let slugs: Vec<_> = fields.get_all(&X_ORG_SLUG).map(String::from_utf8_lossy).collect();
        way.fact("X-Org-Slug", if slugs.is_empty() { "not sent".to_owned() } else { slugs.join(", ") });
    }
    match known {
        Known::Anonymous => "nobody is asked for one".to_owned(),
        Known::Key(entry) => {
            let view = entry.organization();
            let own = &view.organization;
            way.if_refused(format!(
                "the request names another organization than the key's, {} ({})",
                own.id, own.slug
            ));
            format!("{} ({}), the key's", own.id, own.slug)
        }
        Known::User(user) => {
            let count = user.record.memberships.len();
            way.if_refused(match fields.contains(&X_ORG_SLUG) {
                true => "the person is not in the organization that X-Org-Slug names".to_owned(),
                false => format!("the person belongs to {count} organizations: X-Org-Slug has to name one"),
            });
            place.map_or_else(String::new, |place| {
                format!("{} ({}), as {}", place.organization, place.slug, place.role.name())
            })
        }
    }
}

/// The project that the query names, and the one that the request is held to.
pub(super) fn project(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    grant: Option<&Grant>,
    raw: Option<&str>,
) -> String {
    let Known::Key(entry) = known else { return "only keys are held to projects".to_owned() };
    let rule = routed.route.config.project;
    if routed.api.config.dialect != Dialect::Ocriva && rule.is_none() {
        return "neither route nor dialect knows projects".to_owned();
    }
    let named = raw.and_then(|raw| query::read(raw).ok()?.project);
    way.fact("named in the query", named.as_deref().unwrap_or("none"));
    if let Some(project) = grant.and_then(Grant::project) {
        way.fact("project", project.as_str());
    }
    if let Some(grant) = grant {
        let forwarded = grant.query().or(raw).unwrap_or_default();
        way.fact("query as forwarded", if forwarded.is_empty() { "none" } else { forwarded });
    }
    match (&entry.record.terms.reach, &named) {
        (Reach::Project(own), Some(named)) => {
            if own.as_str() != &**named {
                way.if_refused(format!("the key is of the project {own}, and the query names {named}"));
            }
            "the key's own project is named".to_owned()
        }
        (Reach::Project(own), None) if grant.and_then(Grant::query).is_some_and(names_a_project) => {
            format!("none is named: the key's own, {own}, is put into the query")
        }
        (Reach::Project(own), None) => format!("none is named: the key's own, {own}, counts"),
        (Reach::Organization, Some(named)) => {
            if entry.organization().project(named).is_none() {
                way.if_refused(format!(
                    "{named} is not a project of the key's organization, {}",
                    entry.record.terms.organization
                ));
            }
            format!("{named} is a project of the key's organization")
        }
        (Reach::Organization, None) => "none is named in the query".to_owned(),
    }
}

fn names_a_project(query: &str) -> bool {
    query::read(query).is_ok_and(|read| read.project.is_some())
}

/// Permissions and scopes: what is asked, and what is missing.
pub(super) fn requirements(
    way: &mut Way,
    routed: &Routed<'_>,
    known: &Known,
    place: Option<&Membership>,
) -> String {
    let require = &routed.route.config.require;
    if require.permissions.is_empty() && require.scopes.is_empty() {
        return "the route asks for no permission and no scope".to_owned();
    }
    way.fact("permissions asked", list(require.permissions.iter().map(AsRef::as_ref)));
    way.fact("scopes asked", list(require.scopes.iter().map(AsRef::as_ref)));
    let (held, scopes): (Permissions, Vec<&str>) = match known {
        Known::Anonymous => return "nobody is asked for them".to_owned(),
        Known::Key(entry) => (
            entry.record.terms.permissions.clone(),
            authorize::lacking_scopes(&entry.record.terms, &require.scopes).collect(),
        ),
        Known::User(_) => (place.map(|place| place.role.permissions()).unwrap_or_default(), Vec::new()),
    };
    let permissions: Vec<&str> = authorize::lacking_permissions(&held, &require.permissions).collect();
    let missing = [("permission", permissions), ("scope", scopes)];
    let missing = missing.iter().filter(|(_, names)| !names.is_empty());
    let missing: Vec<String> =
        missing.map(|(what, names)| format!("the {what} {}", names.join(", "))).collect();
    if missing.is_empty() {
        return "all of them are held".to_owned();
    }
    let missing = format!("missing: {}", missing.join(" and "));
    way.if_refused(missing.clone());
    format!("{missing}; `mode: observe` lets it through and records it")
}

/// Bytes, in the unit that a reader would choose.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0 => "no body".to_owned(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

pub(super) fn unseen(reading: &Reading) -> String {
    let place = match reading {
        Reading::Json => "the JSON body",
        Reading::Multipart(_) => "the multipart body",
    };
    format!(
        "explain sees no body: a projectId in {place} would be checked. It has to be a project that the key may use, and \
         the same as in the query where both name one"
    )
}

/// Who has to name a project, and has.
pub(super) fn rule(routed: &Routed<'_>, known: &Known) -> &'static str {
    match (routed.route.config.project.map(|rule| rule.required), known) {
        (_, Known::Anonymous | Known::User(_)) => "only keys have to name projects",
        (None | Some(ProjectRequired::Never), _) => "the route asks nobody to name a project",
        (Some(ProjectRequired::Organization), Known::Key(entry))
            if entry.record.terms.reach != Reach::Organization =>
        {
            "a project key need not name its project"
        }
        _ => "a project has to be named, and is",
    }
}

/// What is to be said of a rule about projects that only observes.
pub(super) fn observed(routed: &Routed<'_>) -> &'static str {
    match routed.route.config.project {
        Some(rule) if rule.mode == Mode::Observe => "; `mode: observe` lets it through and records it",
        _ => "",
    }
}
