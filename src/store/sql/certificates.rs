//! Certificates by ACME.

use super::Database;
use super::db::{Connection, OptionalExtension, params};
use super::row::{Columns, signed};
use crate::store::management::{Certificates, Issued, OrderEnd};
use crate::store::{Answer, StoreError};
use crate::token::Secret;

impl Certificates for Database {
    fn acme_account<'a>(&'a self, directory: &'a str) -> Answer<'a, Option<Secret>> {
        let directory = directory.to_owned();
        self.ask(move |db| {
            let sql = "SELECT credentials FROM acme_accounts WHERE directory = ?1";
            let found: Option<String> = db.query_row(sql, [&directory], |row| row.get(0)).optional()?;
            Ok(found.map(Secret::new))
        })
    }

    fn keep_acme_account<'a>(&'a self, directory: &'a str, credentials: Option<Secret>) -> Answer<'a, ()> {
        let directory = directory.to_owned();
        self.write(move |db| {
            match &credentials {
                Some(credentials) => db.execute(
                    "INSERT INTO acme_accounts (directory, credentials) VALUES (?1, ?2)
                     ON CONFLICT (directory) DO UPDATE SET credentials = excluded.credentials",
                    [&*directory, credentials.expose()],
                )?,
                None => db.execute("DELETE FROM acme_accounts WHERE directory = ?1", [&directory])?,
            };
            Ok(())
        })
    }

    fn issued<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Issued>> {
        let name = name.to_owned();
        self.ask(move |db| issued(db, &name))
    }

    fn keep_issued<'a>(&'a self, name: &'a str, issued: Issued) -> Answer<'a, ()> {
        let name = name.to_owned();
        self.write(move |db| {
            db.execute(
                "INSERT INTO acme_certificates (name, chain, key, obtained_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET chain = excluded.chain, key = excluded.key,
                     obtained_ms = excluded.obtained_ms",
                params![name, issued.chain, issued.key.expose(), signed(issued.obtained_ms)],
            )?;
            Ok(())
        })
    }

    fn begin_order<'a>(
        &'a self,
        name: &'a str,
        holder: &'a str,
        now_ms: u64,
        until_ms: u64,
    ) -> Answer<'a, Option<u32>> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |db| begin(db, &name, &holder, signed(now_ms), signed(until_ms)))
    }

    fn release_order<'a>(&'a self, name: &'a str, holder: &'a str, wait_until_ms: u64) -> Answer<'a, ()> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |db| {
            db.execute(
                "UPDATE acme_orders SET held_until_ms = 0, wait_until_ms = ?3
                 WHERE name = ?1 AND holder = ?2 AND held_until_ms > 0",
                params![name, holder, signed(wait_until_ms)],
            )?;
            Ok(())
        })
    }

    fn end_order<'a>(&'a self, name: &'a str, holder: &'a str, end: OrderEnd) -> Answer<'a, ()> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |db| {
            db.execute(
                "UPDATE acme_orders SET held_until_ms = 0, wait_until_ms = ?3, failures = ?4
                 WHERE name = ?1 AND holder = ?2",
                params![name, holder, signed(end.wait_until_ms), end.failures],
            )?;
            Ok(())
        })
    }
}

fn issued(db: &Connection, name: &str) -> Result<Option<Issued>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT chain, key, obtained_ms FROM acme_certificates WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns { row, table: "acme_certificates" };
    Ok(Some(Issued {
        chain: columns.text("chain")?,
        key: Secret::new(columns.text("key")?),
        obtained_ms: columns.number("obtained_ms")?,
    }))
}

/// In one transaction: whoever comes second finds the row taken.
fn begin(db: &Connection, name: &str, holder: &str, now: i64, until: i64) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT failures, held_until_ms <= ?2 AND wait_until_ms <= ?2 FROM acme_orders WHERE name = ?1";
    let found: Option<(u32, bool)> =
        db.query_row(sql, params![name, now], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let failures = match found {
        Some((_, false)) => return Ok(None),
        Some((failures, true)) => failures,
        None => 0,
    };
    db.execute(
        "INSERT INTO acme_orders (name, holder, held_until_ms, wait_until_ms, failures)
         VALUES (?1, ?2, ?3, 0, ?4)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until_ms = excluded.held_until_ms,
             wait_until_ms = excluded.wait_until_ms, failures = excluded.failures",
        params![name, holder, until, failures],
    )?;
    Ok(Some(failures))
}
