//! A person at a terminal: the program, run on a gateway's store or against its admin listener.

use super::gateway::{Gateway, PROGRAM};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Where commands work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `--config FILE`
    Store,
    /// `--server URL`
    Server,
}

/// A terminal.
pub(crate) struct Terminal<'g> {
    pub(crate) gateway: &'g Gateway,
    pub(crate) mode: Mode,
    /// Variables of its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl<'g> Terminal<'g> {
    pub(crate) fn new(gateway: &'g Gateway, mode: Mode) -> Self {
        Self { gateway, mode, variables: Vec::new() }
    }

    /// The URL of the admin listener.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.gateway.admin)
    }

    /// The file in which sessions are kept.
    pub(crate) fn sessions(&self) -> PathBuf {
        self.gateway.folder().join("home/sessions.json")
    }

    /// Runs the program with these words alone, and with this on its standard input.
    pub(crate) fn bare(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(PROGRAM);
        for name in ["CONFIG", "SERVER", "EMAIL", "PASSWORD", "CODE", "ORGANIZATION"] {
            command.env_remove(format!("PORTCULLIS_{name}"));
        }
        command.args(words).current_dir(self.gateway.folder());
        command.env("PORTCULLIS_SESSIONS", self.sessions()).envs(self.variables.iter().cloned());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the program");
        let written = child.stdin.take().expect("piped").write_all(input.as_bytes());
        // It may have ended without reading.
        drop(written);
        child.wait_with_output().expect("its output")
    }

    /// Runs a command where this terminal works.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let (config, url) = (self.gateway.config(), self.url());
        let place = match self.mode {
            Mode::Store => ["--config", config.to_str().expect("UTF-8")],
            Mode::Server => ["--server", &url],
        };
        self.bare(&[words, &place].concat(), "")
    }

    /// What a command says that succeeds.
    #[track_caller]
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {words:?}: {errors}", self.mode);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The same as JSON.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let text = self.said(&[words, &["--output", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What a command says that fails, with exit code 1.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{:?} {words:?}: {errors}", self.mode);
        assert!(errors.contains("error: ") && output.stdout.is_empty(), "{errors}");
        errors
    }

    /// Logs somebody in.
    #[track_caller]
    pub(crate) fn log_in(&self, name: &str) {
        let (url, email) = (self.url(), super::fixture::email(name));
        let words = ["login", "--server", &url, "--email", &email, "--password-stdin"];
        let output = self.bare(&words, &format!("{}\n", super::person::PASSWORD));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
