//! A store that has keys and nothing else: what benches and counts of the request path look them up in.

use portcullis::store::nodes::{NewNode, Node, Nodes, Reading};
use portcullis::store::{
    Answer, ChangeId, LiveSession, Organization, Project, SigningKey, Store, Terms, TokenRecord, TokenRow,
    Usage, UserRecord, history, import,
};
use portcullis::token::{Digest, KeyFamily, OrganizationId, Permissions, Reach, TokenId, UserId};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The project of every key.
pub(crate) const PROJECT: &str = "68db4aa2967d9c03fa9b5e74";

/// A store that has `keys` keys and nothing else to say.
#[derive(Debug)]
pub(crate) struct Keys {
    /// How many.
    pub(crate) count: usize,
    /// What each of them is for: one project, or its whole organization.
    pub(crate) reach: Reach,
}

/// The text of a key.
pub(crate) fn key(number: usize) -> String {
    format!("ocr_{number:064x}")
}

fn ready<T: Send + 'static>(value: T) -> Answer<'static, T> {
    Box::pin(std::future::ready(Ok(value)))
}

/// Nobody is on its roll, and nothing changes.
impl Nodes for Keys {
    fn enrol<'a>(&'a self, _: &'a NewNode) -> Answer<'a, ()> {
        ready(())
    }

    fn read_as<'a>(&'a self, _: Option<&'a str>, _: ChangeId) -> Answer<'a, Reading> {
        ready(Reading { changes: Vec::new(), member: false, first: false })
    }

    fn tell<'a>(&'a self, _: &'a str, _: ChangeId, _: u64) -> Answer<'a, ()> {
        ready(())
    }

    fn nodes(&self) -> Answer<'_, Vec<Node>> {
        ready(Vec::new())
    }

    fn doubt<'a>(&'a self, _: &'a str, _: u64) -> Answer<'a, ()> {
        ready(())
    }

    fn step_back<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        ready(())
    }

    fn strike<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        ready(())
    }

    fn strike_owner<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        ready(())
    }
}

impl Store for Keys {
    fn token_rows(&self, after: u64, most: usize) -> Answer<'_, Vec<TokenRow>> {
        let rows = after + 1..=(self.count as u64).min(after + most as u64);
        ready(rows.map(|row| TokenRow { row, last_used_ms: 0 }).collect())
    }

    fn tokens(&self, rows: Vec<u64>) -> Answer<'_, Vec<TokenRecord>> {
        let terms = Arc::new(Terms {
            family: KeyFamily::Ocriva,
            organization: "68da2880b45d7a01d90a3c51".into(),
            reach: self.reach.clone(),
            permissions: Permissions::new(["read"]),
            scopes: vec!["documents".into()].into(),
            addresses: Vec::new(),
        });
        let record = |number: usize| TokenRecord {
            terms: Arc::clone(&terms),
            expires_ms: Some(u64::MAX),
            active: true,
            version: 1,
            id: format!("{number:024x}").into(),
            digest: Digest::of(&key(number)),
            row: number as u64 + 1,
            retiring: false,
            name: "Scanning receipts".into(),
        };
        ready(rows.into_iter().map(|row| record(row as usize - 1)).collect())
    }

    fn organization<'a>(&'a self, id: &'a OrganizationId) -> Answer<'a, Option<Organization>> {
        let project = Project {
            id: PROJECT.into(),
            name: "Receipt Scanning".into(),
            description: None,
            active: true,
            created_ms: 0,
            updated_ms: 0,
        };
        let (id, slug, name) = (id.clone(), "measure".into(), "Measure".into());
        ready(Some(Organization { id, slug, name, projects: vec![project] }))
    }

    fn token_by_digest(&self, _: Digest) -> Answer<'_, Option<TokenRecord>> {
        ready(None)
    }

    fn token_by_id<'a>(&'a self, _: &'a TokenId) -> Answer<'a, Option<TokenRecord>> {
        ready(None)
    }

    fn user<'a>(&'a self, _: &'a UserId) -> Answer<'a, Option<UserRecord>> {
        ready(None)
    }

    fn live_session<'a>(&'a self, _: &'a str) -> Answer<'a, Option<LiveSession>> {
        ready(None)
    }

    fn import<'a>(&'a self, _: &'a import::Fixture, _: u64) -> Answer<'a, import::Imported> {
        ready(import::Imported::default())
    }

    fn newest_change(&self) -> Answer<'_, ChangeId> {
        ready(ChangeId::default())
    }

    fn add_usage<'a>(&'a self, _: &'a str, _: Vec<Usage>) -> Answer<'a, ()> {
        ready(())
    }

    fn add_refusals<'a>(&'a self, _: &'a str, _: u64, _: Vec<history::Refused>) -> Answer<'a, ()> {
        ready(())
    }

    fn keep_history(&self, _: Option<Duration>, _: u64) -> Answer<'_, ()> {
        ready(())
    }

    fn history<'a>(&'a self, _: &'a history::Subject, _: Range<u64>, _: u64) -> Answer<'a, history::History> {
        ready(history::History::default())
    }

    fn usage<'a>(&'a self, _: &'a TokenId) -> Answer<'a, Option<(u64, Option<u64>)>> {
        ready(None)
    }

    fn forget_journal<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        ready(())
    }

    fn signing_keys(&self, _: u64) -> Answer<'_, Vec<SigningKey>> {
        ready(Vec::new())
    }

    fn add_signing_key<'a>(&'a self, _: SigningKey, _: u64) -> Answer<'a, ()> {
        ready(())
    }

    fn expiring(&self, _: u64, _: u64) -> Answer<'_, u64> {
        ready(0)
    }
}
