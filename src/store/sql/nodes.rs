//! The roll of nodes.

use super::db::{Connection, OptionalExtension, Row, params};
use super::row::{Columns, signed};
use super::{Database, changes};
use crate::store::nodes::{NewNode, Node, Nodes, Reading};
use crate::store::{Answer, ChangeId, StoreError};
use std::time::Duration;

impl Nodes for Database {
    fn enrol<'a>(&'a self, node: &'a NewNode) -> Answer<'a, ()> {
        let node = node.clone();
        self.join_roll(move |db| join(db, &node))
    }

    fn read_as<'a>(&'a self, node: Option<&'a str>, known: ChangeId) -> Answer<'a, Reading> {
        let node = node.map(str::to_owned);
        self.read(move |db| reading(db, node.as_deref(), known))
    }

    fn tell<'a>(&'a self, node: &'a str, applied: ChangeId, at_ms: u64) -> Answer<'a, ()> {
        let node = node.to_owned();
        // A node that has read more than it had told when this was queued has told so since. What it read before the store
        // was put back to an earlier state says nothing of the changes that have been made then.
        let sql = "UPDATE nodes SET beats = beats + 1, told_ms = ?4, applied = CASE WHEN EXISTS (
                       SELECT 1 FROM changes WHERE sequence = ?2 AND coalesce(mark, 0) = ?3) THEN ?2 ELSE applied END
                   WHERE id = ?1 AND applied <= ?2";
        self.on_roll(move |db| {
            let ChangeId { sequence, mark } = applied;
            let known = params![node, signed(sequence), signed(mark), signed(at_ms)];
            db.prepare_cached(sql)?.execute(known)?;
            Ok(())
        })
    }

    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        self.read(all)
    }

    fn doubt<'a>(&'a self, node: &'a str, beats: u64) -> Answer<'a, ()> {
        let node = node.to_owned();
        self.on_roll(move |db| {
            db.prepare_cached("UPDATE nodes SET doubted = TRUE WHERE id = ?1 AND beats <= ?2")?
                .execute(params![node, signed(beats)])?;
            Ok(())
        })
    }

    fn step_back<'a>(&'a self, node: &'a str) -> Answer<'a, ()> {
        let node = node.to_owned();
        self.on_roll(move |db| {
            db.prepare_cached("UPDATE nodes SET stepped_back = TRUE WHERE id = ?1")?.execute([&node])?;
            Ok(())
        })
    }

    fn strike<'a>(&'a self, node: &'a str) -> Answer<'a, ()> {
        let node = node.to_owned();
        self.on_roll(move |db| {
            db.prepare_cached("DELETE FROM nodes WHERE id = ?1")?.execute([&node])?;
            Ok(())
        })
    }

    fn strike_owner<'a>(&'a self, journal: &'a str) -> Answer<'a, ()> {
        let journal = journal.to_owned();
        self.on_roll(move |db| {
            db.prepare_cached("DELETE FROM nodes WHERE journal = ?1")?.execute([&journal])?;
            Ok(())
        })
    }
}

fn join(db: &Connection, node: &NewNode) -> Result<(), StoreError> {
    let sql = "INSERT INTO nodes (id, journal, name, version, lease_ms, joined_ms, told_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    let lease_ms = i64::try_from(node.lease.as_millis()).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?.execute(params![
        &*node.id,
        node.journal,
        node.name,
        node.version,
        lease_ms,
        signed(node.joined_ms)
    ])?;
    Ok(())
}

fn reading(db: &Connection, node: Option<&str>, known: ChangeId) -> Result<Reading, StoreError> {
    let changes = changes::after(db, known)?;
    let Some(node) = node else { return Ok(Reading { changes, member: false, first: false }) };
    let sql = "SELECT number, stepped_back FROM nodes WHERE id = ?1 AND NOT doubted";
    let own: Option<(i64, bool)> =
        db.prepare_cached(sql)?.query_row([node], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((number, stepped_back)) = own else {
        return Ok(Reading { changes, member: false, first: false });
    };
    // Doubted ones count: they may be at work until they are struck.
    let before = "SELECT 1 FROM nodes WHERE number < ?1 AND NOT stepped_back";
    let first = !stepped_back && !db.prepare_cached(before)?.exists([number])?;
    Ok(Reading { changes, member: true, first })
}

fn all(db: &Connection) -> Result<Vec<Node>, StoreError> {
    let mut statement = db.prepare_cached("SELECT * FROM nodes ORDER BY number")?;
    let mut rows = statement.query(())?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(node(row)?);
    }
    Ok(nodes)
}

fn node(row: Row<'_>) -> Result<Node, StoreError> {
    let columns = Columns { row, table: "nodes" };
    Ok(Node {
        id: columns.text("id")?.into(),
        number: columns.number("number")?,
        name: columns.text("name")?,
        version: columns.text("version")?,
        lease: Duration::from_millis(columns.number("lease_ms")?),
        applied: columns.number("applied")?,
        beats: columns.number("beats")?,
        doubted: columns.flag("doubted")?,
        stepped_back: columns.flag("stepped_back")?,
        joined_ms: columns.number("joined_ms")?,
        told_ms: columns.number("told_ms")?,
    })
}
