//! When a certificate is renewed, and how long is waited after a failure.

use super::{Validity, millis};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

/// How long an attempt may take.
pub(super) const WITHIN: Duration = Duration::from_secs(120);
/// How long nobody else orders after an attempt has begun.
pub(super) const TURN: Duration = Duration::from_secs(150);

/// Waits after the first failure, the second and so on; the last one stays. Authorities refuse after five failed validations of a
/// name in an hour.
const WAITS_S: [u64; 6] = [5, 60, 300, 1_800, 7_200, 28_800];
/// An authority that says "too many" says so for hours.
const LIMITED_S: u64 = 3_600;

/// When a certificate is due: `renew_before` its end where that is said, else after two thirds of its life. Up to a twentieth of its
/// life sooner, so that what was begun together is not renewed together.
pub(super) fn due_ms(validity: Validity, renew_before: Option<Duration>, who: &str) -> u64 {
    let Validity { not_before_ms, not_after_ms } = validity;
    let life = not_after_ms.saturating_sub(not_before_ms);
    let due = match renew_before {
        Some(before) => not_after_ms.saturating_sub(millis(before)),
        None => not_before_ms + life / 3 * 2,
    };
    due.saturating_sub(share(life / 20, who))
}

/// How long is waited after a failure that had `failures` before it; up to a fifth longer.
pub(super) fn wait(failures: u32, limited: bool, who: &str) -> Duration {
    let index = usize::try_from(failures).unwrap_or(usize::MAX).min(WAITS_S.len() - 1);
    let seconds = if limited { WAITS_S[index].max(LIMITED_S) } else { WAITS_S[index] };
    Duration::from_millis(seconds * 1000 + share(seconds * 200, who))
}

/// A part of `most` that is different for different processes.
fn share(most: u64, who: &str) -> u64 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(who);
    most / 1000 * (hash % 1000) + most % 1000 * (hash % 1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_after_two_thirds_of_its_life_or_when_it_was_said() {
        let day = 86_400_000;
        let validity = Validity { not_before_ms: 1_000 * day, not_after_ms: 1_090 * day };
        for who in ["a", "b", "c"] {
            let due = due_ms(validity, None, who);
            assert!((1_055 * day + day / 2..=1_060 * day).contains(&due), "{due}");
            let due = due_ms(validity, Some(Duration::from_secs(10 * 86_400)), who);
            assert!((1_075 * day + day / 2..=1_080 * day).contains(&due), "{due}");
        }
        assert_ne!(due_ms(validity, None, "a"), due_ms(validity, None, "b"));
        assert_eq!(
            due_ms(Validity { not_before_ms: 5, not_after_ms: 5 }, Some(Duration::from_secs(1)), "a"),
            0
        );
    }

    #[test]
    fn every_failure_makes_the_wait_longer_up_to_a_third_of_a_day() {
        let mut before = Duration::ZERO;
        for failures in 0..6 {
            let wait = wait(failures, false, "a");
            assert!(wait > before, "{failures}");
            before = wait;
        }
        assert_eq!(wait(u32::MAX, false, "a"), before);
        assert!(before <= Duration::from_secs(10 * 3_600));
        assert!(wait(0, true, "a") >= Duration::from_secs(3_600));
    }
}
