//! Second factors of people.

use super::audit;
use super::db::{Connection, params};
use super::row::{Columns, signed};
use crate::store::StoreError;
use crate::store::management::{AuditEntry, FactorChange, SecondFactor, Written};
use crate::token::{Digest, Secret, UserId};

pub(super) fn of(db: &Connection, person: &UserId) -> Result<Option<SecondFactor>, StoreError> {
    let sql = "SELECT totp_secret, totp_enabled_ms IS NOT NULL AS enabled, totp_step FROM users
               WHERE id = ?1 AND totp_secret IS NOT NULL";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([person.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "users" };
    Ok(Some(SecondFactor {
        secret: Secret::new(columns.text("totp_secret")?),
        enabled: columns.flag("enabled")?,
        step: columns.optional_number("totp_step")?,
    }))
}

pub(super) fn change(
    db: &Connection,
    person: &UserId,
    change: &FactorChange,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if !apply(db, person.as_str(), change)? {
        return Ok(Written::Moved);
    }
    audit::append(db, entry)?;
    Ok(Written::Done)
}

/// False when the factor is not in the state that the change begins from.
fn apply(db: &Connection, person: &str, change: &FactorChange) -> Result<bool, StoreError> {
    const ON: &str = "WHERE id = ?1 AND totp_enabled_ms IS NOT NULL";
    let altered = match change {
        FactorChange::Begun(secret) => {
            let sql = "UPDATE users SET totp_secret = ?2 WHERE id = ?1 AND totp_enabled_ms IS NULL";
            db.prepare_cached(sql)?.execute(params![person, secret.expose()])?
        }
        FactorChange::Enabled { at_ms, step, recovery } => {
            let sql = "UPDATE users SET totp_enabled_ms = ?2, totp_step = ?3
                       WHERE id = ?1 AND totp_enabled_ms IS NULL AND totp_secret IS NOT NULL";
            let altered = db.prepare_cached(sql)?.execute(params![person, signed(*at_ms), signed(*step)])?;
            if altered > 0 {
                replace_codes(db, person, recovery)?;
            }
            altered
        }
        FactorChange::Recovery(recovery) => {
            let enabled = db.prepare_cached(&format!("SELECT 1 FROM users {ON}"))?.exists([person])?;
            if enabled {
                replace_codes(db, person, recovery)?;
            }
            usize::from(enabled)
        }
        FactorChange::Taken(step) => {
            let sql =
                format!("UPDATE users SET totp_step = ?2 {ON} AND (totp_step IS NULL OR totp_step < ?2)");
            db.prepare_cached(&sql)?.execute(params![person, signed(*step)])?
        }
        FactorChange::RecoveryTaken(code) => {
            let sql = "DELETE FROM recovery_codes WHERE person = ?1 AND digest = ?2";
            db.prepare_cached(sql)?.execute(params![person, code.0])?
        }
        FactorChange::Disabled => {
            replace_codes(db, person, &[])?;
            let sql =
                format!("UPDATE users SET totp_secret = NULL, totp_enabled_ms = NULL, totp_step = NULL {ON}");
            db.prepare_cached(&sql)?.execute([person])?
        }
    };
    Ok(altered > 0)
}

fn replace_codes(db: &Connection, person: &str, codes: &[Digest]) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM recovery_codes WHERE person = ?1")?.execute([person])?;
    let mut insert = db.prepare_cached("INSERT INTO recovery_codes (person, digest) VALUES (?1, ?2)")?;
    for code in codes {
        insert.execute(params![person, code.0])?;
    }
    Ok(())
}
