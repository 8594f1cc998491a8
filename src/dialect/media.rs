//! Media types, as far as they decide how a body is read.

/// `application/json` or a `+json` type, in UTF-8 (RFC 8259, 8.1).
pub fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    // Servers that look at how a type begins would take `application/x-www-form-urlencoded+json` for a form.
    let is_token = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.+_".contains(&b));
    let other = essence.strip_prefix("application/").and_then(|rest| rest.strip_suffix("+json"));
    let json = essence == "application/json"
        || other.is_some_and(|name| is_token(name) && !name.starts_with("x-www-form"));
    json && parts.filter(|part| !part.is_empty()).all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}
