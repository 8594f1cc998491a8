//! Where a password comes from: a variable, standard input, the terminal, or nowhere, and then one is made.

use crate::token::{Secret, random_id};
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::process::{Command, Stdio};

/// The variable that a password may stand in.
const VARIABLE: &str = "PORTCULLIS_PASSWORD";

/// A password for somebody new.
#[derive(Debug)]
pub(super) struct Given {
    /// The password.
    pub(super) password: Secret,
    /// It was made here, so that somebody has to be told.
    pub(super) made: bool,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    /// Standard input.
    #[error("standard input can not be read: {0}")]
    Input(#[from] io::Error),
    /// Typed twice, differently.
    #[error("the two passwords differ")]
    Differ,
    /// No password was given.
    #[error("there is no password: set PORTCULLIS_PASSWORD, or use --password-stdin")]
    Missing,
    /// A code of the second factor is asked for, and none was given.
    #[error("this login takes a second factor: give its code with --code")]
    NoCode,
    /// The system has no random bytes to give.
    #[error("the system has no random bytes to give")]
    Random,
}

/// Finds a password for somebody new. The variable is not looked at where it is what the command itself logs in with.
pub(super) fn choose(from_input: bool, from_variable: bool) -> Result<Given, PasswordError> {
    let found = if from_input {
        line()?
    } else if let Some(text) = std::env::var(VARIABLE).ok().filter(|_| from_variable) {
        Secret::new(text)
    } else if io::stdin().is_terminal() {
        ask()?
    } else {
        Secret::from("")
    };
    if found.expose().is_empty() {
        return Ok(Given { password: make()?, made: true });
    }
    Ok(Given { password: found, made: false })
}

/// Finds the password that somebody logs in with.
pub(super) fn present(from_input: bool) -> Result<Secret, PasswordError> {
    let found = if from_input {
        line()?
    } else if let Ok(text) = std::env::var(VARIABLE) {
        Secret::new(text)
    } else if io::stdin().is_terminal() {
        let _silent = Silent::begin();
        prompt("Password: ")?
    } else {
        Secret::from("")
    };
    if found.expose().is_empty() { Err(PasswordError::Missing) } else { Ok(found) }
}

/// Asks for the code of an authenticator.
pub(super) fn code() -> Result<Secret, PasswordError> {
    if !io::stdin().is_terminal() {
        return Err(PasswordError::NoCode);
    }
    prompt("Code of your authenticator, or a recovery code: ").map_err(PasswordError::Input)
}

/// 128 random bits behind a letter and a digit, which the rule for passwords asks for.
fn make() -> Result<Secret, PasswordError> {
    let random = random_id().map_err(|_| PasswordError::Random)?;
    Ok(Secret::new(format!("p1-{random}")))
}

fn line() -> io::Result<Secret> {
    let mut text = String::new();
    io::stdin().lock().read_line(&mut text)?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn ask() -> Result<Secret, PasswordError> {
    let _silent = Silent::begin();
    let first = prompt(
        "Password, 8 characters or more with a letter and a digit (Enter alone: one is made, and shown): ",
    )?;
    if first.expose().is_empty() || first == prompt("Again: ")? {
        Ok(first)
    } else {
        Err(PasswordError::Differ)
    }
}

fn prompt(text: &str) -> io::Result<Secret> {
    let mut err = io::stderr().lock();
    write!(err, "{text}")?;
    err.flush()?;
    let typed = line()?;
    writeln!(err)?;
    Ok(typed)
}

/// A terminal that does not show what is typed, until it is dropped.
struct Silent;

impl Silent {
    fn begin() -> Self {
        echo("-echo");
        Self
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        echo("echo");
    }
}

/// Where the system has no `stty`, what is typed is seen; that is no reason to give up.
fn echo(how: &str) {
    let _ = Command::new("stty").arg(how).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}
