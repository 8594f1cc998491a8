//! `telemetry`: the access log, and who collects traces.

use super::files::Files;
use super::services::secret_text;
use super::{all, or};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{AccessLog, Collector, HttpUrl, LogPath, Telemetry, Traces};
use crate::token::Secret;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn telemetry(root: &Section<'_>, files: &Files) -> Option<Telemetry> {
    let section = root.get("telemetry").and_then(|value| value.any_section());
    let of = |key| section.as_ref().and_then(|section| section.get(key));
    let access_log = of("access_log").map_or(Some(AccessLog::default()), |value| access_log(&value, files));
    let traces = of("traces").map_or(Some(None), |value| traces(&value).map(Some));
    Some(Telemetry { access_log: access_log?, traces: traces?.map(Arc::new) })
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { path: LogPath::Stdout, sample: 1.0 }
    }
}

fn access_log(value: &Value<'_>, files: &Files) -> Option<AccessLog> {
    let section = value.any_section()?;
    let default = AccessLog::default();
    let path = or(&section, "path", |value| log_path(value, files), || default.path);
    let sample = or(&section, "sample", |value| value.number(0.0, 1.0), || default.sample);
    Some(AccessLog { path: path?, sample: sample? })
}

fn log_path(value: &Value<'_>, files: &Files) -> Option<LogPath> {
    value.non_empty().map(|text| match text {
        "stdout" => LogPath::Stdout,
        "stderr" => LogPath::Stderr,
        path => LogPath::File(files.resolve(path)),
    })
}

fn traces(value: &Value<'_>) -> Option<Traces> {
    let section = value.any_section()?;
    let headers = all(&section.items("headers"), header);
    let url = section.get("otlp").and_then(|value| collector(&value));
    let share = |key, default| or(&section, key, |value| value.number(0.0, 1.0), || default);
    let (sample, requested) = (share("sample", 0.01), share("requested", 1.0));
    let service_name =
        or(&section, "service_name", |value| value.non_empty().map(Box::from), || "portcullis".into());
    let timeout = or(&section, "timeout", Value::duration, || Duration::from_secs(10));
    Some(Traces {
        collector: Collector { url: url?, headers: headers? },
        sample: sample?,
        requested: requested?,
        service_name: service_name?,
        timeout: timeout?,
    })
}

fn collector(value: &Value<'_>) -> Option<HttpUrl> {
    let text = value.non_empty()?;
    let read = parse(text);
    if read.is_none() {
        let help = "such as `http://127.0.0.1:4318` or `https://collector.example.com/otlp`; what it wants to know of you goes into `headers`";
        value.report(Code::InvalidValue, "this is no URL that traces can be sent to", Some(help));
    }
    read
}

/// The URL of the traces, of that of a collector or its own.
fn parse(text: &str) -> Option<HttpUrl> {
    let url = HttpUrl::parse(text)?;
    // What it wants to know of whoever sends goes into fields, which are kept secret.
    if url.path.contains('?') {
        return None;
    }
    let base = url.path.trim_end_matches('/');
    let path = if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
    Some(HttpUrl { path, ..url })
}

fn header(value: &Value<'_>) -> Option<(HeaderName, Secret)> {
    let section = value.any_section()?;
    let name = section.required("name").and_then(|value| {
        let help = "use letters, digits and `-`, such as `Authorization`";
        let name: HeaderName = value.parse("the name of a header field", Some(help))?;
        let ours = ["content-length", "content-type", "host", "transfer-encoding", "connection"];
        if ours.contains(&name.as_str()) {
            value.report(
                Code::InvalidValue,
                format!("`{name}` is the gateway's to say"),
                Some("take it out"),
            );
            return None;
        }
        Some(name)
    });
    let secret = section.required("value").and_then(|value| {
        let secret = secret_text(&value)?;
        if HeaderValue::from_str(secret.expose()).is_err() {
            let help = "a file that ends in a line break is read without it; what else stands there has to be one line";
            value.report(Code::InvalidValue, "this is no value of a header field", Some(help));
            return None;
        }
        Some(secret)
    });
    Some((name?, secret?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_collector_is_told_by_its_url() {
        let all = [
            ("http://127.0.0.1:4318", Some((false, "127.0.0.1", 4318, "/v1/traces"))),
            ("http://collector", Some((false, "collector", 80, "/v1/traces"))),
            ("https://[::1]/otlp/", Some((true, "::1", 443, "/otlp/v1/traces"))),
            ("https://c.example.com/v1/traces", Some((true, "c.example.com", 443, "/v1/traces"))),
            ("https://me:secret@c.example.com", None),
            ("https://c.example.com/?key=1", None),
            ("grpc://c.example.com:4317", None),
            ("c.example.com:4318", None),
            ("/v1/traces", None),
        ];
        for (text, wanted) in all {
            let read = parse(text);
            let read = read.as_ref().map(|it| (it.secure, &*it.host, it.port, &*it.path));
            assert_eq!(read, wanted, "{text}");
        }
    }
}
