//! Credentials in header fields: one that counts is the only one there is, whatever the fields are kept in. An input is a
//! byte that names the dialect, and lines of fields.

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use portcullis::config::{Api, Dialect};
use portcullis::dialect::{self, Presented, Unusable};
use portcullis::wire::{Fields, Scratch};

const KEYS: HeaderName = HeaderName::from_static("x-api-key");

pub(crate) fn check(data: &[u8]) {
    let Some((&which, lines)) = data.split_first() else { return };
    let dialect = [Dialect::Ocriva, Dialect::Ocore, Dialect::Problem][usize::from(which % 3)];
    let map = fields(lines);
    let own = Fields::of(&map, &Scratch::default());
    let prefixes = vec!["key-".into(), "acme_".into()];
    let api = Api { dialect, key_prefixes: prefixes, ..Api::nobodys() };
    let presented = dialect::present(&api, &own);
    if dialect != Dialect::Problem {
        assert_eq!(parts(dialect::present_in(dialect, &map)), parts(presented), "of fields and of a map");
        let mut without = map.clone();
        without.remove(COOKIE);
        let seen = parts(dialect::present_without_cookies(dialect, &map));
        assert_eq!(seen, parts(dialect::present_in(dialect, &without)), "with cookies left out");
    }
    if let Some(key) = dialect::likely_key(&own) {
        assert!(map.values().any(|value| contains(value.as_bytes(), key)), "from nowhere");
    }
    let Ok(presented) = presented else { return };
    let starts: &[&str] = match dialect {
        Dialect::Ocriva => &["ocr_"],
        Dialect::Ocore => &["ocore_"],
        Dialect::Problem => &["key-", "acme_"],
    };
    if let Some(key) = presented.key {
        assert!(starts.iter().any(|start| key.starts_with(start.as_bytes())));
        assert!(key.is_ascii() && key.trim_ascii() == key);
    }
    if let Some(jwt) = presented.jwt {
        assert_eq!(jwt.split('.').filter(|part| !part.is_empty()).count(), 3, "{jwt}");
    }
    only(&map, dialect, presented);
}

/// Whatever else in the fields could be a credential of this dialect is the one that counts.
fn only(map: &HeaderMap, dialect: Dialect, presented: Presented<'_>) {
    let text = presented.jwt.map(str::as_bytes);
    let mut keys = map.get_all(KEYS).iter().filter(|_| dialect != Dialect::Ocore);
    assert!(
        keys.all(|key| key.as_bytes().trim_ascii().is_empty()
            || presented.key == Some(key.as_bytes().trim_ascii()))
    );
    let mut bearers = map.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes().trim_ascii());
    let counts = |value: &[u8]| {
        let Some(at) = value.iter().position(|byte| matches!(byte, b' ' | b'\t')) else { return true };
        let credential = value[at..].trim_ascii();
        !value[..at].eq_ignore_ascii_case(b"bearer")
            || presented.key == Some(credential)
            || text == Some(credential)
    };
    assert!(bearers.all(counts), "one of several was taken");
}

fn fields(lines: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').take(32) {
        let at = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_bytes(line.get(at + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}

/// Key and JWT, to be compared.
type Parts = Result<(Option<Vec<u8>>, Option<String>), Unusable>;

fn parts(presented: Result<Presented<'_>, Unusable>) -> Parts {
    presented.map(|it| (it.key.map(<[u8]>::to_vec), it.jwt.map(str::to_owned)))
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len().max(1)).any(|window| window == wanted)
}
