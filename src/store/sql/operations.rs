//! Operations: where each stands, and its steps.

use super::db::{Connection, OptionalExtension, Row, params};
use super::row::{Columns, signed};
use super::{Database, audit, changes, organizations, tokens};
use crate::store::management::{
    AuditEntry, Finish, OperationKind, OperationRecord, OperationState, Operations, Page, Piece, Rotation,
    SealedValue, Token, Written,
};
use crate::store::{Answer, ChangeSubject, StoreError};
use crate::token::{Digest, OrganizationId, ProjectId, TokenId};

impl Operations for Database {
    fn add_operation(&self, operation: OperationRecord, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| add(db, &operation, &entry))
    }

    fn operation<'a>(&'a self, id: &'a str) -> Answer<'a, Option<OperationRecord>> {
        let id = id.to_owned();
        self.ask(move |db| by_id(db, &id))
    }

    fn operations<'a>(
        &'a self,
        organization: &'a OrganizationId,
        before_sequence: Option<u64>,
        page: Page,
    ) -> Answer<'a, (Vec<OperationRecord>, u64)> {
        let organization = organization.clone();
        self.ask(move |db| list(db, &organization, before_sequence, page))
    }

    fn unfinished_operation(&self) -> Answer<'_, Option<OperationRecord>> {
        self.ask(|db| {
            let sql =
                "SELECT * FROM operations WHERE state IN ('pending', 'running') ORDER BY sequence LIMIT 1";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(())?;
            rows.next()?.map(record).transpose()
        })
    }

    fn finish_operation<'a>(&'a self, id: &'a str, end: Finish) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| finish(db, &id, &end))
    }

    fn tokens_to_rotate<'a>(
        &'a self,
        operation: &'a OperationRecord,
        project: Option<&'a ProjectId>,
        limit: u32,
    ) -> Answer<'a, Vec<Token>> {
        let (operation, project) = (operation.clone(), project.cloned());
        self.ask(move |db| to_rotate(db, &operation, project.as_ref(), limit))
    }

    fn rotate_token(&self, rotation: Rotation, entry: AuditEntry) -> Answer<'_, Written> {
        self.write(move |db| rotate(db, &rotation, &entry))
    }

    fn add_piece<'a>(&'a self, id: &'a str, piece: Piece) -> Answer<'a, Written> {
        let id = id.to_owned();
        self.write(move |db| add_piece(db, &id, &piece))
    }

    fn remove_tokens_of<'a>(
        &'a self,
        operation: &'a str,
        organization: &'a OrganizationId,
        limit: u32,
    ) -> Answer<'a, u64> {
        let (operation, organization) = (operation.to_owned(), organization.clone());
        self.write(move |db| {
            let removed = remove_tokens(db, &organization, limit)?;
            progress(db, &operation, removed)?;
            Ok(removed)
        })
    }

    fn remove_organization<'a>(
        &'a self,
        organization: &'a OrganizationId,
        entry: AuditEntry,
    ) -> Answer<'a, Written> {
        let organization = organization.clone();
        self.write(move |db| remove_organization(db, &organization, &entry))
    }

    fn take_values<'a>(&'a self, operation: &'a str, entry: AuditEntry) -> Answer<'a, Vec<SealedValue>> {
        let operation = operation.to_owned();
        self.write(move |db| take_values(db, &operation, &entry))
    }

    fn pieces<'a>(&'a self, operation: &'a str) -> Answer<'a, String> {
        let operation = operation.to_owned();
        self.ask(move |db| {
            let sql = "SELECT text FROM operation_pieces WHERE operation = ?1 ORDER BY number";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([&operation])?;
            let mut whole = String::new();
            while let Some(row) = rows.next()? {
                whole.push_str(&row.get::<_, String>(0)?);
            }
            Ok(whole)
        })
    }

    fn sweep_operations(&self, now_ms: u64, old_ms: u64) -> Answer<'_, ()> {
        self.write(move |db| sweep(db, now_ms, old_ms))
    }
}

