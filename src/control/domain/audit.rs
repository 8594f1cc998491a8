//! The audit log. It says of everybody from where they did what, so that reading it takes more than a viewer has.

use super::{By, Domain, DomainError};
use crate::store::management::{AuditQuery, AuditRecord};
use crate::token::OrganizationId;

/// What reading it takes.
pub const MANAGE_AUDIT_LOGS: &str = "manage:audit-logs";

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
        self.may(by, organization, MANAGE_AUDIT_LOGS).await?;
        // Whatever the query says: nobody reads about others.
        let query = AuditQuery { organization: Some(organization.clone()), ..query };
        let total = self.store.audit_size(&query).await?;
        Ok((self.store.audit(&query).await?, total))
    }
}
