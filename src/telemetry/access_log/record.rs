//! One request as one line of JSON.

use crate::clock::Moment;
use crate::telemetry::redact::redact;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

/// What the access log tells of a request. Text that the client chose is redacted on the way out.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// When the request's head had arrived.
    pub at: Moment,
    /// The identifier that upstream and client get too.
    pub request_id: &'a str,
    /// The trace that it is a part of, when it is traced.
    pub trace: Option<&'a str>,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// Request method.
    pub method: &'a str,
    /// Host asked for.
    pub host: &'a str,
    /// Path asked for; what follows a `?` is never logged.
    pub path: &'a str,
    /// `HTTP/1.1` and the like.
    pub protocol: &'static str,
    /// Whether the client spoke TLS.
    pub tls: bool,
    /// Subject of the certificate that the client showed.
    pub client_certificate: Option<&'a str>,
    /// Status of the answer.
    pub status: u16,
    /// Name of the API; empty when none matched.
    pub api: &'a str,
    /// Pattern of the route; empty when none matched.
    pub route: &'a str,
    /// The caller's organization.
    pub organization: Option<&'a str>,
    /// The project that the request worked on.
    pub project: Option<&'a str>,
    /// Identifier of the key, never its value.
    pub token: Option<&'a str>,
    /// The user, for sessions.
    pub user: Option<&'a str>,
    /// Why the gateway refused, in one word.
    pub refused: Option<&'static str>,
    /// What a policy in `mode: observe` would have refused it for.
    pub observed: Option<&'static str>,
    /// The endpoint that answered.
    pub upstream: Option<&'a str>,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// The upstream's share.
    pub upstream_duration: Option<Duration>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// The client's own description.
    pub user_agent: &'a str,
}

impl AccessRecord<'_> {
    /// Appends the line, with its line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        timestamp(out, self.at.unix_ms);
        out.push(b'"');
        text(out, "request_id", self.request_id);
        optional(out, "trace_id", self.trace);
        address(out, self.client);
        text(out, "method", &redact(self.method));
        text(out, "host", &redact(self.host));
        text(out, "path", &redact(without_query(self.path)));
        text(out, "protocol", self.protocol);
        out.extend_from_slice(if self.tls { b",\"tls\":true" } else { b",\"tls\":false" });
        number(out, "status", self.status.into());
        optional(out, "client_certificate", self.client_certificate.map(redact).as_deref());
        text(out, "api", self.api);
        text(out, "route", self.route);
        self.write_caller(out);
        optional(out, "refused", self.refused);
        optional(out, "observed", self.observed);
        optional(out, "upstream", self.upstream);
        milliseconds(out, "duration_ms", self.duration);
        if let Some(duration) = self.upstream_duration {
            milliseconds(out, "upstream_duration_ms", duration);
        }
        number(out, "request_bytes", self.request_bytes);
        number(out, "response_bytes", self.response_bytes);
        text(out, "user_agent", &redact(self.user_agent));
        out.extend_from_slice(b"}\n");
    }

    fn write_caller(&self, out: &mut Vec<u8>) {
        optional(out, "organization", self.organization.map(redact).as_deref());
        optional(out, "project", self.project.map(redact).as_deref());
        optional(out, "token", self.token);
        optional(out, "user", self.user);
    }
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

