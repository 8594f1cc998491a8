//! What clients say of their trace: read as a reader finds that cuts at hyphens.

use portcullis::pipeline::fuzzing::parent;

pub(crate) fn check(data: &[u8]) {
    assert_eq!(parent(data), plainly(data), "{:?}", String::from_utf8_lossy(data));
}

/// W3C Trace Context, 3.2 and 4.3, as it is written there.
fn plainly(data: &[u8]) -> Option<(u128, u64, u8)> {
    let parts: Vec<&[u8]> = data.split(|&byte| byte == b'-').collect();
    let [version, trace, span, flags, later @ ..] = &parts[..] else { return None };
    let known = *version == b"00" && later.is_empty() || *version != b"00" && *version != b"ff";
    let lengths = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2];
    let number = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok()?;
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if lower { u128::from_str_radix(text, 16).ok() } else { None }
    };
    let (version, trace, span, flags) = (number(version)?, number(trace)?, number(span)?, number(flags)?);
    let valid = known && lengths && version < 0xff && trace != 0 && span != 0;
    valid.then_some((trace, span as u64, flags as u8))
}
