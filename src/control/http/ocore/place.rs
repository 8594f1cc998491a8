//! Which part of a list a call of the `ocore` dialect wants.

use super::super::Request;
use super::super::query::Query;
use crate::control::domain::{DomainError, PartQuery, Violation};
use crate::control::error::Refusal;
use crate::dialect::cursor;
use crate::dialect::window::{MOST, USUAL};

/// The part of a list that is asked for, where nothing else can be asked.
pub(super) fn only_part(request: &Request<'_>) -> Result<PartQuery, Refusal> {
    let query = request.query()?;
    let part = part(&query)?;
    query.done();
    Ok(part)
}

/// The part of a list that a query asks for.
pub(super) fn part(query: &Query) -> Result<PartQuery, DomainError> {
    let after = match query.given("cursor") {
        None => None,
        Some(text) => {
            let bad = || Violation::new("cursor", "known", "cursor must be one that a list has given");
            Some(cursor::position(text).ok_or_else(bad)?)
        }
    };
    let limit = number(query, "limit", USUAL.into())?;
    let limit = u32::try_from(limit).unwrap_or(MOST).min(MOST);
    Ok(PartQuery { after, limit })
}

/// True or false; false where nothing is said.
pub(super) fn flag(query: &Query, name: &'static str) -> Result<bool, DomainError> {
    match query.named(name) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Violation::new(name, "choice", format!("{name} must be true or false")).into()),
    }
}

/// A whole number from 1.
pub(super) fn number(query: &Query, name: &'static str, usual: u64) -> Result<u64, DomainError> {
    match query.named(name).map(str::parse::<u64>) {
        None => Ok(usual),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => {
            Err(Violation::new(name, "minimum", format!("{name} must be a whole number from 1")).into())
        }
    }
}
