//! What answers are made of: every record that `dialect` writes, described.

mod both;
mod directory;
mod errors;
mod ocore;
mod ocriva;

use super::description::*;
use super::shape::*;

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Record> {
    [errors::RECORDS, ocriva::RECORDS, ocore::RECORDS, directory::RECORDS, both::RECORDS]
        .into_iter()
        .flatten()
}

const fn record(name: &'static str, about: &'static str, form: Form) -> Record {
    Record { name, about, form }
}

const ID: Shape = WORD;
const BEARER: Shape = Shape::Choice(&["Bearer"]);
const SECONDS: Shape = Shape::Whole(0, None);
const CREATED: Field = field("createdAt", INSTANT, "When it was made.");
const EXPIRES: Field = or_null("expiresAt", INSTANT, "When it is over; null for never.");
const LAST_USED: Field = or_null("lastUsedAt", INSTANT, "When it was last used.");
const CREATED_BY: Field = or_null("createdBy", ID, "The id of who made it, where that is known.");
