//! `portcullis explain`: what each stage would decide about a request, and why.

use super::{ConfigFile, complain, print};
use crate::app::explain::{self, Answer, Described, Ending, Explanation, Facts, Forwarded, Outcome, Step};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Nothing is sent, counted, taken from a limit or written. Without a store, all that needs no key is \
explained. Keys and tokens given with -H never appear in the output. What a body would say, and what a \
running gateway has counted, is not known here.

The exit code is 0 also when the request would be refused: the refusal is the answer. It is 1 when there \
is no answer, because the configuration or the store cannot be used, and 2 for bad usage.";

#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Method of the request
    #[arg(value_parser = method)]
    pub(super) method: Method,
    /// URL of the request, or its path and query
    #[arg(value_parser = url)]
    pub(super) url: Uri,
    /// Header field of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = HeaderField)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Address that the request comes from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) from: IpAddr,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For reading
    Text,
    /// For programs
    Json,
}

/// Explains the request; a refusal is an explanation like any other.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { file, method, url, headers, from, output } = arguments;
    let config = match file.load() {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let headers = headers.into_iter().fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    });
    let explanation = match explain::explain(&config, Described { method, url, headers, from }) {
        Ok(explanation) => explanation,
        Err(error) => return complain(format_args!("error: {error}")),
    };
    match output {
        Output::Text => print(text(&explanation)),
        Output::Json => match serde_json::to_string_pretty(&explanation) {
            Ok(json) => print(format_args!("{json}\n")),
            Err(error) => complain(format_args!("error: the explanation cannot be written as JSON: {error}")),
        },
    }
}

/// Width of the column with the names of the stages.
const STAGE: usize = 13;
/// Width of the column with what they decide.
const OUTCOME: usize = 9;

fn text(explanation: &Explanation) -> String {
    let request = &explanation.request;
    let mut out = format!("{} {}\n", request.method, request.target);
    // Writing to a string does not fail.
    let _ = writeln!(out, "from {}, by the listener {}\n", request.from, request.listener);
    for step in &explanation.steps {
        push_step(&mut out, step);
    }
    let _ = writeln!(out, "\n{}", ending(explanation));
    if let Some(forwarded) = &explanation.forwarded {
        push_forwarded(&mut out, forwarded);
    }
    if let Some(answer) = &explanation.answer {
        push_answer(&mut out, answer);
    }
    out
}

fn push_step(out: &mut String, step: &Step) {
    let outcome = match step.outcome {
        Outcome::Allowed => "ok",
        Outcome::Refused => "REFUSED",
        Outcome::NotReached => "-",
        Outcome::Info => "unknown",
    };
    let line = format!("{:<STAGE$} {outcome:<OUTCOME$} {}", step.stage.name(), step.why);
    let _ = writeln!(out, "{}", line.trim_end());
    push_facts(out, &step.facts, STAGE + OUTCOME + 2);
}

fn push_facts(out: &mut String, facts: &Facts, indent: usize) {
    let width = facts.keys().map(String::len).max().unwrap_or_default();
    for (name, value) in facts {
        let _ = writeln!(out, "{:indent$}{name:<width$}  {}", "", plain(value));
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn ending(explanation: &Explanation) -> String {
    let refused = explanation.steps.iter().find(|step| step.outcome == Outcome::Refused);
    let open = explanation.steps.iter().any(|step| step.outcome == Outcome::Info);
    match explanation.result {
        Ending::Forwarded if open => "It would be forwarded, if the body passes:".to_owned(),
        Ending::Forwarded => "It would be forwarded:".to_owned(),
        Ending::Answered => "The gateway would answer:".to_owned(),
        Ending::Refused => {
            format!("It would be refused, at `{}`:", refused.map_or("?", |step| step.stage.name()))
        }
        Ending::Undecided => "What becomes of it cannot be told here.".to_owned(),
    }
}

fn push_forwarded(out: &mut String, forwarded: &Forwarded) {
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let _ = writeln!(out, "  {} {}", forwarded.method, forwarded.target);
    let chosen = match forwarded.endpoints.len() {
        1 => String::new(),
        _ => format!(" (by {})", forwarded.balance),
    };
    let _ = writeln!(out, "  to {}, at {}{chosen}", forwarded.upstream, forwarded.endpoints.join(" or "));
    let _ = writeln!(out, "  header fields set");
    push_facts(out, &forwarded.set, 4);
    let _ = writeln!(out, "  header fields passed on    {}", names(&forwarded.kept));
    let _ = writeln!(out, "  header fields taken out    {}", names(&forwarded.removed));
}

fn push_answer(out: &mut String, answer: &Answer) {
    let reason = StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let _ = writeln!(out, "  {} {}", answer.status, reason.unwrap_or_default());
    push_facts(out, &answer.headers, 2);
    if let Some(body) = answer.body.as_ref().filter(|body| !body.is_empty()) {
        let _ = writeln!(out, "  {body}");
    }
}

fn method(text: &str) -> Result<Method, String> {
    text.to_uppercase().parse().map_err(|_| "not a method: write GET, POST and so on".to_owned())
}

fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|_| "not a URL: write it as a client sends it, spaces as %20")?;
    match url.scheme_str() {
        None if url.authority().is_some() => Err("write a scheme, https://…, or only the path".to_owned()),
        None | Some("http" | "https") => Ok(url),
        Some(_) => Err("write an http or https URL, or only the path".to_owned()),
    }
}

/// Reads a header field. A type of its own, because clap prints a value that a function refuses, and it may be a key.
#[derive(Clone, Debug)]
struct HeaderField;

impl TypedValueParser for HeaderField {
    type Value = (HeaderName, HeaderValue);

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        header(value).map_err(|what| {
            clap::Error::raw(
                ErrorKind::ValueValidation,
                format!("a value of --header is not usable: {what}\n"),
            )
            .with_cmd(command)
        })
    }
}

fn header(value: &OsStr) -> Result<(HeaderName, HeaderValue), &'static str> {
    let text = value.to_str().ok_or("it is not UTF-8")?;
    let (name, value) =
        text.split_once(':').ok_or("write a name, a colon and a value: 'X-API-Key: ocr_…'")?;
    let name =
        name.trim().parse().map_err(|_| "what stands before the colon is not the name of a header field")?;
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_| "what stands after the colon is not the value of a header field")?;
    value.set_sensitive(true);
    Ok((name, value))
}
