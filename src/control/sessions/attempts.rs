//! How often a login may fail, by address and by account. Whether there is such an account makes no difference, so that
//! a locked one says nothing that an unknown one does not.
//!
//! The generic cell rate algorithm (ITU-T I.371): one number per name, the time at which its debt is paid. It costs
//! nothing to forget a name whose debt is paid.

use crate::clock::Moment;
use crate::limiter::network;
use crate::token::UserId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Failed logins of one account in [`PERIOD_NS`], from wherever.
const PER_ACCOUNT: u64 = 10;
/// Failed logins from one address in [`PERIOD_NS`], whoever's.
const PER_ADDRESS: u64 = 30;
const PERIOD_NS: u64 = 60_000_000_000;
/// Wrong codes of one person in [`CODE_PERIOD_NS`].
const PER_CODE: u64 = 10;
const CODE_PERIOD_NS: u64 = 15 * PERIOD_NS;
/// Names in debt at once. Each took a hashed password, so that more do not come about within a period.
const NAMES: usize = 100_000;

/// Characters of an account's name that count.
const LONGEST: usize = 254;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Address(IpAddr),
    Account(String),
    /// A person's second factor: a password is known already, and six digits are soon gone through.
    Code(UserId),
}

impl Name {
    /// What one attempt costs, in nanoseconds until it is paid.
    fn cost_ns(&self) -> u64 {
        match self {
            Self::Address(_) => PERIOD_NS / PER_ADDRESS,
            Self::Account(_) => PERIOD_NS / PER_ACCOUNT,
            Self::Code(_) => CODE_PERIOD_NS / PER_CODE,
        }
    }

    /// How much debt is borne, in nanoseconds until it is paid.
    fn most_ns(&self) -> u64 {
        match self {
            Self::Address(_) | Self::Account(_) => PERIOD_NS,
            Self::Code(_) => CODE_PERIOD_NS,
        }
    }
}

/// The debts.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<Name, u64>>);

/// One attempt, counted as failed until it is [`forgiven`](Attempts::forgive).
#[derive(Debug)]
pub(super) struct Attempt(Vec<Name>);

impl Attempts {
    /// Counts an attempt, or says how long to wait for the next.
    pub(super) fn begin(&self, address: IpAddr, account: &str, now: Moment) -> Result<Attempt, Duration> {
        // No address is longer, and what is kept must not be as large as somebody likes.
        let account = account.chars().take(LONGEST).collect::<String>().to_lowercase();
        self.count(vec![Name::Address(network(address)), Name::Account(account)], now)
    }

    /// Counts an attempt at a person's second factor, or says how long to wait for the next.
    pub(super) fn begin_code(&self, person: &UserId, now: Moment) -> Result<Attempt, Duration> {
        self.count(vec![Name::Code(person.clone())], now)
    }

    fn count(&self, names: Vec<Name>, now: Moment) -> Result<Attempt, Duration> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = |name: &Name| debts.get(name).map_or(now.mono_ns, |at| (*at).max(now.mono_ns));
        let after: Vec<u64> = names.iter().map(|name| paid(name) + name.cost_ns()).collect();
        let waits =
            names.iter().zip(&after).map(|(name, at)| at.saturating_sub(now.mono_ns + name.most_ns()));
        let wait_ns = waits.max().unwrap_or_default();
        if wait_ns > 0 {
            return Err(Duration::from_nanos(wait_ns));
        }
        if debts.len() + names.len() > NAMES {
            debts.retain(|_, at| *at > now.mono_ns);
            if debts.len() + names.len() > NAMES {
                return Err(Duration::from_nanos(PERIOD_NS));
            }
        }
        debts.extend(names.clone().into_iter().zip(after));
        Ok(Attempt(names))
    }

    /// It did not fail after all.
    pub(super) fn forgive(&self, attempt: Attempt) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in attempt.0 {
            if let Some(at) = debts.get_mut(&name) {
                *at = at.saturating_sub(name.cost_ns());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Moment = Moment { mono_ns: 3_600_000_000_000, unix_ms: 1_800_000_000_000 };
    const SECOND: Duration = Duration::from_secs(1);

    fn address(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    #[test]
    fn an_account_is_limited_from_wherever_and_whatever_its_case() {
        let attempts = Attempts::default();
        for from in 0..10 {
            assert!(attempts.begin(address(from), "A@example.com", T0).is_ok());
        }
        assert_eq!(attempts.begin(address(99), "a@EXAMPLE.com", T0).unwrap_err(), 6 * SECOND);
        assert!(attempts.begin(address(99), "b@example.com", T0).is_ok());
        let later = T0.after(6 * SECOND);
        assert!(attempts.begin(address(99), "a@example.com", later).is_ok());
        assert!(attempts.begin(address(99), "a@example.com", later).is_err());
    }

    #[test]
    fn an_address_is_limited_whoever_it_tries() {
        let attempts = Attempts::default();
        let from = |last: &str| -> IpAddr { format!("2001:db8::{last}").parse().unwrap() };
        for number in 0..30 {
            assert!(attempts.begin(from(&number.to_string()), &format!("{number}@x"), T0).is_ok());
        }
        assert_eq!(attempts.begin(from("ffff"), "other@x", T0).unwrap_err(), 2 * SECOND);
        assert!(attempts.begin("2001:db8:0:1::1".parse().unwrap(), "other@x", T0).is_ok());
    }

    #[test]
    fn codes_of_a_person_are_limited_for_longer() {
        let attempts = Attempts::default();
        let person = UserId::from("u1");
        for _ in 0..10 {
            assert!(attempts.begin_code(&person, T0).is_ok());
        }
        assert_eq!(attempts.begin_code(&person, T0).unwrap_err(), 90 * SECOND);
        assert!(attempts.begin_code(&"u2".into(), T0).is_ok());
        assert!(attempts.begin_code(&person, T0.after(90 * SECOND)).is_ok());
    }

    #[test]
    fn a_name_of_any_length_takes_little_room() {
        let attempts = Attempts::default();
        attempts.begin(address(1), &"x".repeat(60_000), T0).unwrap();
        let debts = attempts.0.lock().unwrap();
        let longest = debts.keys().map(|name| format!("{name:?}").len()).max();
        assert!(longest.unwrap() < 300);
    }

    #[test]
    fn what_did_not_fail_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            let attempt = attempts.begin(address(1), "a@x", T0).unwrap();
            attempts.forgive(attempt);
        }
        assert!(attempts.begin(address(1), "a@x", T0).is_ok());
    }

    #[test]
    fn paid_debts_are_forgotten_when_there_is_no_room() {
        let attempts = Attempts::default();
        let mut debts = attempts.0.lock().unwrap();
        for number in 0..NAMES {
            debts.insert(Name::Account(number.to_string()), T0.mono_ns + 1);
        }
        drop(debts);
        assert!(attempts.begin(address(1), "a@x", T0).is_err());
        assert!(attempts.begin(address(1), "a@x", T0.after(SECOND)).is_ok());
        assert_eq!(attempts.0.lock().unwrap().len(), 2);
    }
}
