//! What the fields of a key may be. Everything that is wrong is told at once.

use super::super::people::unreadable;
use super::super::{Catalogue, Violation};
use crate::clock::Moment;
use crate::store::import::network;
use crate::token::Permissions;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Characters of a name at most.
const NAME: usize = 100;
/// Characters of a description at most.
const DESCRIPTION: usize = 500;
/// Entries of a list at most, and characters of each: they go upstream in header fields.
const ENTRIES: usize = 100;
const ENTRY: usize = 200;
/// Members that go with a key at most, and bytes of them as JSON.
const EXTRAS: usize = 16;
const EXTRAS_SIZE: usize = 4096;

/// Gathers what is wrong.
#[derive(Debug, Default)]
pub(in crate::control::domain) struct Rules(Vec<Violation>);

impl Rules {
    fn broken(&mut self, field: &'static str, constraint: &'static str, message: impl Into<String>) {
        self.0.push(Violation::new(field, constraint, message));
    }

    /// Adds what somebody else has found.
    pub(super) fn add(&mut self, violation: Violation) {
        self.0.push(violation);
    }

    /// All that is wrong, if anything is.
    pub(in crate::control::domain) fn held(self) -> Result<(), Vec<Violation>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    pub(super) fn name(&mut self, text: &str) {
        if !(1..=NAME).contains(&text.chars().count()) || text.trim().is_empty() {
            self.broken("name", "length", format!("name must have 1 to {NAME} characters"));
        }
        self.0.extend(unreadable(text, "name"));
    }

    pub(super) fn description(&mut self, text: &str) {
        if text.chars().count() > DESCRIPTION {
            let message = format!("description must have at most {DESCRIPTION} characters");
            self.broken("description", "length", message);
        }
    }

    pub(super) fn permissions(&mut self, list: &[String]) -> Permissions {
        self.list("permissions", list);
        Permissions::new(list.iter().map(String::as_str))
    }

    /// Permissions of which each is one that there is.
    pub(in crate::control::domain) fn known_permissions(
        &mut self,
        list: &[String],
        known: &Catalogue,
    ) -> Permissions {
        self.list("permissions", list);
        // Which one is not repeated: somebody may have put a key where a permission belongs.
        if !list.iter().all(|name| known.has(name)) {
            let message = "each entry of permissions must be view: or manage: and a resource that there is";
            self.broken("permissions", "known", message);
        }
        let mut kept: Vec<&str> = Vec::new();
        for name in list {
            if !kept.contains(&name.as_str()) {
                kept.push(name);
            }
        }
        Permissions::new(kept)
    }

    pub(super) fn scope(&mut self, text: &str) -> Box<str> {
        if text.trim().is_empty() || text.chars().count() > ENTRY {
            self.broken("scope", "length", format!("scope must have 1 to {ENTRY} characters"));
        } else if text.contains(char::is_control) {
            self.broken("scope", "characters", "scope must not have control characters");
        }
        text.into()
    }

    pub(super) fn scopes(&mut self, list: &[String]) -> Vec<Box<str>> {
        self.list("scopes", list);
        list.iter().map(|text| text.as_str().into()).collect()
    }

    fn list(&mut self, field: &'static str, list: &[String]) {
        if list.is_empty() {
            self.broken(field, "required", format!("{field} must have at least one entry"));
        } else if list.len() > ENTRIES {
            self.broken(field, "length", format!("{field} must have at most {ENTRIES} entries"));
        } else if list.iter().any(|text| text.trim().is_empty() || text.chars().count() > ENTRY) {
            let message = format!("each entry of {field} must have 1 to {ENTRY} characters");
            self.broken(field, "length", message);
        }
    }

    /// What goes with a key and means nothing here: enough of it to be useful, and too little to fill a database.
    pub(super) fn extras(&mut self, extras: &Map<String, Value>) {
        let size = serde_json::to_string(extras).map_or(usize::MAX, |text| text.len());
        if extras.len() > EXTRAS || size > EXTRAS_SIZE {
            let message =
                format!("at most {EXTRAS} members may begin with mcp, of {EXTRAS_SIZE} bytes as JSON");
            self.broken("mcp", "maximum", message);
        }
    }

    /// An instant that is still to come, in milliseconds since 1970.
    pub(super) fn expiry(&mut self, text: &str, now: Moment) -> Option<u64> {
        let at = text.parse::<Timestamp>().ok().map(|at| at.as_millisecond());
        let Some(at_ms) = at else {
            let message = "expiresAt must be an instant such as 2030-01-01T00:00:00Z";
            self.broken("expiresAt", "format", message);
            return None;
        };
        let at_ms = u64::try_from(at_ms).unwrap_or(0);
        if at_ms <= now.unix_ms {
            self.broken("expiresAt", "future", "expiresAt must be in the future");
            return None;
        }
        Some(at_ms)
    }

    pub(super) fn addresses(&mut self, list: &[String]) -> Vec<IpNet> {
        if list.len() > ENTRIES {
            let message = format!("ipWhitelist must have at most {ENTRIES} entries");
            self.broken("ipWhitelist", "length", message);
        }
        let mut networks = Vec::new();
        for text in list {
            match network(text.trim()) {
                Some(network) => networks.push(network),
                None => {
                    let message = "each entry of ipWhitelist must be an IP address or a CIDR range, such as 203.0.113.10 \
                         or 10.0.0.0/8";
                    self.broken("ipWhitelist", "format", message);
                    break;
                }
            }
        }
        networks
    }
}
