//! What an explanation is made of, and how it grows step by step.

use crate::telemetry::redact::redact;
use serde::Serialize;
use serde_json::{Map, Value};

/// Named facts, in the order in which they are told. Values are strings or lists of strings.
pub type Facts = Map<String, Value>;

/// The stages of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The head is small enough, and asks for nothing that is not done.
    Head,
    /// Path and method lead to a route.
    Route,
    /// What the caller shows.
    Credential,
    /// Whose it is.
    Identify,
    /// The caller's bucket.
    Limit,
    /// Whether the credential is good now, from here.
    Verify,
    /// The organization that path or header fields name.
    Organization,
    /// The project that the query names.
    Project,
    /// The permissions and scopes of the route.
    Require,
    /// The size of the body, and what it says of the project.
    Body,
    /// Whether a project has to be named.
    ProjectRule,
    /// The client's credential out, the gateway's identity in.
    Swap,
    /// Who answers.
    Forward,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Head,
        Self::Route,
        Self::Credential,
        Self::Identify,
        Self::Limit,
        Self::Verify,
        Self::Organization,
        Self::Project,
        Self::Require,
        Self::Body,
        Self::ProjectRule,
        Self::Swap,
        Self::Forward,
    ];

    /// Its name for a reader.
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Head => "head",
            Self::Credential => "credential",
            Self::Identify => "identify",
            Self::Limit => "limit",
            Self::Verify => "verify",
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Require => "require",
            Self::Body => "body",
            Self::ProjectRule => "project rule",
            Self::Swap => "swap",
            Self::Forward => "forward",
        }
    }
}

/// What a stage would decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The request goes on.
    Allowed,
    /// The request ends here.
    Refused,
    /// An earlier stage has ended it, or an answer needs no more.
    NotReached,
    /// It can not be decided from what is known here.
    Info,
}

/// One stage's decision.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Which stage.
    pub stage: Stage,
    /// What it would decide.
    pub outcome: Outcome,
    /// Why; empty where a stage is not reached.
    pub why: String,
    /// What it decides by.
    #[serde(skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
}

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// An upstream gets it.
    Forwarded,
    /// The gateway answers it itself.
    Answered,
    /// A stage refuses it.
    Refused,
    /// What decides is in the body, or in a store that does not exist yet.
    Undecided,
}

/// An answer of the gateway's own.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields, but for those of the time and the connection.
    pub headers: Facts,
    /// The body; `None` where it is made of what only a running gateway has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The request as an upstream would get it.
#[derive(Clone, Debug, Serialize)]
pub struct Forwarded {
    /// The upstream's name.
    pub upstream: String,
    /// Its endpoints; one of them gets the request.
    pub endpoints: Vec<String>,
    /// How one of them is chosen.
    pub balance: String,
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header fields that the gateway sets. A signed identity is described, not shown.
    pub set: Facts,
    /// Names of the client's header fields that are passed on.
    pub kept: Vec<String>,
    /// Names of the client's header fields that are taken out.
    pub removed: Vec<String>,
}

/// The request that is asked about.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Address of the peer.
    pub from: String,
    /// The listener that it is taken to come in by.
    pub listener: String,
}

/// What every stage would decide about a request, and what becomes of it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The request.
    pub request: Asked,
    /// What becomes of it.
    pub result: Ending,
    /// Every stage, in order.
    pub steps: Vec<Step>,
    /// What an upstream gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Forwarded>,
    /// What the gateway answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Explanation {
    /// Takes every key and token out, wherever the request had it: `secrets`, and whatever looks like one.
    pub(super) fn redacted(mut self, secrets: &[String]) -> Self {
        let clean = |text: &mut String| {
            for secret in secrets {
                *text = text.replace(secret, "[redacted]");
            }
            *text = redact(text).into_owned();
        };
        clean(&mut self.request.target);
        for step in &mut self.steps {
            clean(&mut step.why);
            clean_facts(&mut step.facts, &clean);
        }
        if let Some(forwarded) = &mut self.forwarded {
            clean(&mut forwarded.target);
            clean_facts(&mut forwarded.set, &clean);
            forwarded.kept.iter_mut().chain(&mut forwarded.removed).for_each(clean);
        }
        if let Some(body) = self.answer.as_mut().and_then(|answer| answer.body.as_mut()) {
            clean(body);
        }
        self
    }
}

fn clean_facts(facts: &mut Facts, clean: &impl Fn(&mut String)) {
    facts.values_mut().for_each(|value| clean_value(value, clean));
}

fn clean_value(value: &mut Value, clean: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => clean(text),
        Value::Array(list) => list.iter_mut().for_each(|value| clean_value(value, clean)),
        _ => {}
    }
}

/// An explanation under construction: the steps so far, and the one that is being decided.
#[derive(Debug)]
pub(super) struct Way {
    steps: Vec<Step>,
    at: Stage,
    facts: Facts,
    reason: Option<String>,
}

impl Way {
    /// At the first stage.
    pub(super) fn new() -> Self {
        Self { steps: Vec::new(), at: Stage::Head, facts: Facts::new(), reason: None }
    }

    /// A stage begins.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.at = stage;
    }

    /// What the stage decides by.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Why it is, if the stage refuses; the last one said counts.
    pub(super) fn if_refused(&mut self, reason: impl Into<String>) {
        self.reason = Some(reason.into());
    }

    /// The stage lets the request on.
    pub(super) fn allow(&mut self, why: impl Into<String>) {
        self.close(Outcome::Allowed, why.into());
    }

    /// The stage can not decide here.
    pub(super) fn inform(&mut self, why: impl Into<String>) {
        self.close(Outcome::Info, why.into());
    }

    /// The stage refuses; `why` where nothing better was said before.
    pub(super) fn refuse(&mut self, why: &str) {
        let why = self.reason.take().unwrap_or_else(|| why.to_owned());
        self.close(Outcome::Refused, why);
    }

    fn close(&mut self, outcome: Outcome, why: String) {
        self.reason = None;
        let facts = std::mem::take(&mut self.facts);
        self.steps.push(Step { stage: self.at, outcome, why, facts });
    }

    /// All stages; those that nothing was said of were not reached.
    pub(super) fn into_steps(self) -> Vec<Step> {
        let mut steps = self.steps;
        for (at, stage) in Stage::ALL.into_iter().enumerate() {
            if steps.get(at).is_none_or(|step| step.stage != stage) {
                steps.insert(
                    at,
                    Step { stage, outcome: Outcome::NotReached, why: String::new(), facts: Facts::new() },
                );
            }
        }
        steps
    }
}
