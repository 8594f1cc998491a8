//! Paths: the normal form is a fixed point, means what was asked for, and no server finds its way out of it.

use super::{text, unescaped};
use portcullis::pipeline::path::normalise;

pub(crate) fn check(data: &[u8]) {
    let Some(path) = text(data) else { return };
    let Ok(normal) = normalise(path) else { return };
    assert_eq!(normalise(&normal).as_deref(), Ok(&*normal), "the normal form of {path:?} has another one");
    assert!(normal.starts_with('/') && normal.bytes().all(|byte| byte.is_ascii_graphic()), "{normal:?}");
    assert_eq!(meaning(path.as_bytes()), meaning(normal.as_bytes()), "{path:?} is not {normal:?}");
    stays(normal.as_bytes());
}

/// A path's segments with their escapes undone, without those that say nothing; and whether it ends in a slash.
fn meaning(path: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let segments: Vec<_> = path[1..].split(|&byte| byte == b'/').map(unescaped).collect();
    let says_nothing = |segment: &Vec<u8>| segment.is_empty() || segment == b".";
    let closed = segments.last().is_none_or(says_nothing);
    (segments.into_iter().filter(|segment| !says_nothing(segment)).collect(), closed)
}

/// However a server reads it, it has the same number of segments, and none leads up: undoing escapes never, once or
/// twice, dropping parameters or not, taking a backslash for a slash.
fn stays(normal: &[u8]) {
    let slashes = |path: &[u8]| path.iter().filter(|&&byte| matches!(byte, b'/' | b'\\')).count();
    let (once, twice) = (unescaped(normal), unescaped(&unescaped(normal)));
    for read in [normal, &once, &twice] {
        let shown = String::from_utf8_lossy(read);
        assert_eq!(slashes(read), slashes(normal), "{shown:?} has other segments");
        assert!(!read.iter().any(u8::is_ascii_control), "{shown:?} has a control character");
        for segment in read.split(|&byte| byte == b'/') {
            let name = segment.split(|&byte| byte == b';').next().unwrap_or_default();
            assert!(![segment, name].contains(&&b".."[..]), "{shown:?} leads up");
        }
    }
}
