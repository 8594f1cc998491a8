//! When a delivery is tried again: soon at first, then ever later, for a day.

use std::time::Duration;

/// Seconds after each failed attempt; together a day.
const WAITS_S: [u64; 11] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 8_245];

/// The wait after the attempt with this number, counted from 1; `None` when it was the last. `chance` of 0 to 255 spreads
/// it by a fifth either way, so that what failed together does not come back together.
pub(super) fn wait_after(attempt: u32, chance: u8) -> Option<Duration> {
    let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let seconds = *WAITS_S.get(index)?;
    Some(Duration::from_millis(seconds * (800 + 400 * u64::from(chance) / 255)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_and_make_a_day() {
        let waits: Vec<Duration> = (1..).map_while(|attempt| wait_after(attempt, 128)).collect();
        let sum: Duration = waits.iter().sum();
        assert_eq!((waits.len(), sum.as_secs().div_ceil(3600)), (11, 24));
        assert!(waits[..10].is_sorted());
        assert_eq!(wait_after(1, 0), Some(Duration::from_secs(4)));
        assert_eq!(wait_after(1, 255), Some(Duration::from_secs(6)));
        assert_eq!((wait_after(0, 0), wait_after(12, 0)), (None, None));
    }
}
