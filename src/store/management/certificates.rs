//! Certificates that were obtained by ACME, the accounts they were asked for with, and whose turn it is to ask.

use crate::store::Answer;
use crate::token::Secret;

/// A certificate that was obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// PEM, the leaf first.
    pub chain: String,
    /// Its private key, PEM.
    pub key: Secret,
    /// When, in milliseconds since 1970.
    pub obtained_ms: u64,
}

/// How an attempt to obtain a certificate ended, for those who try next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderEnd {
    /// Nobody tries before this, in milliseconds since 1970.
    pub wait_until_ms: u64,
    /// How many have failed in a row.
    pub failures: u32,
}

/// What a database offers to whoever obtains certificates. Names are the caller's: one for each set of domains.
pub trait Certificates {
    /// The account at a directory, as it was [kept](Self::keep_acme_account).
    fn acme_account<'a>(&'a self, directory: &'a str) -> Answer<'a, Option<Secret>>;
    /// Keeps an account, or forgets it.
    fn keep_acme_account<'a>(&'a self, directory: &'a str, credentials: Option<Secret>) -> Answer<'a, ()>;
    /// The newest certificate of this name.
    fn issued<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Issued>>;
    /// Keeps a certificate in the place of the one before it.
    fn keep_issued<'a>(&'a self, name: &'a str, issued: Issued) -> Answer<'a, ()>;
    /// Begins an attempt, which is over at `until_ms` at the latest. Gives how many have failed before it; `None` when somebody
    /// else is at it, or when it is too early.
    fn begin_order<'a>(
        &'a self,
        name: &'a str,
        holder: &'a str,
        now_ms: u64,
        until_ms: u64,
    ) -> Answer<'a, Option<u32>>;
    /// Gives up an attempt of `holder` that has not come to an end, if it is still its turn. Nobody tries before `wait_until_ms`;
    /// how many have failed stays as it was.
    fn release_order<'a>(&'a self, name: &'a str, holder: &'a str, wait_until_ms: u64) -> Answer<'a, ()>;
    /// Ends an attempt of `holder`.
    fn end_order<'a>(&'a self, name: &'a str, holder: &'a str, end: OrderEnd) -> Answer<'a, ()>;
}
