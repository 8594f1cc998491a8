//! The access log: whatever clients send, a request is one line of JSON, and no key stands in it. An input is what a key
//! is made of, and four texts with line ends between them.

use super::unescaped;
use portcullis::clock::Moment;
use portcullis::telemetry::access_log::AccessRecord;
use portcullis::telemetry::redact::redact;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub(crate) fn check(data: &[u8]) {
    let Some((seed, rest)) = data.split_first_chunk::<8>() else { return };
    let rest = String::from_utf8_lossy(rest);
    let mut texts = rest.split('\n');
    let mut next = || texts.next().unwrap_or_default();
    let (host, path, subject, agent) = (next(), next(), next(), next());
    for text in [host, path, agent] {
        let clean = redact(text);
        assert_eq!(redact(&clean), clean, "{text:?} has more to hide");
    }
    let (key, spelt) = key(seed);
    let (path, agent) = (format!("{path}/{spelt}/{host}?{spelt}"), format!("{agent} {spelt}"));
    let line = line(host, &path, subject, &agent);
    let text = std::str::from_utf8(&line).expect("a line is text");
    assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text:?}");
    let read: serde_json::Value = serde_json::from_str(text).expect("a line is JSON");
    let whole = |name: &str, text: &str| {
        assert!(
            read[name].as_str().is_some_and(|shown| shown == redact(text) || text.len() > 1000),
            "{name} in {line:?}"
        );
    };
    whole("host", host);
    whole("client_certificate", subject);
    whole("user_agent", &agent);
    let plain = unescaped(&unescaped(&unescaped(text.as_bytes())));
    let plain = String::from_utf8_lossy(&plain).to_ascii_lowercase();
    assert!(!plain.contains(&key[4..]), "{key} in {text}");
}

/// A key, and how a client spells it: escaped here and there, once or twice.
fn key(seed: &[u8; 8]) -> (String, String) {
    let random = seed
        .iter()
        .fold(0x9e37_79b9_u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let key = format!("ocr_{random:016x}{:016x}", random.rotate_left(29) ^ 0x5bd1_e995);
    let spelt = key.bytes().zip(seed.iter().cycle()).map(|(byte, how)| match how % 5 {
        0 => format!("%{byte:02x}"),
        1 => format!("%25{byte:02X}"),
        _ => char::from(byte).to_string(),
    });
    let spelt = spelt.collect();
    (key, spelt)
}

fn line(host: &str, path: &str, subject: &str, user_agent: &str) -> Vec<u8> {
    let record = AccessRecord {
        at: Moment { mono_ns: 0, unix_ms: 1_800_000_000_000 },
        request_id: "r1",
        trace: None,
        client: IpAddr::from(Ipv4Addr::LOCALHOST),
        method: "GET",
        host,
        path,
        protocol: "HTTP/1.1",
        tls: true,
        client_certificate: Some(subject),
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
        duration: Duration::from_micros(1),
        upstream_duration: None,
        request_bytes: 0,
        response_bytes: 0,
        user_agent,
    };
    let mut out = Vec::new();
    record.write(&mut out);
    out
}
