//! What a key is: its text, its digest, what it grants. No HTTP, no SQL, no clock.

mod digest;
mod id;
pub mod jwt;
mod mint;
mod permission;
mod role;
mod secret;
mod shown;
mod signatures;
pub mod signer;
pub mod totp;

pub use digest::Digest;
pub use id::{IdText, OrganizationId, ProjectId, TokenId, UserId};
pub use mint::{KeyFamily, mint, random_secret};
pub use permission::{Permissions, RESOURCES, Role};
pub use role::{CustomRole, MemberRole};
pub use secret::Secret;
pub use shown::ShownKey;
pub use signatures::Signatures;

/// What a key reaches: all projects of its organization, or one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every project of the organization; a request names the one it means.
    Organization,
    /// This project only; a request need not name it.
    Project(ProjectId),
}

impl Reach {
    /// `organization` or `project`, as clients and upstreams see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project(_) => "project",
        }
    }

    /// The one project of a project key.
    pub fn project(&self) -> Option<&ProjectId> {
        match self {
            Self::Organization => None,
            Self::Project(id) => Some(id),
        }
    }
}

/// 128 random bits as 32 lowercase hexadecimal digits.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn random_id() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut random = [0u8; 16];
    aws_lc_rs::rand::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A random number of 63 bits.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn random_number() -> Result<u64, aws_lc_rs::error::Unspecified> {
    let mut random = [0u8; 8];
    aws_lc_rs::rand::fill(&mut random)?;
    Ok(u64::from_le_bytes(random) >> 1)
}
