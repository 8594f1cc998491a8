//! `balance`, `health`, `retry`, `eject`, `limits` and `tls` of an upstream.

use super::files::Files;
use super::{all, count, maybe, or};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::{
    Balance, Eject, Endpoint, Health, NoneHealthy, PemFile, Retry, RetryOn, Scheme, UpstreamLimits,
    UpstreamTls,
};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn balance(value: &Value<'_>) -> Option<Balance> {
    let name = value.choice(crate::config::schema::BALANCES)?;
    Balance::ALL.into_iter().find(|balance| balance.name() == name)
}

pub(super) fn health(value: &Value<'_>) -> Option<Health> {
    let section = value.any_section()?;
    let path = section.required("path").and_then(|value| path(&value));
    let interval = or(&section, "interval", Value::duration, || Duration::from_secs(5));
    let timeout = or(&section, "timeout", Value::duration, || Duration::from_secs(2));
    let unhealthy_after = or(&section, "unhealthy_after", |value| small(value, 1000), || 3);
    let healthy_after = or(&section, "healthy_after", |value| small(value, 1000), || 2);
    let status = maybe(&section, "expected_status", |value| value.integer(100, 599));
    let none_healthy = or(&section, "none_healthy", none_healthy, NoneHealthy::default);
    Some(Health {
        path: path?,
        interval: interval?,
        timeout: timeout?,
        unhealthy_after: unhealthy_after?,
        healthy_after: healthy_after?,
        expected_status: status?.and_then(|status| u16::try_from(status).ok()),
        none_healthy: none_healthy?,
    })
}

fn path(value: &Value<'_>) -> Option<Arc<str>> {
    let text = value.non_empty()?;
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('#');
    if !text.starts_with('/') || !printable {
        let message = format!("{} is not a path", value.shown());
        value.report(Code::InvalidValue, message, Some("write it from its first slash on: `/healthz`"));
        return None;
    }
    Some(Arc::from(text))
}

fn none_healthy(value: &Value<'_>) -> Option<NoneHealthy> {
    match value.choice(&["refuse", "try"])? {
        "try" => Some(NoneHealthy::Try),
        _ => Some(NoneHealthy::Refuse),
    }
}

pub(super) fn retry(value: &Value<'_>) -> Option<Retry> {
    let section = value.any_section()?;
    let attempts = or(&section, "attempts", |value| small(value, 10), || 2);
    let on = or(&section, "on", retry_on, usual);
    let budget = or(&section, "budget", percent, || 20);
    Some(Retry { attempts: attempts?, on: on?, budget_percent: budget? })
}

fn usual() -> RetryOn {
    RetryOn { connect: true, reset: true, timeout: false, statuses: vec![502, 503, 504] }
}

fn retry_on(value: &Value<'_>) -> Option<RetryOn> {
    let mut on = RetryOn::default();
    all(&value.items()?, |value| {
        let text = value.non_empty()?;
        match (text, text.parse::<u16>()) {
            ("connect", _) => on.connect = true,
            ("reset", _) => on.reset = true,
            ("timeout", _) => on.timeout = true,
            (_, Ok(status)) if (500..=599).contains(&status) => on.statuses.push(status),
            _ => {
                let message = format!("{} is nothing that a request is sent again after", value.shown());
                let help = "it is `connect`, `reset`, `timeout`, or a status code from 500 to 599";
                value.report(Code::InvalidValue, message, Some(help));
                return None;
            }
        }
        Some(())
    })?;
    Some(on)
}

pub(super) fn eject(value: &Value<'_>) -> Option<Eject> {
    let section = value.any_section()?;
    let failures = or(&section, "consecutive_failures", |value| small(value, 1000), || 5);
    let period = or(&section, "for", Value::duration, || Duration::from_secs(30));
    let most = or(&section, "max_ejected", percent, || 50);
    Some(Eject { consecutive_failures: failures?, period: period?, max_ejected_percent: most? })
}

pub(super) fn limits(value: &Value<'_>) -> Option<UpstreamLimits> {
    let section = value.any_section()?;
    let requests = section.required("max_requests").and_then(|value| count(&value, 1_000_000));
    let queued = or(&section, "max_queued", |value| value.integer(0, 1_000_000), || 0);
    let timeout = or(&section, "queue_timeout", Value::duration, || Duration::from_secs(1));
    let max_requests: NonZeroUsize = requests?;
    Some(UpstreamLimits { max_requests, max_queued: usize::try_from(queued?).ok()?, queue_timeout: timeout? })
}

/// TLS settings; `endpoints` are those of the upstream, as far as they are good.
pub(super) fn tls(value: &Value<'_>, files: &Files, endpoints: Option<&[Endpoint]>) -> Option<UpstreamTls> {
    let section = value.any_section()?;
    let authorities = maybe(&section, "ca", |value| pem(value, files));
    let certificate = maybe(&section, "certificate", |value| {
        let pair = value.any_section()?;
        let cert = pair.required("cert").and_then(|value| pem(&value, files));
        let key = pair.required("key").and_then(|value| pem(&value, files));
        Some((cert?, key?))
    });
    let server_name = maybe(&section, "server_name", server_name);
    if endpoints.is_some_and(|all| all.iter().all(|endpoint| endpoint.scheme != Scheme::Https)) {
        let help = "write its endpoints as `https://host:port`, or remove `tls`";
        value.report(Code::Conflict, "no endpoint of this upstream is spoken to over TLS", Some(help));
        return None;
    }
    let tls = UpstreamTls { authorities: authorities?, certificate: certificate?, server_name: server_name? };
    match crate::config::tls_problem(&tls) {
        Some(problem) => {
            value.report(
                Code::File,
                problem,
                Some("the files have to be PEM, the key PKCS#8, SEC1 or PKCS#1"),
            );
            None
        }
        None => Some(tls),
    }
}

fn server_name(value: &Value<'_>) -> Option<Arc<str>> {
    let text = value.non_empty()?;
    let good = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    if !good {
        let message = format!("{} is not a host name", value.shown());
        value.report(
            Code::InvalidValue,
            message,
            Some("such as `backend.internal`, without scheme and port"),
        );
    }
    good.then(|| Arc::from(text))
}

fn pem(value: &Value<'_>, files: &Files) -> Option<PemFile> {
    let path = files.existing(value)?;
    match std::fs::read(&path) {
        Ok(content) => Some(PemFile { path, content: content.into() }),
        Err(error) => {
            value.report(Code::File, format!("cannot read the file `{}`: {error}", path.display()), None);
            None
        }
    }
}

/// A share such as `20%`.
fn percent(value: &Value<'_>) -> Option<u8> {
    let text = value.non_empty()?;
    let share = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<u8>().ok());
    let share = share.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        let message = format!("{} is not a share", value.shown());
        value.report(
            Code::InvalidValue,
            message,
            Some("write a whole number from 1% to 100%, such as `20%`"),
        );
    }
    share
}

fn small(value: &Value<'_>, most: u64) -> Option<u32> {
    value.integer(1, most).and_then(|number| u32::try_from(number).ok())
}