/// Bytes of one text that are logged; a client may send a user agent as long as the header limit.
const TEXT_MAX: usize = 2048;

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
    let cut = value.floor_char_boundary(TEXT_MAX);
    escape(out, &value.as_bytes()[..cut]);
    if cut < value.len() {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, name: &str, number: u64) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    out.extend_from_slice(b",\"client\":\"");
    match address {
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"." });
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        // Writing to memory does not fail, here and below.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// Appends the content of a JSON string (RFC 8259, 7), in runs of bytes that need no escape.
fn escape(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    // Without a branch for any byte, many are looked at by one instruction; and most texts need nothing.
    if !value.iter().fold(false, |any, byte| any | needs_escape(*byte)) {
        return out.extend_from_slice(value);
    }
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Milliseconds with three fraction digits.
fn milliseconds(out: &mut Vec<u8>, name: &str, duration: Duration) {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(out, name, us / 1000);
    out.push(b'.');
    digits::<3>(out, us % 1000);
}

/// 9999-12-31T23:59:59.999Z.
const LAST_MS: u64 = 253_402_300_799_999;

/// RFC 3339 in UTC, always with three fraction digits.
fn timestamp(out: &mut Vec<u8>, unix_ms: u64) {
    let unix_ms = unix_ms.min(LAST_MS);
    let (s, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (year, month, day) = civil(s / 86_400);
    let (hour, minute, second) = (s / 3600 % 24, s / 60 % 60, s % 60);
    digits::<4>(out, year);
    for (before, number) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
        out.push(before);
        digits::<2>(out, number);
    }
    out.push(b'.');
    digits::<3>(out, ms);
    out.push(b'Z');
}

/// The last `N` decimal digits of a number, with noughts before it.
fn digits<const N: usize>(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year, in eras of 400 years, all of which
/// have the same length.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    // Leap days before this one are taken out, so that every year has 365 days.
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days, twice.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year, month + 3);
    if month > 12 { (year + 1, month - 12, day) } else { (year, month, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record<'a>() -> AccessRecord<'a> {
        AccessRecord {
            at: Moment { mono_ns: 0, unix_ms: 1_768_035_600_000 },
            request_id: "r1",
            trace: None,
            client: IpAddr::from([192, 0, 2, 1]),
            method: "GET",
            host: "api.example.com",
            path: "/v1/x",
            protocol: "HTTP/2.0",
            tls: true,
            client_certificate: None,
            status: 200,
            api: "open-api",
            route: "/v1/**",
            organization: None,
            project: None,
            token: None,
            user: None,
            refused: None,
            observed: None,
            upstream: None,
            duration: Duration::from_micros(1_234_005),
            upstream_duration: None,
            request_bytes: 0,
            response_bytes: 110,
            user_agent: "curl/8",
        }
    }

    fn line(record: &AccessRecord<'_>) -> String {
        let mut out = Vec::new();
        record.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_what_is_known_and_nothing_else() {
        let expected = concat!(
            r#"{"time":"2026-01-10T09:00:00.000Z","request_id":"r1","client":"192.0.2.1","method":"GET","#,
            r#""host":"api.example.com","path":"/v1/x","protocol":"HTTP/2.0","tls":true,"status":200,"#,
            r#""api":"open-api","route":"/v1/**","duration_ms":1234.005,"request_bytes":0,"#,
            r#""response_bytes":110,"user_agent":"curl/8"}"#,
            "\n"
        );
        assert_eq!(line(&record()), expected);
        let traced = line(&AccessRecord { trace: Some("4bf9"), ..record() });
        assert!(traced.contains(r#""request_id":"r1","trace_id":"4bf9","client""#), "{traced}");
    }

    #[test]
    fn queries_and_keys_are_left_out() {
        let path = "/v1/ocr_secretsecret/x?projectId=ocr_secretsecret";
        let shown = line(&AccessRecord { path, user_agent: "ocore_k_secretsecret", ..record() });
        assert!(!shown.contains("secretsecret") && !shown.contains("projectId"), "{shown}");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "é".repeat(5000);
        let shown = line(&AccessRecord { user_agent: &long, ..record() });
        assert!(shown.contains("éé…\"}") && shown.len() < 3000);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_a_json_reader(agent in any::<String>(), id in "[^%oOeE]*", us in any::<u64>()) {
            let upstream_duration = Some(Duration::from_micros(us));
            let record = AccessRecord { user_agent: &agent, organization: Some(&id), upstream_duration, ..record() };
            let line = line(&record);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["organization"].as_str(), Some(&*id));
            prop_assert_eq!(read["user_agent"].as_str(), Some(&*redact(&agent)));
        }

        #[test]
        fn times_are_those_of_the_calendar(unix_ms in 0..LAST_MS) {
            let mut out = Vec::new();
            timestamp(&mut out, unix_ms);
            let parsed: jiff::Timestamp = String::from_utf8(out.clone()).unwrap().parse().unwrap();
            prop_assert_eq!(parsed.as_millisecond(), unix_ms as i64);
            prop_assert_eq!(out.len(), "2026-01-10T09:00:00.000Z".len());
        }
    }
}