fn add(db: &Connection, new: &OperationRecord, entry: &AuditEntry) -> Result<Written, StoreError> {
    if !organizations::exists(db, &new.organization)? {
        return Ok(Written::Moved);
    }
    let busy = "SELECT 1 FROM operations
                WHERE organization = ?1 AND kind = ?2 AND state IN ('pending', 'running')";
    // Of waits there may be as many as there are changes.
    if new.kind != OperationKind::ConfirmChange
        && db.prepare_cached(busy)?.exists([new.organization.as_str(), new.kind.as_str()])?
    {
        return Ok(Written::Taken);
    }
    let sql =
        "INSERT INTO operations (id, organization, kind, parameters, state, actor, actor_name, created_ms)
               VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?6, ?7)";
    db.prepare_cached(sql)?.execute(params![
        new.id,
        new.organization.as_str(),
        new.kind.as_str(),
        new.parameters.to_string(),
        new.actor.as_ref().map(|person| person.as_str()),
        new.actor_name,
        signed(new.created_ms),
    ])?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn by_id(db: &Connection, id: &str) -> Result<Option<OperationRecord>, StoreError> {
    let mut statement = db.prepare_cached("SELECT * FROM operations WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(record).transpose()
}

fn list(
    db: &Connection,
    organization: &OrganizationId,
    before: Option<u64>,
    page: Page,
) -> Result<(Vec<OperationRecord>, u64), StoreError> {
    let total: i64 = db
        .prepare_cached("SELECT count(*) FROM operations WHERE organization = ?1")?
        .query_row([organization.as_str()], |row| row.get(0))?;
    let sql = "SELECT * FROM operations WHERE organization = ?1 AND sequence < ?2
               ORDER BY sequence DESC LIMIT ?3 OFFSET ?4";
    let mut statement = db.prepare_cached(sql)?;
    let before = before.map_or(i64::MAX, signed);
    let mut rows =
        statement.query(params![organization.as_str(), before, page.limit, signed(page.offset)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(row)?);
    }
    Ok((found, total.unsigned_abs()))
}

fn record(row: Row<'_>) -> Result<OperationRecord, StoreError> {
    let columns = Columns { row, table: "operations" };
    let (kind, state) = (columns.text("kind")?, columns.text("state")?);
    let state = OperationState::ALL.into_iter().find(|known| known.as_str() == state);
    let parameters = serde_json::from_str(&columns.text("parameters")?);
    Ok(OperationRecord {
        sequence: columns.number("sequence")?,
        id: columns.text("id")?,
        organization: columns.text("organization")?.into(),
        kind: OperationKind::from_name(&kind).ok_or_else(|| columns.corrupt("kind is none"))?,
        parameters: parameters.map_err(|_| columns.corrupt("parameters"))?,
        state: state.ok_or_else(|| columns.corrupt("state is none"))?,
        done: columns.number("done")?,
        position: columns.number("position")?,
        error: columns.optional_text("error")?,
        actor: columns.optional_text("actor")?.map(Into::into),
        actor_name: columns.optional_text("actor_name")?,
        created_ms: columns.number("created_ms")?,
        finished_ms: columns.optional_number("finished_ms")?,
        result_ms: columns.optional_number("result_ms")?,
    })
}

fn progress(db: &Connection, id: &str, more: u64) -> Result<(), StoreError> {
    let sql =
        "UPDATE operations SET state = 'running', done = done + ?2 WHERE id = ?1 AND finished_ms IS NULL";
    db.prepare_cached(sql)?.execute(params![id, signed(more)])?;
    Ok(())
}

fn finish(db: &Connection, id: &str, end: &Finish) -> Result<Written, StoreError> {
    let state = if end.error.is_none() { OperationState::Succeeded } else { OperationState::Failed };
    let sql = "UPDATE operations SET state = ?2, error = ?3, finished_ms = ?4, result_ms = ?5
               WHERE id = ?1 AND finished_ms IS NULL";
    let written = db.prepare_cached(sql)?.execute(params![
        id,
        state.as_str(),
        end.error,
        signed(end.at_ms),
        end.result_ms.map(signed)
    ])?;
    if written == 0 {
        return Ok(Written::Moved);
    }
    audit::append(db, &end.entry)?;
    Ok(Written::Done)
}

fn to_rotate(
    db: &Connection,
    operation: &OperationRecord,
    project: Option<&ProjectId>,
    limit: u32,
) -> Result<Vec<Token>, StoreError> {
    let sql = r#"SELECT id FROM tokens
                 WHERE organization = ?1 AND (CAST(?2 AS TEXT) IS NULL OR project = ?2) AND created_ms <= ?3
                   AND NOT EXISTS (SELECT 1 FROM operation_values v WHERE v.operation = ?4 AND v.token = tokens.id)
                 ORDER BY "row" LIMIT ?5"#;
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        operation.organization.as_str(),
        project.map(|project| project.as_str()),
        signed(operation.created_ms),
        operation.id,
        limit
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: TokenId = row.get::<_, String>(0)?.into();
        found.extend(tokens::details(db, &id)?);
    }
    Ok(found)
}

