//! Keys listed and read.

use super::super::{By, Domain, DomainError, Violation, access::Standing};
use super::{ListQuery, Listed, Place};
use crate::store::management::{Page, Token, TokenFilter};
use crate::token::{OrganizationId, TokenId};

/// Keys on a page at most.
const MOST: u32 = 100;

impl Domain {
    /// Lists an organization's keys: all of them to owners and admins, to the others their own.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`], [`DomainError::Invalid`]
    pub async fn list_tokens(
        &self,
        by: &By,
        organization: &OrganizationId,
        place: &Place,
        query: ListQuery,
    ) -> Result<Listed, DomainError> {
        let standing = self.standing(by, organization).await?;
        let one_project = match query.kind.as_deref() {
            None => None,
            Some("organization") => Some(false),
            Some("project") => Some(true),
            Some(_) => return Err(unknown_kind().into()),
        };
        if query.page == 0 || query.limit == 0 {
            let field = if query.page == 0 { "page" } else { "limit" };
            return Err(Violation::new(field, "minimum", format!("{field} must be at least 1")).into());
        }
        let limit = query.limit.min(MOST);
        let filter = TokenFilter {
            organization: Some(organization.clone()),
            family: place.family,
            created_by: standing.sees_only(),
            one_project,
            active: query.active,
            project: query.project,
            search: query.search,
            after: None,
            order: query.order,
        };
        let page = Page { offset: (query.page - 1).saturating_mul(limit.into()), limit };
        // With the uses that were counted until now. Of those that are shown: to add up all takes long where there are many.
        // Read again in any case: somebody else may have added them up since the first time.
        let shown = self.store.list_tokens(&filter, page).await?.tokens;
        let shown: Vec<TokenId> = shown.into_iter().map(|token| token.id).collect();
        self.settle_usage_of(&shown).await;
        let found = self.store.list_tokens(&filter, page).await?;
        Ok(Listed { tokens: found.tokens, page: query.page, limit, total: found.total })
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`DomainError::NotFound`], [`DomainError::Forbidden`]
    pub async fn token(&self, by: &By, place: &Place, id: &TokenId) -> Result<Token, DomainError> {
        // Only for those who may see it.
        self.touched(by, place, id).await?;
        self.settle_usage_of(std::slice::from_ref(id)).await;
        Ok(self.touched(by, place, id).await?.0)
    }

    /// A key that `by` may read and alter, with what they are in its organization.
    pub(in super::super) async fn touched(
        &self,
        by: &By,
        place: &Place,
        id: &TokenId,
    ) -> Result<(Token, Standing), DomainError> {
        // The organization that is named comes first: who has no part in it learns nothing of its keys.
        let named = match &place.organization {
            Some(organization) => Some(self.standing(by, organization).await?),
            None => None,
        };
        let here = |token: &Token| {
            place.organization.as_ref().is_none_or(|organization| *organization == token.organization)
                && place.family.is_none_or(|family| family == token.family)
        };
        let token = self.store.token(id).await?.filter(here).ok_or(DomainError::NotFound("token"))?;
        let standing = match named {
            Some(standing) => standing,
            None => self.standing(by, &token.organization).await?,
        };
        standing.may_touch(&token)?;
        Ok((token, standing))
    }
}

pub(super) fn unknown_kind() -> Violation {
    Violation::new("type", "choice", "type must be organization or project")
}
