//! What every call of the `ocore` dialect says in the same way: its organization, and which part of a list it wants.

use super::super::{Api, Request};
use crate::control::domain::{By, DomainError, PartQuery, Violation};
use crate::dialect::cursor;
use crate::dialect::form::{BadForm, Form};
use crate::token::OrganizationId;
use http::HeaderName;

static X_ORG_SLUG: HeaderName = HeaderName::from_static("x-org-slug");

/// Items of a list where nothing else is asked, and at most.
const USUAL: u32 = 20;
const MOST: u32 = 100;

/// The organization that the call is for.
pub(super) async fn organization(
    api: &Api,
    request: &Request<'_>,
    by: &By,
) -> Result<OrganizationId, DomainError> {
    let mut slugs = request.call.headers.get_all(&X_ORG_SLUG).iter();
    let slug = slugs.next().map(|value| value.to_str().map_or("", str::trim));
    if slugs.any(|other| other.to_str().map(str::trim).ok() != slug) {
        let message = "X-Org-Slug must be given once";
        return Err(Violation::new("X-Org-Slug", "single", message).into());
    }
    api.domain.organization_meant(by, slug).await
}

/// The query.
pub(super) fn form(request: &Request<'_>) -> Result<Form, DomainError> {
    Form::read(request.call.query.as_deref()).map_err(bad_form)
}

/// The text that a list is searched for.
pub(super) fn search(form: &Form) -> Option<&str> {
    form.named("search").filter(|text| !text.is_empty())
}

/// True or false; false where nothing is said.
pub(super) fn flag(form: &Form, name: &'static str) -> Result<bool, DomainError> {
    match form.named(name) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Violation::new(name, "choice", format!("{name} must be true or false")).into()),
    }
}

/// The query of a list, with the part that it asks for.
pub(super) fn part(request: &Request<'_>) -> Result<(PartQuery, Form), DomainError> {
    let form = form(request)?;
    let after = match form.named("cursor").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let bad = || Violation::new("cursor", "known", "cursor must be one that a list has given");
            Some(cursor::position(text).ok_or_else(bad)?)
        }
    };
    let limit = number(&form, "limit", USUAL.into())?;
    let limit = u32::try_from(limit).unwrap_or(MOST).min(MOST);
    Ok((PartQuery { after, limit }, form))
}

/// A whole number from 1.
pub(super) fn number(form: &Form, name: &'static str, usual: u64) -> Result<u64, DomainError> {
    match form.named(name).map(str::parse::<u64>) {
        None => Ok(usual),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => {
            Err(Violation::new(name, "minimum", format!("{name} must be a whole number from 1")).into())
        }
    }
}

fn bad_form(bad: BadForm) -> DomainError {
    match bad {
        BadForm::Escape => {
            let message = "The query has a '%' that does not stand for a character.";
            Violation::new("query", "format", message).into()
        }
        BadForm::Twice => {
            let message = "The query has a name twice, with different values.";
            Violation::new("query", "single", message).into()
        }
    }
}
