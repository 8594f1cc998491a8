//! Just enough of X.509 (RFC 5280) to tell when a certificate ends, whose it is, and which names it is for.

use std::fmt::Write;

/// What is read of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// `notBefore`, in seconds since 1970.
    pub(super) not_before: i64,
    /// `notAfter`, in seconds since 1970.
    pub(super) not_after: i64,
    /// The subject as RFC 4514 writes it, the most specific part first; may be empty.
    pub(super) subject: String,
    /// DNS names in subjectAltName, in lower case.
    pub(super) dns_names: Vec<Box<str>>,
}

/// subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Reads a certificate; `None` when the bytes are not one.
pub(super) fn read(certificate: &[u8]) -> Option<Facts> {
    let (_, certificate, _) = element(certificate)?;
    let (_, tbs, _) = element(certificate)?;
    let mut rest = tbs;
    let (tag, _, after) = element(rest)?;
    if tag == 0xa0 {
        rest = after; // the explicit version
    }
    for _ in 0..3 {
        rest = element(rest)?.2; // serialNumber, signature, issuer
    }
    let (_, validity, rest) = element(rest)?;
    let mut instants = elements(validity).map(|(tag, time)| instant(tag, std::str::from_utf8(time).ok()?));
    let (not_before, not_after) = (instants.next()??, instants.next()??);
    let (_, subject, rest) = element(rest)?;
    let dns_names = dns_names(rest).unwrap_or_default();
    Some(Facts { not_before, not_after, subject: name(subject)?, dns_names })
}

/// One DER element: tag, content, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        length = bytes.iter().try_fold(0usize, |sum, &b| sum.checked_mul(256)?.checked_add(b.into()))?;
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// The elements of a content, one after the other; ends at what is none.
fn elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, after) = element(rest)?;
        rest = after;
        Some((tag, content))
    })
}

/// UTCTime (tag 0x17, two digits of the year) or GeneralizedTime, both ending in `Z` (RFC 5280, 4.1.2.5).
fn instant(tag: u8, text: &str) -> Option<i64> {
    let (year, rest) = match tag {
        0x17 => {
            let year: i16 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        _ => (text.get(..4)?.parse().ok()?, text.get(4..)?),
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_second())
}

/// DNS names, from what follows the subject: the key, unique identifiers that nobody uses, the extensions.
fn dns_names(after_subject: &[u8]) -> Option<Vec<Box<str>>> {
    let (_, extensions) = elements(after_subject).find(|(tag, _)| *tag == 0xa3)?;
    let (_, extensions, _) = element(extensions)?;
    let value = elements(extensions).find_map(|(_, extension)| {
        let mut parts = elements(extension);
        let (_, id) = parts.next()?;
        // An OCTET STRING, perhaps after a BOOLEAN that says whether it is critical.
        parts.find(|(tag, _)| id == SUBJECT_ALT_NAME && *tag == 0x04).map(|(_, value)| value)
    })?;
    let (_, names, _) = element(value)?;
    let dns = elements(names).filter(|(tag, _)| *tag == 0x82);
    Some(
        dns.filter_map(|(_, name)| Some(std::str::from_utf8(name).ok()?.to_ascii_lowercase().into()))
            .collect(),
    )
}

/// A name as RFC 4514 writes it.
fn name(sequence: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    for (_, set) in elements(sequence) {
        let attributes: Option<Vec<String>> = elements(set).map(|(_, pair)| attribute(pair)).collect();
        // Each has one at least (RFC 5280, 4.1.2.4).
        parts.push(attributes.filter(|attributes| !attributes.is_empty())?.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(pair: &[u8]) -> Option<String> {
    let (_, id, rest) = element(pair)?;
    let (tag, value, after) = element(rest)?;
    let mut out = match short_name(id) {
        Some(name) => name.to_owned(),
        None => dotted(id),
    };
    out.push('=');
    // UTF8String, PrintableString, IA5String.
    match std::str::from_utf8(value).ok().filter(|_| matches!(tag, 0x0c | 0x13 | 0x16)) {
        Some(text) => escape(&mut out, text),
        None => {
            out.push('#');
            hexadecimal(&mut out, "", &rest[..rest.len() - after.len()]);
        }
    }
    Some(out)
}

/// The names that RFC 4514, 3 has for types, and `emailAddress` as everybody writes it.
fn short_name(id: &[u8]) -> Option<&'static str> {
    Some(match id {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x09] => "STREET",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        _ => return None,
    })
}

fn dotted(id: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = 0u64;
    for byte in id {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    // The first two are one number (X.690, 8.19.4).
    let first = arcs.first().copied().unwrap_or_default();
    let top = (first / 40).min(2);
    let rest: String = arcs.iter().skip(1).map(|arc| format!(".{arc}")).collect();
    format!("{top}.{}{rest}", first - top * 40)
}

/// A value with what has a meaning escaped (RFC 4514, 2.4), and what is not printed in hexadecimal.
fn escape(out: &mut String, text: &str) {
    let last = text.chars().count().saturating_sub(1);
    for (at, character) in text.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', character]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            _ if character.is_control() => {
                let mut bytes = [0; 4];
                hexadecimal(out, "\\", character.encode_utf8(&mut bytes).as_bytes());
            }
            _ => out.push(character),
        }
    }
}

fn hexadecimal(out: &mut String, before_each: &str, bytes: &[u8]) {
    for byte in bytes {
        // Writing to memory does not fail.
        let _ = write!(out, "{before_each}{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let mut parameters = CertificateParams::new(vec!["localhost".into()]).unwrap();
        for (year, seconds) in [(2031, 1_924_992_000), (2061, 2_871_763_200)] {
            parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
            let key = KeyPair::generate().unwrap();
            let certificate = parameters.self_signed(&key).unwrap();
            assert_eq!(read(certificate.der()).map(|facts| facts.not_after), Some(seconds), "{year}");
        }
        assert_eq!(read(b"\x30\x82\xff\xffnonsense"), None);
    }

    #[test]
    fn names_and_subject_are_read() {
        let names = ["API.example.com", "*.example.com", "192.0.2.1"].map(str::to_owned);
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Acme, Inc. ");
        parameters.distinguished_name.push(DnType::CommonName, "a+b\n");
        parameters.distinguished_name.push(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 311]), "x");
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let facts = read(certificate.der()).unwrap();
        assert_eq!(facts.dns_names, ["api.example.com", "*.example.com"].map(Box::<str>::from));
        assert_eq!(facts.subject, "1.3.6.1.4.311=x,CN=a\\+b\\0a,O=Acme\\, Inc.\\ ");
    }

    #[test]
    fn no_cut_certificate_panics() {
        let parameters = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        for length in 0..certificate.der().len() {
            let _ = read(&certificate.der()[..length]);
        }
    }
}
