//! Logins that wait for their second factor.

use super::db::{Connection, params};
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::management::{PartialLogin, Written};
use crate::token::Digest;

pub(super) fn add(db: &Connection, login: &PartialLogin, now_ms: u64) -> Result<Written, StoreError> {
    let there = "SELECT 1 FROM users WHERE id = ?1 AND active";
    if !db.prepare_cached(there)?.exists([login.person.as_str()])? {
        return Ok(Written::Moved);
    }
    db.prepare_cached("DELETE FROM partial_logins WHERE until_ms <= ?1")?.execute([signed(now_ms)])?;
    let sql = "INSERT INTO partial_logins (digest, person, password, tries, until_ms)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        login.token.0,
        login.person.as_str(),
        login.password.0,
        login.tries,
        signed(login.until_ms)
    ])?;
    Ok(Written::Done)
}

pub(super) fn exists(db: &Connection, token: &Digest) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM partial_logins WHERE digest = ?1")?.exists([&token.0])?)
}

/// Uses one try.
pub(super) fn try_one(
    db: &Connection,
    token: &Digest,
    now_ms: u64,
) -> Result<Option<PartialLogin>, StoreError> {
    let sql = "UPDATE partial_logins SET tries = tries - 1 WHERE digest = ?1 AND until_ms > ?2 AND tries > 0
               RETURNING person, password, tries, until_ms";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![token.0, signed(now_ms)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "partial_logins" };
    let tries = u32::try_from(columns.number("tries")?);
    Ok(Some(PartialLogin {
        token: *token,
        person: columns.text("person")?.into(),
        password: Digest(columns.row.get("password")?),
        tries: tries.map_err(|_| columns.corrupt("tries is none"))?,
        until_ms: columns.number("until_ms")?,
    }))
}

pub(super) fn end(db: &Connection, token: &Digest) -> Result<Written, StoreError> {
    let ended = db.prepare_cached("DELETE FROM partial_logins WHERE digest = ?1")?.execute([&token.0])?;
    Ok(if ended > 0 { Written::Done } else { Written::Moved })
}
