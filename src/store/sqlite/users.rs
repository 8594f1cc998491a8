//! People and where they belong.

use super::row::Columns;
use crate::store::{Membership, StoreError, UserRecord};
use crate::token::{Role, UserId};
use rusqlite::{Connection, OptionalExtension};

pub(super) fn by_id(db: &Connection, id: &UserId) -> Result<Option<UserRecord>, StoreError> {
    let active = db
        .prepare_cached("SELECT active FROM users WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(active) = active else { return Ok(None) };
    Ok(Some(UserRecord { id: id.clone(), active, memberships: memberships(db, id)? }))
}

fn memberships(db: &Connection, user: &UserId) -> Result<Vec<Membership>, StoreError> {
    let sql = "SELECT m.organization, m.role, o.slug FROM memberships m
               JOIN organizations o ON o.id = m.organization WHERE m.person = ?1 ORDER BY o.slug";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([user.as_str()])?;
    let mut memberships = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns { row, table: "memberships" };
        let role = columns.text("role")?;
        memberships.push(Membership {
            organization: columns.text("organization")?.into(),
            slug: columns.text("slug")?,
            role: Role::from_name(&role).ok_or_else(|| columns.corrupt(format!("{role} is no role")))?,
        });
    }
    Ok(memberships)
}

/// The form in which two spellings of an e-mail address are the same one.
pub(super) fn email_key(email: &str) -> String {
    email.to_lowercase()
}
