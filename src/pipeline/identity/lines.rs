//! The identity in fields of its own, unsigned, as the lines of HTTP/1.1. Cheap enough to be written for each request: out of
//! a million keys, what was prepared for one before would have to come from memory as cold as the key itself.

use super::super::authenticate::Known;
use super::super::authorize::Grant;
use super::super::path::push_escape;
use crate::token::ProjectId;

const ORGANIZATION_ID: &[u8] = b"x-gateway-organization-id: ";
const PROJECT_ID: &[u8] = b"x-gateway-project-id: ";
const TOKEN_ID: &[u8] = b"x-gateway-token-id: ";
const TOKEN_TYPE: &[u8] = b"x-gateway-token-type: ";
const USER_ID: &[u8] = b"x-gateway-user-id: ";
const PERMISSIONS: &[u8] = b"x-gateway-permissions: ";
const SCOPES: &[u8] = b"x-gateway-scopes: ";

/// Writes who asks, and for which project.
pub(super) fn write(out: &mut Vec<u8>, grant: &Grant) {
    match grant.known() {
        Known::Anonymous => {}
        Known::Key(entry) => {
            let record = &entry.record;
            text(out, ORGANIZATION_ID, record.terms.organization.as_str());
            text(out, TOKEN_ID, &record.id.text());
            text(out, TOKEN_TYPE, record.terms.reach.as_str());
            list(out, PERMISSIONS, record.terms.permissions.iter());
            list(out, SCOPES, record.terms.scopes.iter().map(AsRef::as_ref));
        }
        Known::User(user) => {
            text(out, USER_ID, user.record.id.as_str());
            text(out, TOKEN_TYPE, "user");
            if let Some(membership) = grant.membership() {
                text(out, ORGANIZATION_ID, membership.organization.as_str());
                list(out, PERMISSIONS, membership.role.permissions().iter());
            }
        }
    }
    if let Some(project) = grant.project().map(ProjectId::as_str) {
        text(out, PROJECT_ID, project);
    }
}

fn text(out: &mut Vec<u8>, name: &[u8], value: &str) {
    list(out, name, std::iter::once(value));
}

fn list<'a>(out: &mut Vec<u8>, name: &[u8], items: impl Iterator<Item = &'a str>) {
    out.extend_from_slice(name);
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        value(out, item);
    }
    out.extend_from_slice(b"\r\n");
}

/// Any text as the value of a field: bytes that are not visible ASCII, commas and `%` are percent-encoded.
fn value(out: &mut Vec<u8>, text: &str) {
    // Not `all`: without a way out early, many bytes are looked at in one step.
    if text.bytes().fold(false, |odd, byte| odd | is_odd(byte)) {
        return escaped(out, text);
    }
    out.extend_from_slice(text.as_bytes());
}

fn is_odd(byte: u8) -> bool {
    matches!(byte, b'%' | b',' | 0..=0x20 | 0x7f..)
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut value = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match is_odd(byte) {
            true => push_escape(&mut value, byte),
            false => value.push(char::from(byte)),
        }
    }
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_fits_into_a_header() {
        let mut out = Vec::new();
        list(&mut out, b"x: ", ["read", "two words", "a,b", "อ", "50%", "\r\nx-evil: 1\0\x7f"].into_iter());
        let escaped = "x: read,two%20words,a%2Cb,%E0%B8%AD,50%25,%0D%0Ax-evil:%201%00%7F\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), escaped);
        for byte in 0..=u8::MAX {
            let visible = byte.is_ascii_graphic() && byte != b'%' && byte != b',';
            assert_eq!(is_odd(byte), !visible, "{byte}");
        }
        let mut out = Vec::new();
        list(&mut out, b"x: ", [].into_iter());
        assert_eq!(out, b"x: \r\n");
    }
}
