//! Keys of a fixture, found by digest.

use super::{Import, Outcome, altered};
use crate::store::import::{FixtureToken, default_expiry_ms};
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::sql::users::email_key;
use crate::store::sql::{changes, row};
use crate::store::{ChangeSubject, StoreError};
use crate::token::{OrganizationId, ProjectId, TokenId};

/// The columns that a fixture decides, as they are stored.
#[derive(Debug, PartialEq)]
struct Columns {
    family: String,
    name: String,
    description: Option<String>,
    project: Option<String>,
    permissions: String,
    scopes: String,
    expires_ms: Option<i64>,
    active: bool,
    addresses: String,
    created_by: Option<String>,
}

struct Stored {
    id: TokenId,
    organization: String,
    columns: Columns,
}

impl Import<'_> {
    pub(super) fn token(&mut self, home: &OrganizationId, new: &FixtureToken) -> Result<Outcome, StoreError> {
        let created_by = match &new.created_by {
            None => None,
            Some(email) => match self.creator(home, email)? {
                Some(id) => Some(id),
                None => {
                    let what = format!(
                        "createdBy `{email}` is no member of the organization: add them to `members`"
                    );
                    return Ok(self.refuse(new.at, what));
                }
            },
        };
        if let Some(what) = self.foreign_project(home, new.reach.project())? {
            return Ok(self.refuse(new.at, what));
        }
        match self.stored(new)? {
            Some(old) => self.alter_token(home, old, new, created_by),
            None => self.add_token(home, new, created_by),
        }
    }

    fn alter_token(
        &mut self,
        home: &OrganizationId,
        old: Stored,
        new: &FixtureToken,
        created_by: Option<String>,
    ) -> Result<Outcome, StoreError> {
        if old.organization != home.as_str() {
            let what = "this key exists already, in another organization: make a new key".to_owned();
            return Ok(self.refuse(new.at, what));
        }
        if new.id.as_ref().is_some_and(|id| *id != old.id) {
            let what = format!("this key exists already, with id `{}`: give it that id, or none", old.id);
            return Ok(self.refuse(new.at, what));
        }
        let wanted = Columns {
            description: new.description.clone().or_else(|| old.columns.description.clone()),
            expires_ms: new.expires_ms.map(row::signed).or(old.columns.expires_ms),
            active: new.active.unwrap_or(old.columns.active),
            created_by: created_by.or_else(|| old.columns.created_by.clone()),
            ..columns(new)
        };
        let outcome = altered(wanted != old.columns);
        if outcome == Outcome::Updated {
            self.update_token(&old.id, &wanted)?;
            self.token_changed(old.id, new)?;
        }
        Ok(outcome)
    }

    fn add_token(
        &mut self,
        home: &OrganizationId,
        new: &FixtureToken,
        created_by: Option<String>,
    ) -> Result<Outcome, StoreError> {
        let id = new.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string().into());
        let taken = self.db.prepare_cached("SELECT 1 FROM tokens WHERE id = ?1")?.exists([&*id.text()])?;
        if taken {
            let what = format!("another key has the id `{id}`: choose another id");
            return Ok(self.refuse(new.at, what));
        }
        let expires_ms = new.expires_ms.or_else(|| default_expiry_ms(new.family, self.now_ms));
        let wanted = Columns { expires_ms: expires_ms.map(row::signed), created_by, ..columns(new) };
        self.insert_token(home, &id, new, &wanted)?;
        self.token_changed(id, new)?;
        Ok(Outcome::Created)
    }

    fn token_changed(&self, id: TokenId, token: &FixtureToken) -> Result<(), StoreError> {
        changes::append(self.db, &ChangeSubject::Token { id, digest: token.digest })
    }

    fn creator(&self, home: &OrganizationId, email: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT u.id FROM users u JOIN memberships m ON m.person = u.id
                   WHERE u.email_key = ?1 AND m.organization = ?2";
        let creator = self
            .db
            .prepare_cached(sql)?
            .query_row([email_key(email).as_str(), home.as_str()], |row| row.get(0));
        Ok(creator.optional()?)
    }

    /// What is wrong with the project, if anything.
    fn foreign_project(
        &self,
        home: &OrganizationId,
        project: Option<&ProjectId>,
    ) -> Result<Option<String>, StoreError> {
        let Some(project) = project else { return Ok(None) };
        let sql = "SELECT 1 FROM projects WHERE id = ?1 AND organization = ?2";
        let ours = self.db.prepare_cached(sql)?.exists([project.as_str(), home.as_str()])?;
        Ok((!ours).then(|| format!("the organization has no project `{project}`: add it to `projects`")))
    }

    fn stored(&self, new: &FixtureToken) -> Result<Option<Stored>, StoreError> {
        let sql = "SELECT id, organization, family, name, description, project, permissions, scopes,
                          expires_ms, active, addresses, created_by FROM tokens WHERE digest = ?1";
        let stored = self.db.prepare_cached(sql)?.query_row([&new.digest.0], |row| {
            Ok(Stored {
                id: row.get::<_, String>("id")?.into(),
                organization: row.get("organization")?,
                columns: Columns {
                    family: row.get("family")?,
                    name: row.get("name")?,
                    description: row.get("description")?,
                    project: row.get("project")?,
                    permissions: row.get("permissions")?,
                    scopes: row.get("scopes")?,
                    expires_ms: row.get("expires_ms")?,
                    active: row.get("active")?,
                    addresses: row.get("addresses")?,
                    created_by: row.get("created_by")?,
                },
            })
        });
        Ok(stored.optional()?)
    }

    fn update_token(&self, id: &TokenId, to: &Columns) -> Result<(), StoreError> {
        let sql =
            "UPDATE tokens SET family = ?2, name = ?3, description = ?4, project = ?5, permissions = ?6,
                       scopes = ?7, expires_ms = ?8, active = ?9, addresses = ?10, created_by = ?11,
                       updated_ms = ?12, revision = revision + 1,
                       lifetime_ms = CASE WHEN expires_ms IS NOT DISTINCT FROM ?8 THEN lifetime_ms
                                          WHEN ?8 > ?12 THEN ?8 - ?12 END
                   WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            &*id.text(),
            to.family,
            to.name,
            to.description,
            to.project,
            to.permissions,
            to.scopes,
            to.expires_ms,
            to.active,
            to.addresses,
            to.created_by,
            row::signed(self.now_ms),
        ])?;
        Ok(())
    }

    fn insert_token(
        &self,
        home: &OrganizationId,
        id: &TokenId,
        new: &FixtureToken,
        columns: &Columns,
    ) -> Result<(), StoreError> {
        // What a fixture decides is written by the update, in one place.
        let sql = "INSERT INTO tokens (id, digest, organization, family, name, permissions, scopes, active, addresses,
                       version, created_ms, updated_ms)
                   VALUES (?1, ?2, ?3, '', '', '', '', FALSE, '', 1, ?4, ?4)";
        let now = row::signed(self.now_ms);
        self.db.prepare_cached(sql)?.execute(params![&*id.text(), new.digest.0, home.as_str(), now])?;
        self.update_token(id, columns)
    }
}

/// The fixture's columns, with the defaults of a new key but for its expiry.
fn columns(new: &FixtureToken) -> Columns {
    let addresses: Vec<String> = new.addresses.iter().map(ToString::to_string).collect();
    Columns {
        family: new.family.as_str().to_owned(),
        name: new.name.clone(),
        description: new.description.clone(),
        project: new.reach.project().map(ToString::to_string),
        permissions: row::json(new.permissions.iter()),
        scopes: row::json(new.scopes.iter().map(AsRef::as_ref)),
        expires_ms: None,
        active: new.active.unwrap_or(true),
        addresses: row::json(addresses.iter().map(String::as_str)),
        created_by: None,
    }
}
