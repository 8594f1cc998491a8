//! Durations and sizes as people write them: `250ms`, `30d`, `64KiB`.

use std::time::Duration;

/// Ten years: longer is a slip of the hand, and adding it to a clock must not overflow.
const LONGEST_MS: u64 = 3_660 * 86_400_000;

/// Why a duration or a size is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// Not a number and a unit.
    #[error("is not a duration")]
    NotADuration,
    /// A number only.
    #[error("lacks a unit")]
    NoUnit,
    /// More than ten years.
    #[error("is too long")]
    TooLong,
    /// Zero.
    #[error("must be more than zero")]
    Zero,
    /// Not a number and a unit.
    #[error("is not a size")]
    NotASize,
    /// Does not fit 63 bits.
    #[error("is too large")]
    TooLarge,
    /// Zero.
    #[error("must be at least one byte")]
    NoBytes,
}

impl UnitError {
    /// How to write it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::NotADuration | Self::NoUnit | Self::Zero => {
                "write a whole number and a unit: `250ms`, `5s`, `1m`, `1h` or `30d`"
            }
            Self::TooLong => "the longest duration is ten years, `3660d`",
            Self::NotASize | Self::NoBytes => {
                "write bytes, or a whole number and a unit: `512`, `64KiB`, `50MiB`, `1GiB`"
            }
            Self::TooLarge => "the largest size is `8388607TiB`",
        }
    }
}

/// Reads a duration.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::NotADuration)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(UnitError::NoUnit),
        _ => return Err(UnitError::NotADuration),
    };
    match number.and_then(|n| n.checked_mul(unit_ms)) {
        Some(0) => Err(UnitError::Zero),
        Some(ms) if ms <= LONGEST_MS => Ok(Duration::from_millis(ms)),
        _ => Err(UnitError::TooLong),
    }
}

/// Reads a size in bytes.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::NotASize)?;
    let unit_bytes: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(UnitError::NotASize),
    };
    match number.and_then(|n| n.checked_mul(unit_bytes)) {
        Some(0) => Err(UnitError::NoBytes),
        Some(bytes) if bytes <= u64::MAX >> 1 => Ok(bytes),
        _ => Err(UnitError::TooLarge),
    }
}

/// Digits and what follows them; `None` inside when the digits do not fit.
fn split(text: &str) -> Option<(Option<u64>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (digits > 0).then(|| (number.parse().ok(), unit.trim_start_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in
            [("250ms", 250), ("5s", 5_000), ("1m", 60_000), ("1h", 3_600_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, error) in [
            ("", UnitError::NotADuration),
            ("fast", UnitError::NotADuration),
            ("1.5s", UnitError::NotADuration),
            ("-1s", UnitError::NotADuration),
            ("5sec", UnitError::NotADuration),
            ("5", UnitError::NoUnit),
            ("0s", UnitError::Zero),
            ("3661d", UnitError::TooLong),
            ("99999999999999999999s", UnitError::TooLong),
        ] {
            assert_eq!(duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("512", 512), ("64KiB", 65_536), ("50MiB", 52_428_800), ("1GB", 1_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, error) in [
            ("big", UnitError::NotASize),
            ("64kib", UnitError::NotASize),
            ("0", UnitError::NoBytes),
            ("9999999999TiB", UnitError::TooLarge),
        ] {
            assert_eq!(size(text), Err(error), "{text}");
        }
    }
}
