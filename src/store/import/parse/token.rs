//! The keys of a fixture.

use super::{Reader, description};
use crate::config::{Code, Section, Value};
use crate::store::import::{FixtureToken, rules};
use crate::token::{Digest, KeyFamily, Permissions, ProjectId, Reach};

const KEYS: [&str; 14] = [
    "id",
    "name",
    "description",
    "kind",
    "type",
    "projectId",
    "permissions",
    "scopes",
    "value",
    "sha256",
    "expiresAt",
    "ipWhitelist",
    "isActive",
    "createdBy",
];

/// What an organization's keys may refer to: also what was refused itself, which must not be reported twice.
pub(super) struct Home {
    projects: Vec<String>,
    members: Vec<String>,
}

impl Home {
    pub(super) fn of(organization: &Section<'_>) -> Self {
        Self {
            projects: names(organization, "projects", "id"),
            members: names(organization, "members", "email"),
        }
    }
}

fn names(section: &Section<'_>, list: &str, key: &str) -> Vec<String> {
    // What is no section is reported where the item itself is read.
    let sections = section.items(list).into_iter().filter(Value::is_section);
    let names = sections.filter_map(|item| Some(item.any_section()?.get(key)?.peek()?.to_owned()));
    names.collect()
}

impl Reader {
    pub(super) fn token(&mut self, value: &Value<'_>, home: &Home) -> Option<FixtureToken> {
        let section = value.section(&KEYS)?;
        let id = section.optional("id", |value| {
            let id = rules::id(value)?;
            self.once(value, "token", id.clone())?;
            Some(id.into())
        });
        let name = section.required("name").and_then(|name| rules::text(&name, 1..=100));
        let description = section.optional("description", description);
        let key = self.key(&section);
        let reach = reach(&section, home);
        let permissions = Permissions::new(section.texts("permissions"));
        let scopes = section.texts("scopes").into_iter().map(Into::into).collect();
        let expires_ms = section.optional("expiresAt", rules::instant);
        let active = section.optional("isActive", Value::boolean);
        let addresses = section.items("ipWhitelist").iter().filter_map(rules::address).collect();
        let created_by = section.optional("createdBy", |email| creator(email, home));
        let (digest, family) = key?;
        Some(FixtureToken {
            at: rules::position(value),
            id,
            digest,
            family,
            name: name?,
            description,
            reach: reach?,
            permissions,
            scopes,
            expires_ms,
            active,
            addresses,
            created_by,
        })
    }

    /// The key's digest and family, from its value or its SHA-256.
    fn key(&mut self, section: &Section<'_>) -> Option<(Digest, KeyFamily)> {
        let kind = section.optional("kind", |kind| kind.choice(&["ocriva", "ocore"]));
        let kind = kind.map(|kind| if kind == "ocore" { KeyFamily::Ocore } else { KeyFamily::Ocriva });
        let (value, digest, family) = match (section.get("value"), section.get("sha256")) {
            (Some(value), None) => {
                let text = value.non_empty()?;
                let family = kind.or_else(|| KeyFamily::of(text));
                if family.is_none() {
                    let message = "this key starts with neither `ocr_` nor `ocore_`";
                    value.report(Code::InvalidValue, message, Some("say its `kind`: `ocriva` or `ocore`"));
                }
                (value, Digest::of(text), family?)
            }
            (None, Some(value)) => {
                let digest = sha256(&value)?;
                (value, digest, kind.unwrap_or(KeyFamily::Ocriva))
            }
            (Some(value), Some(_)) => {
                let message = "`value` and `sha256` exclude each other";
                value.report(Code::Conflict, message, Some("keep one of them"));
                return None;
            }
            (None, None) => {
                section.report_missing("value", Some("or give its `sha256`, 64 hexadecimal digits"));
                return None;
            }
        };
        self.once(&value, "key", digest.to_hex())?;
        Some((digest, family))
    }
}

fn sha256(value: &Value<'_>) -> Option<Digest> {
    let digest = Digest::from_hex(value.text()?);
    if digest.is_none() {
        value.report(Code::InvalidValue, "this is no SHA-256", Some("64 hexadecimal digits"));
    }
    digest
}

fn creator(value: &Value<'_>, home: &Home) -> Option<String> {
    let email = rules::email(value)?;
    let known = home.members.iter().any(|member| member.to_lowercase() == email.to_lowercase());
    if !known {
        let message = format!("the organization has no member `{email}`");
        value.report(Code::UnknownReference, message, Some("add them to its `members`"));
        return None;
    }
    Some(email)
}

/// `type` and `projectId`, which must fit each other.
fn reach(section: &Section<'_>, home: &Home) -> Option<Reach> {
    let kind = match section.get("type") {
        Some(kind) => kind.choice(&["organization", "project"])?,
        None if section.get("projectId").is_some() => "project",
        None => "organization",
    };
    match (kind, section.get("projectId").filter(|project| !project.is_null())) {
        ("project", Some(project)) => known_project(&project, home).map(Reach::Project),
        ("project", None) => {
            section.report_missing("projectId", Some("a key of type `project` needs it"));
            None
        }
        (_, Some(project)) => {
            let message = "a key of type `organization` has no project";
            project.report(Code::Conflict, message, Some("remove it, or say `type: project`"));
            None
        }
        (_, None) => Some(Reach::Organization),
    }
}

fn known_project(value: &Value<'_>, home: &Home) -> Option<ProjectId> {
    let id = rules::id(value)?;
    if !home.projects.contains(&id) {
        let message = format!("the organization has no project `{id}`");
        value.report(Code::UnknownReference, message, Some("add it to its `projects`"));
        return None;
    }
    Some(id.into())
}
