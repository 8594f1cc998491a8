//! Fixtures: organizations, projects, people and keys from a YAML file, checked as a whole and imported as a whole.

mod address;
mod parse;
mod rules;
#[cfg(test)]
mod tests;

pub use address::{network, network_text};
pub use parse::parse;
pub use rules::{is_deceptive, is_email, is_slug};

use crate::config::{Code, Problem, Problems};
use crate::token::{Digest, KeyFamily, OrganizationId, Permissions, ProjectId, Reach, Role, Secret, TokenId};
use ipnet::IpNet;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// A place in the fixture's file, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// An entry that contradicts what is stored already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where the entry begins.
    pub at: Position,
    /// What contradicts it, and what to do.
    pub what: String,
}

/// What a fixture file holds: consistent in itself, raw values already hashed.
#[derive(Clone, Debug, Default)]
pub struct Fixture {
    /// As in the file.
    pub organizations: Vec<FixtureOrganization>,
}

/// One organization of a fixture.
#[derive(Clone, Debug)]
pub struct FixtureOrganization {
    /// Where it is in the file.
    pub at: Position,
    /// By this it is found again.
    pub id: OrganizationId,
    /// 3 to 50 of `a-z`, `0-9` and `-`.
    pub slug: String,
    /// 2 to 100 characters.
    pub name: String,
    /// Its projects.
    pub projects: Vec<FixtureProject>,
    /// Its people.
    pub members: Vec<FixtureMember>,
    /// Its keys.
    pub tokens: Vec<FixtureToken>,
}

/// One project of a fixture. What is `None` stays as it is, or gets its default when the project is new.
#[derive(Clone, Debug)]
pub struct FixtureProject {
    /// Where it is in the file.
    pub at: Position,
    /// By this it is found again.
    pub id: ProjectId,
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// Default true.
    pub active: Option<bool>,
}

/// One member of an organization of a fixture. What is `None` stays as it is, or gets its default.
#[derive(Clone, Debug)]
pub struct FixtureMember {
    /// Where it is in the file.
    pub at: Position,
    /// By this, whatever its case, the person is found again.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// In clear; stored as Argon2id.
    pub password: Option<Secret>,
    /// In this organization.
    pub role: Role,
    /// Default true.
    pub active: Option<bool>,
}

/// One key of a fixture. What is `None` stays as it is, or gets its default when the key is new.
#[derive(Clone, Debug)]
pub struct FixtureToken {
    /// Where it is in the file.
    pub at: Position,
    /// Default: a new one.
    pub id: Option<TokenId>,
    /// By this it is found again.
    pub digest: Digest,
    /// Which family.
    pub family: KeyFamily,
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// All projects, or one of this organization's.
    pub reach: Reach,
    /// In order.
    pub permissions: Permissions,
    /// In order.
    pub scopes: Vec<Box<str>>,
    /// Milliseconds since 1970. Default: [`default_expiry_ms`].
    pub expires_ms: Option<u64>,
    /// Default true.
    pub active: Option<bool>,
    /// Where it may be used from; empty means anywhere.
    pub addresses: Vec<IpNet>,
    /// E-mail address of who made it, whose role then bounds an ocore key. Default: nobody.
    pub created_by: Option<String>,
}

/// What an import did, by kind of record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Organizations.
    pub organizations: Tally,
    /// Projects.
    pub projects: Tally,
    /// People, each counted in every organization that names them.
    pub members: Tally,
    /// Keys.
    pub tokens: Tally,
}

/// How many records of one kind an import made, altered and found to be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Made.
    pub created: usize,
    /// Altered.
    pub updated: usize,
    /// Found to be right.
    pub unchanged: usize,
}

impl std::fmt::Display for Imported {
    /// One line for a person: `organizations 1 created, 0 updated, 2 unchanged; …`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("organizations", self.organizations),
            ("projects", self.projects),
            ("members", self.members),
            ("tokens", self.tokens),
        ];
        for (index, (kind, Tally { created, updated, unchanged })) in kinds.into_iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{kind} {created} created, {updated} updated, {unchanged} unchanged")?;
        }
        Ok(())
    }
}

/// When a new key expires that names no expiry: one calendar year on for `ocriva`, never for `ocore`.
pub fn default_expiry_ms(family: KeyFamily, now_ms: u64) -> Option<u64> {
    match family {
        KeyFamily::Ocore => None,
        KeyFamily::Ocriva => {
            let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
            // From the 29th of February it is the 28th.
            let then = now.to_zoned(TimeZone::UTC).checked_add(1.year()).ok()?;
            u64::try_from(then.timestamp().as_millisecond()).ok()
        }
    }
}

/// Conflicts as problems of the fixture's file, to be shown with the lines they are about.
pub fn problems(source: &str, file_name: &str, conflicts: &[Conflict]) -> Problems {
    let problem = |Conflict { at, what }: &Conflict| {
        Problem::new(Code::Conflict, String::new(), at.line, at.column, what.clone())
    };
    Problems::new(file_name, source, conflicts.iter().map(problem).collect())
}
