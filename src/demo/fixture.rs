//! The demo's tenants: two organizations, their projects, people and keys, with one key for each way to be refused.
//!
//! Key values and passwords are made once and kept in one private file; the database holds only their hashes.

use super::DemoError;
use super::folder::{Folder, random_hex};
use crate::token::{KeyFamily, Secret, mint};
use serde::{Deserialize, Serialize};

const FILE: &str = "demo-keys.json";

/// The first organization.
pub(super) const ORGANIZATION: &str = "68da2880b45d7a01d90a3c51";
/// The project of the project key.
pub(super) const RECEIPTS: &str = "68db5cc4c78g1e17gd4c7h85";
/// Another project of the same organization.
pub(super) const INVOICES: &str = "68db4aa2967d9c03fa9b5e74";
/// A project of the other organization.
pub(super) const FOREIGN: &str = "lighthouse-charts";
/// Signs in as the owner of the first organization.
pub(super) const OWNER: &str = "owner@example.com";
/// Signs in as the owner of the second organization.
pub(super) const OTHER_OWNER: &str = "owner@lighthouse.example";

/// Every secret that the demo prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// All projects of the first organization.
    #[serde(with = "exposed")]
    pub(super) organization: Secret,
    /// One project of the first organization.
    #[serde(with = "exposed")]
    pub(super) project: Secret,
    /// All projects of the second organization.
    #[serde(with = "exposed")]
    pub(super) other_organization: Secret,
    /// For using up a limit without disturbing the other lines.
    #[serde(with = "exposed")]
    pub(super) busy: Secret,
    /// Its last day is over.
    #[serde(with = "exposed")]
    pub(super) expired: Secret,
    /// Switched off.
    #[serde(with = "exposed")]
    pub(super) inactive: Secret,
    /// Good from one address only, which is not this machine's.
    #[serde(with = "exposed")]
    pub(super) elsewhere: Secret,
    /// oCore: may look at servers.
    #[serde(with = "exposed")]
    pub(super) viewer: Secret,
    /// oCore: may change servers.
    #[serde(with = "exposed")]
    pub(super) manager: Secret,
    /// Password of [`OWNER`].
    #[serde(with = "exposed")]
    pub(super) owner_password: Secret,
    /// Password of [`OTHER_OWNER`].
    #[serde(with = "exposed")]
    pub(super) other_owner_password: Secret,
}

impl Credentials {
    /// Reads the credentials of an earlier run, or makes and keeps new ones.
    pub(super) fn load_or_make(folder: &Folder) -> Result<Self, DemoError> {
        let unreadable = |source| DemoError::Credentials { path: folder.path(FILE), source };
        if let Some(text) = folder.read(FILE)? {
            return serde_json::from_str(&text).map_err(unreadable);
        }
        let made = Self::make()?;
        folder.write(FILE, &serde_json::to_string_pretty(&made).map_err(unreadable)?)?;
        Ok(made)
    }

    fn make() -> Result<Self, DemoError> {
        let ocriva = || mint(KeyFamily::Ocriva).map_err(DemoError::Random);
        let ocore = || mint(KeyFamily::Ocore).map_err(DemoError::Random);
        Ok(Self {
            organization: ocriva()?,
            project: ocriva()?,
            other_organization: ocriva()?,
            busy: ocriva()?,
            expired: ocriva()?,
            inactive: ocriva()?,
            elsewhere: ocriva()?,
            viewer: ocore()?,
            manager: ocore()?,
            owner_password: password()?,
            other_owner_password: password()?,
        })
    }
}

/// 80 random bits behind a letter and a digit, which the rule for passwords asks for.
fn password() -> Result<Secret, DemoError> {
    Ok(Secret::new(format!("demo-1-{}", random_hex::<10>()?)))
}

/// Writes a secret to, and reads it from, the one file that may hold it.
mod exposed {
    use crate::token::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        secret.expose().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// The fixture as `portcullis import` takes it.
pub(super) fn yaml(credentials: &Credentials) -> String {
    let filled = [
        ("@RECEIPTS@", RECEIPTS),
        ("@INVOICES@", INVOICES),
        ("@FOREIGN@", FOREIGN),
        ("@OWNER@", OWNER),
        ("@OTHER_OWNER@", OTHER_OWNER),
        ("@organization@", credentials.organization.expose()),
        ("@project@", credentials.project.expose()),
        ("@other_organization@", credentials.other_organization.expose()),
        ("@busy@", credentials.busy.expose()),
        ("@expired@", credentials.expired.expose()),
        ("@inactive@", credentials.inactive.expose()),
        ("@elsewhere@", credentials.elsewhere.expose()),
        ("@viewer@", credentials.viewer.expose()),
        ("@manager@", credentials.manager.expose()),
        ("@owner_password@", credentials.owner_password.expose()),
        ("@other_owner_password@", credentials.other_owner_password.expose()),
    ];
    // Values hold neither `@` nor `"` by construction, so that filling in cannot change the shape of the text.
    filled.into_iter().fold(TEMPLATE.to_owned(), |text, (name, value)| text.replace(name, value))
}

const TEMPLATE: &str = include_str!("fixture.yaml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_has_the_keys_of_the_first() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        let first = yaml(&Credentials::load_or_make(&folder).unwrap());
        assert_eq!(yaml(&Credentials::load_or_make(&folder).unwrap()), first);
        assert!(!first.replace("@example", "").replace("@lighthouse", "").contains('@'), "{first}");
    }

    #[test]
    fn unreadable_keys_are_an_error_that_says_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        folder.write(FILE, "{}").unwrap();
        let error = Credentials::load_or_make(&folder).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("remove it"), "{error}");
    }

    #[test]
    fn credentials_do_not_print() {
        let made = Credentials::make().unwrap();
        assert!(!format!("{made:?}").contains("ocr_"));
    }
}
