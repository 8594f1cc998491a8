//! The roles of an organization's members.

use super::row::Columns;
use crate::store::StoreError;
use crate::token::{CustomRole, MemberRole, Permissions, Role};
use std::sync::Arc;

/// Reads a member's role from `role`, and from `custom_role`, `role_name` and `role_permissions` of the role beside it.
pub(super) fn of_member(columns: &Columns<'_>) -> Result<MemberRole, StoreError> {
    if let Some(id) = columns.optional_text("custom_role")? {
        let permissions = Permissions::new(columns.list("role_permissions")?);
        return Ok(MemberRole::Custom(Arc::new(CustomRole {
            id,
            name: columns.text("role_name")?,
            permissions,
        })));
    }
    let name = columns.text("role")?;
    let role = Role::from_name(&name).ok_or_else(|| columns.corrupt(format!("{name} is no role")))?;
    Ok(role.into())
}
