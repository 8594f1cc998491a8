//! The process's own log, on standard error.

use std::env::{self, VarError};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What is logged, as in `info,portcullis::store=debug`; `info` when unset.
const FILTER: &str = "PORTCULLIS_LOG";
/// `text`, the default, or `json`.
const FORMAT: &str = "PORTCULLIS_LOG_FORMAT";

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error("{FILTER} is not a log filter; use e.g. `info` or `info,portcullis::store=debug`")]
    Filter(#[source] ParseError),
    /// The format is neither of the two.
    #[error("{FORMAT} is `{0}`; use `text` or `json`")]
    Format(String),
    /// A variable is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    Encoding(&'static str),
    /// There is a subscriber already.
    #[error("the log was set up twice")]
    Twice(#[source] TryInitError),
}

/// Sets the process's log up from the environment. To be called once, before anything logs.
///
/// # Errors
/// When a variable has a value that is not understood, or when the log is set up already.
pub fn init() -> Result<(), LogError> {
    let (filter, json) = settings(variable(FILTER)?, variable(FORMAT)?)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if json {
        return builder.json().flatten_event(true).finish().try_init().map_err(LogError::Twice);
    }
    let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    builder.with_ansi(colour).finish().try_init().map_err(LogError::Twice)
}

fn settings(filter: Option<String>, format: Option<String>) -> Result<(EnvFilter, bool), LogError> {
    let filter = EnvFilter::try_new(filter.as_deref().unwrap_or("info")).map_err(LogError::Filter)?;
    match format.as_deref() {
        None | Some("text") => Ok((filter, false)),
        Some("json") => Ok((filter, true)),
        Some(other) => Err(LogError::Format(other.to_owned())),
    }
}

/// A variable's value; an empty one is as good as none.
fn variable(name: &'static str) -> Result<Option<String>, LogError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(LogError::Encoding(name)),
    }
}

/// An error and what it came from, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_means_info_as_text() {
        let (filter, json) = settings(None, None).unwrap();
        assert_eq!((filter.to_string().as_str(), json), ("info", false));
    }

    #[test]
    fn values_that_are_not_understood_are_errors() {
        let some = |text: &str| Some(text.to_owned());
        assert!(settings(None, some("json")).unwrap().1);
        assert!(matches!(settings(None, some("xml")), Err(LogError::Format(_))));
        assert!(matches!(settings(some("a=b=c"), None), Err(LogError::Filter(_))));
        let filter = settings(some("warn,portcullis::store=debug"), None).unwrap().0.to_string();
        assert!(filter.contains("portcullis::store=debug") && filter.contains("warn"), "{filter}");
    }
}
