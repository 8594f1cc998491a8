//! Queries: whatever way a server reads what is sent, it finds the project that was checked, or none.

use super::{text, unescaped};
use portcullis::dialect::form::Form;
use portcullis::pipeline::query::{parameter, read, with_project};

pub(crate) fn check(data: &[u8]) {
    let Some(query) = text(data) else { return };
    let Ok(seen) = read(query) else { return };
    let project = seen.project.as_deref();
    let again = with_project(Some(query), project);
    let reread = read(&again).expect("what was rewritten can be read");
    assert_eq!(reread.project.as_deref(), project, "{query:?} was rewritten to {again:?}");
    assert!(reread.canonical, "{again:?}");
    assert_eq!(others(query), others(&again), "{query:?} was rewritten to {again:?}");
    let sent = if seen.canonical { query } else { &again };
    for separators in [&b"&"[..], b"&;"] {
        for (name, value) in pairs(sent, separators) {
            if is_project(&name) && !value.is_empty() {
                let value = String::from_utf8_lossy(&value);
                assert_eq!(Some(&*value), project, "{sent:?}, read with {separators:?}");
            }
        }
    }
    if let Ok(value) = parameter(query, "projectId") {
        assert_eq!(value.as_deref().filter(|value| !value.is_empty()), project, "{query:?}");
    }
    if let Ok(form) = Form::read(Some(query)) {
        assert_eq!(form.named("projectId").filter(|value| !value.is_empty()), project, "{query:?}");
    }
}

/// The pairs as a form has them.
fn pairs(query: &str, separators: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let plain = |text: &[u8]| {
        let blanks: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        unescaped(&blanks)
    };
    let pairs = query.as_bytes().split(|byte| separators.contains(byte));
    pairs
        .map(|pair| {
            let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (plain(&pair[..at]), plain(pair.get(at + 1..).unwrap_or_default()))
        })
        .collect()
}

/// Whether a lax server takes this name for `projectId`: one that folds case, trims, cuts at NUL and reads brackets.
fn is_project(name: &[u8]) -> bool {
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
    let name = name.strip_prefix(b"[").unwrap_or(name);
    let name = name.split(|byte| matches!(byte, b'[' | b']')).next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"projectId")
}

/// What a query says besides, as it is written.
fn others(query: &str) -> Vec<&str> {
    let others = query.split('&').filter(|pair| !pair.is_empty());
    others.filter(|pair| pairs(pair, b"&").iter().all(|(name, _)| name != b"projectId")).collect()
}