fn rotate(db: &Connection, rotation: &Rotation, entry: &AuditEntry) -> Result<Written, StoreError> {
    let Rotation { operation, token, .. } = rotation;
    let done = "SELECT 1 FROM operation_values WHERE operation = ?1 AND token = ?2";
    if db.prepare_cached(done)?.exists([operation.as_str(), &*token.id.text()])? {
        return Ok(Written::Taken);
    }
    let replaced = tokens::replace_keeping(db, token, rotation.value, rotation.until_ms)?;
    if replaced != Written::Done {
        return Ok(replaced);
    }
    let sql = "INSERT INTO operation_values (operation, token, sealed) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![operation, &*token.id.text(), rotation.sealed])?;
    progress(db, operation, 1)?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn add_piece(db: &Connection, id: &str, piece: &Piece) -> Result<Written, StoreError> {
    let sql = "UPDATE operations SET state = 'running', position = ?3, done = done + ?4
               WHERE id = ?1 AND position = ?2 AND finished_ms IS NULL";
    let written = db.prepare_cached(sql)?.execute(params![
        id,
        signed(piece.from),
        signed(piece.to),
        signed(piece.things)
    ])?;
    if written == 0 {
        return Ok(Written::Moved);
    }
    let sql = "INSERT INTO operation_pieces (operation, number, text)
               SELECT CAST(?1 AS TEXT), count(*), CAST(?2 AS TEXT) FROM operation_pieces WHERE operation = ?1";
    db.prepare_cached(sql)?.execute(params![id, piece.text])?;
    Ok(Written::Done)
}

fn remove_tokens(db: &Connection, organization: &OrganizationId, limit: u32) -> Result<u64, StoreError> {
    let sql = r#"SELECT id, digest FROM tokens WHERE organization = ?1 ORDER BY "row" LIMIT ?2"#;
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![organization.as_str(), limit])?;
    let mut found: Vec<(TokenId, Digest)> = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get::<_, String>(0)?.into(), Digest(row.get(1)?)));
    }
    for (id, digest) in &found {
        // Before the row goes, and with it what names its retiring values.
        changes::append(db, &ChangeSubject::Token { id: id.clone(), digest: *digest })?;
        db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([&*id.text()])?;
    }
    Ok(found.len() as u64)
}

fn remove_organization(
    db: &Connection,
    organization: &OrganizationId,
    entry: &AuditEntry,
) -> Result<Written, StoreError> {
    if !organizations::exists(db, organization)? {
        return Ok(Written::Moved);
    }
    remove_tokens(db, organization, u32::MAX)?;
    organizations::members_changed(db, organization)?;
    db.prepare_cached("DELETE FROM organizations WHERE id = ?1")?.execute([organization.as_str()])?;
    changes::append(db, &ChangeSubject::Organization(organization.clone()))?;
    audit::append(db, entry)?;
    Ok(Written::Done)
}

fn take_values(db: &Connection, id: &str, entry: &AuditEntry) -> Result<Vec<SealedValue>, StoreError> {
    let sql = r#"SELECT v.token, v.sealed, t.name, t.project FROM operation_values v
                 LEFT JOIN tokens t ON t.id = v.token
                 WHERE v.operation = ?1 AND v.sealed IS NOT NULL ORDER BY t."row" NULLS FIRST"#;
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(SealedValue {
            token: row.get::<_, String>(0)?.into(),
            sealed: row.get(1)?,
            name: row.get(2)?,
            project: row.get::<_, Option<String>>(3)?.map(Into::into),
        });
    }
    if values.is_empty() {
        return Ok(values);
    }
    db.prepare_cached("UPDATE operation_values SET sealed = NULL WHERE operation = ?1")?.execute([id])?;
    db.prepare_cached("UPDATE operations SET result_ms = NULL WHERE id = ?1")?.execute([id])?;
    audit::append(db, entry)?;
    Ok(values)
}

/// Whether something of an organization is under way.
pub(super) fn are_under_way(db: &Connection, organization: &OrganizationId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM operations WHERE organization = ?1 AND state IN ('pending', 'running')";
    Ok(db.prepare_cached(sql)?.exists([organization.as_str()])?)
}

fn sweep(db: &Connection, now_ms: u64, old_ms: u64) -> Result<(), StoreError> {
    let mut statement =
        db.prepare_cached("SELECT digest, token FROM retiring_values WHERE until_ms <= ?1")?;
    let mut rows = statement.query([signed(now_ms)])?;
    while let Some(row) = rows.next()? {
        let id: TokenId = row.get::<_, String>(1)?.into();
        changes::append(db, &ChangeSubject::Token { id, digest: Digest(row.get(0)?) })?;
    }
    let now = [signed(now_ms)];
    db.execute("DELETE FROM retiring_values WHERE until_ms <= ?1", now)?;
    let over = "(SELECT id FROM operations WHERE result_ms <= ?1)";
    db.execute(&format!("UPDATE operation_values SET sealed = NULL WHERE operation IN {over}"), now)?;
    db.execute(&format!("DELETE FROM operation_pieces WHERE operation IN {over}"), now)?;
    db.execute("UPDATE operations SET result_ms = NULL WHERE result_ms <= ?1", now)?;
    db.execute("DELETE FROM operations WHERE finished_ms < ?1 AND result_ms IS NULL", [signed(old_ms)])?;
    Ok(())
}

/// The key that a retiring value belongs to, and until when the value works.
pub(super) fn retiring(db: &Connection, digest: &Digest) -> Result<Option<(TokenId, u64)>, StoreError> {
    let sql = "SELECT token, until_ms FROM retiring_values WHERE digest = ?1";
    let found: Option<(String, i64)> =
        db.prepare_cached(sql)?.query_row([&digest.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.map(|(token, until)| (token.into(), until.unsigned_abs())))
}
