//! Members of a fixture: people, found by e-mail address, and their place in an organization.

use super::{Import, Outcome, altered};
use crate::store::import::FixtureMember;
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::sql::users::email_key;
use crate::store::sql::{changes, row::signed};
use crate::store::{ChangeSubject, StoreError};
use crate::token::{Digest, OrganizationId, UserId};

struct Person {
    id: UserId,
    email: String,
    name: String,
    password: Option<String>,
    active: bool,
}

impl Import<'_> {
    pub(super) fn member(
        &mut self,
        home: &OrganizationId,
        new: &FixtureMember,
    ) -> Result<Outcome, StoreError> {
        let (id, outcome, mut standing) = match self.person(&new.email)? {
            None => (self.add_person(new)?, Outcome::Created, false),
            Some(old) => self.alter_person(old, new)?,
        };
        let joined = self.membership(home, &id, new)?;
        standing |= joined == Outcome::Updated;
        let outcome = if outcome == Outcome::Unchanged && joined != Outcome::Unchanged {
            Outcome::Updated
        } else {
            outcome
        };
        if outcome != Outcome::Unchanged {
            changes::append(self.db, &ChangeSubject::User(id.clone()))?;
        }
        if standing || joined == Outcome::Created {
            self.keys_changed(&id)?;
        }
        Ok(outcome)
    }

    fn person(&self, email: &str) -> Result<Option<Person>, StoreError> {
        let sql = "SELECT id, email, name, password, active FROM users WHERE email_key = ?1";
        let person = self.db.prepare_cached(sql)?.query_row([email_key(email)], |row| {
            Ok(Person {
                id: row.get::<_, String>(0)?.into(),
                email: row.get(1)?,
                name: row.get(2)?,
                password: row.get(3)?,
                active: row.get(4)?,
            })
        });
        Ok(person.optional()?)
    }

    fn add_person(&self, new: &FixtureMember) -> Result<UserId, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let key = email_key(&new.email);
        let sql = "INSERT INTO users (id, email, email_key, name, password, active, created_ms, updated_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
        let (password, active) = (self.passwords.get(&key), new.active.unwrap_or(true));
        let values = params![id, new.email, key, new.name, password, active, signed(self.now_ms)];
        self.db.execute(sql, values)?;
        Ok(id.into())
    }

    /// Returns as well whether what the person may do is altered.
    fn alter_person(&self, old: Person, new: &FixtureMember) -> Result<(UserId, Outcome, bool), StoreError> {
        let password = self.passwords.get(&email_key(&new.email)).or(old.password.as_ref());
        let active = new.active.unwrap_or(old.active);
        let outcome = altered(
            old.email != new.email
                || old.name != new.name
                || old.password.as_ref() != password
                || old.active != active,
        );
        if outcome == Outcome::Updated {
            let sql = "UPDATE users SET email = ?2, name = ?3, password = ?4, active = ?5, updated_ms = ?6
                       WHERE id = ?1";
            let values = params![old.id.as_str(), new.email, new.name, password, active, signed(self.now_ms)];
            self.db.execute(sql, values)?;
        }
        Ok((old.id, outcome, old.active != active))
    }

    fn membership(
        &self,
        home: &OrganizationId,
        person: &UserId,
        new: &FixtureMember,
    ) -> Result<Outcome, StoreError> {
        let key = [person.as_str(), home.as_str()];
        let old: Option<String> = self
            .db
            .prepare_cached("SELECT role FROM memberships WHERE person = ?1 AND organization = ?2")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let outcome = match old {
            None => Outcome::Created,
            Some(role) => altered(role != new.role.as_str()),
        };
        if outcome != Outcome::Unchanged {
            let sql = "INSERT INTO memberships (person, organization, role) VALUES (?1, ?2, ?3)
                       ON CONFLICT (person, organization) DO UPDATE SET role = excluded.role, custom_role = NULL";
            self.db.execute(sql, params![key[0], key[1], new.role.as_str()])?;
        }
        Ok(outcome)
    }

    /// The keys that a person made grant no more than their role: with their standing, the keys change.
    fn keys_changed(&self, creator: &UserId) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached("SELECT id, digest FROM tokens WHERE created_by = ?1")?;
        let mut rows = statement.query([creator.as_str()])?;
        while let Some(row) = rows.next()? {
            let id = row.get::<_, String>(0)?.into();
            changes::append(self.db, &ChangeSubject::Token { id, digest: Digest(row.get(1)?) })?;
        }
        Ok(())
    }
}
