//! Organizations and projects of a fixture.

use super::{Import, Outcome, altered, note};
use crate::store::import::{FixtureOrganization, FixtureProject};
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::sql::{changes, organizations, row::signed};
use crate::store::{ChangeSubject, StoreError};
use crate::token::OrganizationId;

impl Import<'_> {
    pub(super) fn organization(&mut self, organization: &FixtureOrganization) -> Result<(), StoreError> {
        let outcome = self.organization_itself(organization)?;
        note(&mut self.done.organizations, outcome);
        if outcome == Outcome::Refused {
            return Ok(());
        }
        let mut changed = outcome != Outcome::Unchanged;
        for project in &organization.projects {
            let outcome = self.project(&organization.id, project)?;
            note(&mut self.done.projects, outcome);
            changed |= outcome != Outcome::Unchanged;
        }
        if changed {
            changes::append(self.db, &ChangeSubject::Organization(organization.id.clone()))?;
        }
        for member in &organization.members {
            let outcome = self.member(&organization.id, member)?;
            note(&mut self.done.members, outcome);
        }
        for token in &organization.tokens {
            let outcome = self.token(&organization.id, token)?;
            note(&mut self.done.tokens, outcome);
        }
        Ok(())
    }

    fn organization_itself(&mut self, new: &FixtureOrganization) -> Result<Outcome, StoreError> {
        let holder: Option<String> = self
            .db
            .prepare_cached("SELECT id FROM organizations WHERE slug = ?1")?
            .query_row([&new.slug], |row| row.get(0))
            .optional()?;
        if let Some(holder) = holder.filter(|holder| holder != new.id.as_str()) {
            let what = format!("slug `{}` belongs to organization `{holder}`: choose another slug", new.slug);
            return Ok(self.refuse(new.at, what));
        }
        let old: Option<(String, String)> = self
            .db
            .prepare_cached("SELECT slug, name FROM organizations WHERE id = ?1")?
            .query_row([new.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (id, now) = (new.id.as_str(), signed(self.now_ms));
        let Some((slug, name)) = old else {
            let sql = "INSERT INTO organizations (id, slug, name, created_ms, updated_ms)
                       VALUES (?1, ?2, ?3, ?4, ?4)";
            self.db.execute(sql, params![id, new.slug, new.name, now])?;
            return Ok(Outcome::Created);
        };
        let outcome = altered(slug != new.slug || name != new.name);
        if outcome == Outcome::Updated {
            let sql = "UPDATE organizations SET slug = ?2, name = ?3, updated_ms = ?4 WHERE id = ?1";
            self.db.execute(sql, params![id, new.slug, new.name, now])?;
        }
        if slug != new.slug {
            organizations::members_changed(self.db, &new.id)?;
        }
        Ok(outcome)
    }

    fn project(&mut self, home: &OrganizationId, new: &FixtureProject) -> Result<Outcome, StoreError> {
        let sql = "SELECT organization, name, description, active FROM projects WHERE id = ?1";
        let old: Option<(String, String, Option<String>, bool)> = self
            .db
            .prepare_cached(sql)?
            .query_row([new.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let (id, now) = (new.id.as_str(), signed(self.now_ms));
        let Some((organization, name, description, active)) = old else {
            let sql =
                "INSERT INTO projects (id, organization, name, description, active, created_ms, updated_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
            let active = new.active.unwrap_or(true);
            self.db.execute(sql, params![id, home.as_str(), new.name, new.description, active, now])?;
            return Ok(Outcome::Created);
        };
        if organization != home.as_str() {
            let what = format!("project `{id}` belongs to organization `{organization}`: choose another id");
            return Ok(self.refuse(new.at, what));
        }
        let wanted_description = new.description.clone().or_else(|| description.clone());
        let wanted_active = new.active.unwrap_or(active);
        let outcome =
            altered(name != new.name || description != wanted_description || active != wanted_active);
        if outcome == Outcome::Updated {
            let sql =
                "UPDATE projects SET name = ?2, description = ?3, active = ?4, updated_ms = ?5 WHERE id = ?1";
            self.db.execute(sql, params![id, new.name, wanted_description, wanted_active, now])?;
        }
        Ok(outcome)
    }
}
