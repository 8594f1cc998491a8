//! Certificates that clients show: what is read of one can stand in a log and in a header field.

use portcullis::listen::fuzzing::certificate;

pub(crate) fn check(data: &[u8]) {
    let Some((subject, names)) = certificate(data) else { return };
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
    assert!(names.iter().all(|name| **name == name.to_ascii_lowercase()), "{names:?}");
    // Whatever a value holds, the text has as many parts as the certificate, and each says of what kind it is.
    for part in parts(&subject).into_iter().filter(|_| !subject.is_empty()) {
        let (kind, _) = part.split_once('=').expect("each part has a kind");
        assert!(kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{subject:?}");
    }
    let longer = [data, &[0x30, 0x00]].concat();
    assert_eq!(certificate(&longer), Some((subject, names)), "what stands behind it is none of it");
}

/// The parts of a name as RFC 4514 writes it, escaped separators left in.
fn parts(subject: &str) -> Vec<String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for character in subject.chars() {
        if !escaped && matches!(character, ',' | '+') {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
        escaped = !escaped && character == '\\';
    }
    parts
}
