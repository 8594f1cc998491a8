//! Which part of a list a call of the `ocore` dialect wants.

use super::super::Request;
use crate::control::domain::{DomainError, PartQuery, Violation};
use crate::control::error::Refusal;
use crate::dialect::cursor;
use crate::dialect::form::Form;

/// Items of a list where nothing else is asked, and at most.
const USUAL: u32 = 20;
const MOST: u32 = 100;

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
pub(super) fn part(request: &Request<'_>) -> Result<(PartQuery, Form), Refusal> {
    let form = request.query()?;
    let after = match form.named("cursor").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let bad = || {
                DomainError::from(Violation::new(
                    "cursor",
                    "known",
                    "cursor must be one that a list has given",
                ))
            };
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
