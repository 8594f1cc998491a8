//! The audit log, read by an organization's owners and admins.

use super::{By, Domain, DomainError};
use crate::store::management::{AuditQuery, AuditRecord};
use crate::token::OrganizationId;

impl Domain {
    /// Entries about an organization, newest first, and how many there are in all.
    ///
    /// # Errors
    /// [`DomainError::Forbidden`]
    pub async fn audit_log(
        &self,
        by: &By,
        organization: &OrganizationId,
        query: AuditQuery,
    ) -> Result<(Vec<AuditRecord>, u64), DomainError> {
        self.administers(by, organization).await?;
        // Whatever the query says: nobody reads about others.
        let query = AuditQuery { organization: Some(organization.clone()), ..query };
        let total = self.store.audit_size(&query).await?;
        Ok((self.store.audit(&query).await?, total))
    }
}
