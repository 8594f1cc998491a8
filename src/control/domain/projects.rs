//! The projects of an organization.

use super::actor::Subject;
use super::people::unreadable;
use super::tokens::{Part, PartQuery};
use super::{ATTEMPTS, By, CHANGING, Domain, DomainError, Effect, Place, Violation};
use crate::store::Project;
use crate::store::management::{AuditEntry, Page, Position, TokenFilter, Written};
use crate::token::{KeyFamily, OrganizationId, ProjectId, TokenId};
use serde_json::{Value, json};

const VIEW: &str = "view:projects";
/// Making, altering and removing projects takes it.
pub const MANAGE_PROJECTS: &str = "manage:projects";
const NAME: usize = 100;
const DESCRIPTION: usize = 500;
/// Keys that are looked at in one go when a project is removed with its keys.
const AT_ONCE: u32 = 100;

/// A project to be made.
#[derive(Clone, Debug, Default)]
pub struct NewProject {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
}

/// What is to be altered of a project. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProjectPatch {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// At most 500 characters; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// An inactive project is left out of lists, and nothing else: its keys go on working.
    pub active: Option<bool>,
}

impl Domain {
    /// Lists an organization's projects in the order of their making; the inactive ones where they are wanted.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn projects(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: PartQuery,
        inactive_too: bool,
    ) -> Result<Part<Project>, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        let home = self.store.organization(organization).await?;
        let home = home.ok_or(DomainError::NotFound("organization"))?;
        let after = |project: &Project| {
            let place = place(project);
            query.after.as_ref().is_none_or(|it| (place.created_ms, &place.id) > (it.created_ms, &it.id))
        };
        let wanted = |project: &Project| (inactive_too || project.active) && after(project);
        let most = query.limit as usize + 1;
        let found: Vec<Project> = home.projects.into_iter().filter(wanted).take(most).collect();
        Ok(Part::cut(found, query.limit, place))
    }

    /// Shows a project.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`]
    pub async fn project(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &ProjectId,
    ) -> Result<Project, DomainError> {
        self.standing(by, organization).await?.require(VIEW)?;
        self.project_of(organization, id).await
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`]
    pub async fn create_project(
        &self,
        by: &By,
        organization: &OrganizationId,
        wanted: NewProject,
    ) -> Result<Project, DomainError> {
        self.standing(by, organization).await?.require(MANAGE_PROJECTS)?;
        let project = Project {
            id: uuid::Uuid::now_v7().to_string().into(),
            name: wanted.name,
            description: wanted.description,
            active: true,
            created_ms: by.now.unix_ms,
            updated_ms: by.now.unix_ms,
        };
        valid(&project)?;
        let entry = entry(by, "project.created", organization, &project, None, Some(facts(&project)));
        match self.store.add_project(organization, project.clone(), entry).await? {
            Written::Done => {}
            Written::Moved | Written::Taken => return Err(DomainError::NotFound("organization")),
        }
        self.confirm(&mut None, by.now, Effect::Adds).await?;
        Ok(project)
    }

    /// Alters a project.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Invalid`]
    pub async fn update_project(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &ProjectId,
        patch: ProjectPatch,
    ) -> Result<Project, DomainError> {
        let mut turn = self.take_turn().await;
        for _ in 0..ATTEMPTS {
            self.standing(by, organization).await?.require(MANAGE_PROJECTS)?;
            let old = self.project_of(organization, id).await?;
            let mut new = old.clone();
            new.name = patch.name.clone().unwrap_or(new.name);
            new.description = patch.description.clone().unwrap_or(new.description);
            new.active = patch.active.unwrap_or(new.active);
            valid(&new)?;
            if new == old {
                // It may have been answered to nobody, and still be on its way to a node.
                self.confirm(&mut turn, by.now, Effect::TakesAway).await?;
                return Ok(old);
            }
            new.updated_ms = by.now.unix_ms;
            let action = match (old.active, new.active) {
                (true, false) => "project.deactivated",
                (false, true) => "project.activated",
                _ => "project.updated",
            };
            let entry = entry(by, action, organization, &new, Some(facts(&old)), Some(facts(&new)));
            if self.store.replace_project(organization, &old, new.clone(), entry).await? == Written::Done {
                let effect = if old.active && !new.active { Effect::TakesAway } else { Effect::Adds };
                self.confirm(&mut turn, by.now, effect).await?;
                return Ok(new);
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    /// Removes a project. Keys that are bound to it are in its way, unless they are to go with it: then each is removed
    /// first, by the rules for keys, and dead when this returns.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::NotFound`], [`DomainError::Conflict`] while keys are bound to it.
    pub async fn delete_project(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &ProjectId,
        with_keys: bool,
    ) -> Result<(), DomainError> {
        for _ in 0..ATTEMPTS {
            self.standing(by, organization).await?.require(MANAGE_PROJECTS)?;
            let found = self.project_of(organization, id).await;
            let old = self.certainly(&mut None, by.now, found).await?;
            if with_keys {
                self.delete_keys_of(by, organization, id).await?;
            }
            let mut turn = self.take_turn().await;
            let entry = entry(by, "project.deleted", organization, &old, Some(facts(&old)), None);
            match self.store.remove_project(organization, id, entry).await? {
                Written::Done => return self.confirm(&mut turn, by.now, Effect::TakesAway).await,
                Written::Taken if !with_keys => return Err(self.keys_in_the_way(organization, id).await?),
                // A key was made meanwhile.
                Written::Taken | Written::Moved => {}
            }
        }
        Err(DomainError::Conflict(CHANGING.to_owned()))
    }

    async fn delete_keys_of(
        &self,
        by: &By,
        organization: &OrganizationId,
        id: &ProjectId,
    ) -> Result<(), DomainError> {
        let place = Place { organization: Some(organization.clone()), family: Some(KeyFamily::Ocriva) };
        // All of them before any is removed: who may not remove one of them removes none.
        for key in self.keys_of(organization, id).await? {
            self.token(by, &place, &key).await?;
        }
        loop {
            let keys = self.keys_of(organization, id).await?;
            if keys.is_empty() {
                return Ok(());
            }
            for key in keys {
                match self.delete_token(by, &place, &key).await {
                    Ok(()) | Err(DomainError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn keys_of(
        &self,
        organization: &OrganizationId,
        id: &ProjectId,
    ) -> Result<Vec<TokenId>, DomainError> {
        let mut found = Vec::new();
        loop {
            let page = Page { offset: found.len() as u64, limit: AT_ONCE };
            let keys = self.store.list_tokens(&bound_to(organization, id), page).await?.tokens;
            let more = keys.len() == AT_ONCE as usize;
            found.extend(keys.into_iter().map(|key| key.id));
            if !more {
                return Ok(found);
            }
        }
    }

    async fn keys_in_the_way(
        &self,
        organization: &OrganizationId,
        id: &ProjectId,
    ) -> Result<DomainError, DomainError> {
        let page = Page { offset: 0, limit: 1 };
        let total = self.store.list_tokens(&bound_to(organization, id), page).await?.total;
        let keys = if total == 1 { "One key is".to_owned() } else { format!("{total} keys are") };
        let message = format!("{keys} bound to this project: delete them first, or have them go with it.");
        Ok(DomainError::Conflict(message))
    }

    async fn project_of(
        &self,
        organization: &OrganizationId,
        id: &ProjectId,
    ) -> Result<Project, DomainError> {
        let home = self.store.organization(organization).await?;
        let projects = home.map(|home| home.projects).unwrap_or_default();
        projects.into_iter().find(|project| project.id == *id).ok_or(DomainError::NotFound("project"))
    }
}

fn bound_to(organization: &OrganizationId, id: &ProjectId) -> TokenFilter {
    TokenFilter {
        organization: Some(organization.clone()),
        project: Some(id.clone()),
        ..TokenFilter::default()
    }
}

fn place(project: &Project) -> Position {
    Position { created_ms: project.created_ms, id: project.id.to_string() }
}

fn valid(project: &Project) -> Result<(), DomainError> {
    let mut wrong = Vec::new();
    let length = project.name.chars().count();
    if length > NAME || project.name.trim().is_empty() {
        wrong.push(Violation::new("name", "length", format!("name must have 1 to {NAME} characters")));
    }
    wrong.extend(unreadable(&project.name, "name"));
    if project.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        let message = format!("description must have at most {DESCRIPTION} characters");
        wrong.push(Violation::new("description", "length", message));
    }
    DomainError::unless_none(wrong)
}

fn facts(project: &Project) -> Value {
    json!({ "name": project.name, "description": project.description, "isActive": project.active })
}

fn entry(
    by: &By,
    action: &'static str,
    organization: &OrganizationId,
    project: &Project,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditEntry {
    let (organization, name) = (Some(organization), Some(project.name.as_str()));
    by.entry(Subject { action, organization, id: project.id.as_str(), name, before, after })
}
