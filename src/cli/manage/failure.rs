//! Why a command failed, as it is told on standard error.

use crate::config::Dialect;
use crate::control::domain::DomainError;
use crate::control::error::Refusal;
use crate::telemetry::log::chain;
use http::StatusCode;
use serde_json::Value;

/// Why a command failed.
#[derive(Debug)]
pub(in crate::cli) struct Failure {
    /// What the API would answer, or has answered; `None` when it was not asked.
    status: Option<StatusCode>,
    /// A line each.
    lines: Vec<String>,
    /// What to do about it.
    help: Option<String>,
    /// Bad usage rather than failed work.
    pub(super) usage: bool,
}

impl Failure {
    /// One thing, told in one line; what to do about it belongs to it.
    pub(in crate::cli) fn new(text: impl Into<String>) -> Self {
        Self { status: None, lines: vec![text.into()], help: None, usage: false }
    }

    /// The command line asks for what can not be.
    pub(in crate::cli) fn usage(text: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(text) }
    }

    /// What came back can not be what the control API answers.
    pub(super) fn not_json() -> Self {
        Self::new("the answer is not JSON: is this an admin listener?")
    }

    /// Whether what was named is not there.
    pub(in crate::cli) fn is_not_found(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }

    /// Whether nobody was known by the credential.
    pub(in crate::cli) fn is_unauthorized(&self) -> bool {
        self.status == Some(StatusCode::UNAUTHORIZED)
    }

    /// With what to do about it on the command line, where it is a refusal of this status.
    pub(in crate::cli) fn helped(mut self, status: u16, help: &str) -> Self {
        if self.status.is_some_and(|it| it.as_u16() == status) {
            self.help = Some(help.to_owned());
        }
        self
    }

    /// What a server answered, with the id by which its log knows the request.
    pub(super) fn answered(status: StatusCode, body: &[u8], request_id: Option<&str>) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let told = body.pointer("/error/message").or(body.get("message")).unwrap_or(&Value::Null);
        let mut lines: Vec<String> = match told {
            Value::String(text) => vec![text.clone()],
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if lines.is_empty() {
            lines.push(format!("the server answered {status}: is this the address of an admin listener?"));
        }
        if let (Some(id), Some(last)) = (request_id, lines.last_mut()) {
            last.push_str(&format!(" (request {id})"));
        }
        Self { status: Some(status), lines, help: None, usage: false }
    }

    /// Everything that is wrong, a line each.
    pub(super) fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("error: {line}"));
        lines.chain(self.help.iter().map(|help| format!("help: {help}"))).collect::<Vec<_>>().join("\n")
    }
}

/// The command that lists what was not found, by the name that the domain has for it.
fn lister(what: &str) -> Option<&'static str> {
    match what {
        "organization" => Some("org"),
        "person" => Some("user"),
        "project" => Some("project"),
        "role" => Some("org role"),
        "invitation" => Some("org invitation"),
        "member" => Some("org member"),
        "token" | "API key" => Some("token"),
        _ => None,
    }
}

impl From<DomainError> for Failure {
    fn from(error: DomainError) -> Self {
        let lines = match &error {
            DomainError::Invalid(violations) => violations.iter().map(|it| it.message.clone()).collect(),
            DomainError::NotFound(what) => vec![format!("there is no such {what}")],
            other => vec![chain(other).to_string()],
        };
        let help = if let DomainError::NotFound(what) = &error { lister(what) } else { None };
        let help = help.map(|command| format!("`portcullis {command} list` has those that there are"));
        Self { status: Some(Refusal::from(error).status(Dialect::Ocore)), lines, help, usage: false }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Domain(error) => error.into(),
            other => Self {
                status: Some(other.status(Dialect::Ocore)),
                lines: vec![other.message()],
                help: None,
                usage: false,
            },
        }
    }
}
