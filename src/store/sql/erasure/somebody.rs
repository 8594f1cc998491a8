//! Who somebody is to the log, and texts without them.

use super::super::db::Connection;
use crate::store::StoreError;
use serde_json::Value;
use std::collections::BTreeSet;

/// What stands where somebody was named.
const NOBODY: &str = "erased";

/// Somebody, as far as it is known: under one account after the other.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Somebody {
    pub(in super::super) ids: BTreeSet<String>,
    pub(super) emails: BTreeSet<String>,
    /// What rows call them that are about them.
    names: BTreeSet<String>,
}

impl Somebody {
    /// What the log knows of them: every id, address and name that they have had. Whoever has an account now is somebody else,
    /// and so is their address, but for rows that are about the one who had it before.
    pub(in super::super) fn known(
        db: &Connection,
        named: &str,
        account: Option<&(String, String)>,
    ) -> Result<Self, StoreError> {
        let mut who = Self::default();
        if named.contains('@') {
            who.learn(named);
        } else {
            who.ids.insert(named.to_owned());
        }
        if let Some((email, name)) = account {
            who.learn(email);
            who.learn_name(name);
        }
        for email in who.emails.clone() {
            let sql = "SELECT DISTINCT entity FROM audit WHERE lower(entity_name) = ?1 AND action LIKE 'user.%'
                       UNION SELECT DISTINCT actor FROM audit WHERE lower(actor_name) = ?1 AND actor_kind = 'user'";
            who.ids.extend(db.prepare_cached(sql)?.query_all([&email], |row| row.get::<_, String>(0))?);
        }
        for id in who.ids.clone() {
            let sql = "SELECT entity_name, before, after FROM audit WHERE entity = ?1 AND action LIKE 'user.%'
                       UNION ALL SELECT actor_name, NULL, NULL FROM audit WHERE actor = ?1 AND actor_kind = 'user'";
            let told = db
                .prepare_cached(sql)?
                .query_all([&id], |row| Ok([row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?]))?;
            for [shown, before, after] in told {
                if let Some(shown) = shown {
                    who.learn(&shown);
                }
                for facts in [before, after].into_iter().flatten() {
                    let facts: Value = serde_json::from_str(&facts).unwrap_or_default();
                    facts["email"].as_str().into_iter().for_each(|email| who.learn(email));
                    facts["name"].as_str().into_iter().for_each(|name| who.learn_name(name));
                }
            }
        }
        who.leave_living(db)?;
        Ok(who)
    }

    fn leave_living(&mut self, db: &Connection) -> Result<(), StoreError> {
        for id in self.ids.clone() {
            if db.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?.exists([&id])? {
                self.ids.remove(&id);
            }
        }
        for email in self.emails.clone() {
            if db.prepare_cached("SELECT 1 FROM users WHERE email_key = ?1")?.exists([&email])? {
                self.emails.remove(&email);
                self.names.insert(email);
            }
        }
        Ok(())
    }

    fn learn(&mut self, text: &str) {
        let text = text.trim();
        if text.contains('@') {
            // Also as it is spelt but for the letters of ASCII, which are all that is made small where texts are searched.
            self.emails.extend([text.to_lowercase(), text.to_ascii_lowercase()]);
        } else {
            self.learn_name(text);
        }
    }

    /// People choose their names: one that is somebody else's address must not erase them.
    fn learn_name(&mut self, name: &str) {
        let name = name.trim();
        if !name.is_empty() && name != NOBODY {
            self.names.insert(name.to_owned());
        }
    }

    /// The text without their addresses; where it is about them, without their names too. None where nothing changes.
    pub(super) fn without(&self, text: &str, is_about: bool) -> Option<String> {
        if is_about && self.names.iter().any(|name| name.eq_ignore_ascii_case(text)) {
            return Some(NOBODY.to_owned());
        }
        let mut left = text.to_owned();
        for email in &self.emails {
            left = without_address(&left, email);
        }
        (left != text).then_some(left)
    }

    pub(super) fn is_named_in(&self, text: &str) -> bool {
        self.without(text, false).is_some()
    }

    pub(super) fn without_in(&self, json: &mut Value, is_about: bool) {
        match json {
            Value::String(text) => {
                if let Some(left) = self.without(text, is_about) {
                    *text = left;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.without_in(item, is_about)),
            Value::Object(members) => {
                members.iter_mut().for_each(|(_, member)| self.without_in(member, is_about));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// An address as a whole: `ann@example.com` is not in `joann@example.com`.
fn without_address(text: &str, email: &str) -> String {
    let (lower, mut left, mut from) = (text.to_ascii_lowercase(), String::new(), 0);
    let part_before = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    for (at, _) in lower.match_indices(email) {
        let end = at + email.len();
        let mut after = text[end..].chars();
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(char::is_alphanumeric),
            next => next.is_some_and(|c| c.is_alphanumeric() || c == '-'),
        };
        if at < from || goes_on || text[..at].chars().next_back().is_some_and(part_before) {
            continue;
        }
        left.push_str(&text[from..at]);
        left.push_str(NOBODY);
        from = end;
    }
    left.push_str(&text[from..]);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_erased_as_a_whole_and_nobody_else_s() {
        let left = |text: &str| without_address(text, "ann@example.com");
        assert_eq!(left("Ann@Example.com"), "erased");
        assert_eq!(left("of ann@example.com, and ANN@example.com."), "of erased, and erased.");
        for other in ["joann@example.com", "x.ann@example.com", "ann@example.com.au", "ann@example.community"]
        {
            assert_eq!(left(other), other);
        }
        assert_eq!(left("ก ann@example.com ก"), "ก erased ก");
    }
    #[test]
    fn an_address_with_letters_beyond_ascii_is_found_as_it_was_spelt() {
        let mut who = Somebody::default();
        who.learn("J\u{dc}RGEN@example.com");
        assert_eq!(who.without("J\u{dc}rgen@Example.com", false).as_deref(), Some(NOBODY));
        assert_eq!(who.without("j\u{fc}rgen@example.com", false).as_deref(), Some(NOBODY));
    }
}
