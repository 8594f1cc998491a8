//! Instants as clients see them and say them: UTC, ISO 8601.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// `2026-01-10T09:00:00.000Z` for milliseconds since 1970, always with three digits; the last representable instant for what is beyond it.
pub fn iso_millis(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let instant = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    format!("{instant:.3}")
}

/// `2027-01-01T00:00:00Z` for milliseconds since 1970, with a fraction only where there is one.
pub fn iso(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_string()
}

/// Milliseconds since 1970. A date stands for its beginning in UTC; as an end, for that of the day after, so that it is
/// included.
pub fn instant(text: &str, end: bool) -> Option<u64> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let date: Date = text.parse().ok()?;
            let date = if end { date.checked_add(1.day()).ok()? } else { date };
            date.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_where_there_is_one() {
        assert_eq!(iso(1_798_761_600_000), "2027-01-01T00:00:00Z");
        assert_eq!(iso(1_798_761_600_120), "2027-01-01T00:00:00.12Z");
    }

    #[test]
    fn three_digits_always() {
        assert_eq!(iso_millis(1_768_035_600_000), "2026-01-10T09:00:00.000Z");
        assert_eq!(iso_millis(1_768_035_600_120), "2026-01-10T09:00:00.120Z");
        assert_eq!(iso_millis(0), "1970-01-01T00:00:00.000Z");
        assert!(iso_millis(u64::MAX).starts_with("9999-"));
    }
}
