//! `headers` and `query` of a route: what a request must be like to be its.

use super::fields;
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::yaml::Key;
use crate::config::{Conditions, Test, is_reserved};
use std::sync::Arc;

/// Both of a route.
pub(super) fn conditions(section: &Section<'_>) -> Option<Conditions> {
    let headers = each(section, "headers", |inner, key, value| {
        let name = fields::name(inner, key)?;
        if is_reserved(name.as_str()) {
            let help = match name.as_str() {
                "host" => "name the hosts under `hosts`",
                _ => "use a field of your own, such as `X-Version`",
            };
            let message = format!("a route can not depend on {}", value.0);
            value.1.report(Code::InvalidValue, message, Some(help));
            return None;
        }
        Some((name, test(&value.1)?))
    });
    let query = each(section, "query", |_, _, value| {
        let name: Arc<str> = Arc::from(value.0);
        if name.is_empty() || name.eq_ignore_ascii_case("projectId") {
            let message = format!("a route can not depend on the parameter `{name}`");
            value.1.report(Code::InvalidValue, message, Some("`projectId` is what `project` is for"));
            return None;
        }
        Some((name, test(&value.1)?))
    });
    Some(Conditions { headers: headers?, query: query? })
}

/// Every entry of a section under a key, all of them read; what two entries name alike is reported.
fn each<'d, N: PartialEq, T>(
    section: &Section<'d>,
    key: &str,
    read: impl Fn(&Section<'d>, &Key, (&'d str, Value<'d>)) -> Option<(N, T)>,
) -> Option<Vec<(N, T)>> {
    let Some(inner) = section.get(key) else { return Some(Vec::new()) };
    let inner = inner.any_section()?;
    let mut made: Option<Vec<(N, T)>> = Some(Vec::new());
    for (key, value) in inner.entries() {
        let Some((name, test)) = read(&inner, key, (&key.text, value.clone())) else {
            made = None;
            continue;
        };
        if let Some(made) = &mut made {
            if made.iter().any(|(other, _)| *other == name) {
                let message = format!("`{}` stands here twice", key.text);
                value.report(Code::Conflict, message, Some("upper and lower case are one: keep one of them"));
            }
            made.push((name, test));
        }
    }
    made
}

/// A text for exactly that, or one of `exact`, `prefix`, `present`.
fn test(value: &Value<'_>) -> Option<Test> {
    if !value.is_section() {
        return value.text().map(|text| Test::Exact(text.into()));
    }
    let section = value.any_section()?;
    let tests = [
        section.get("exact").map(|value| value.text().map(|text| Test::Exact(text.into()))),
        section.get("prefix").map(|value| value.non_empty().map(|text| Test::Prefix(text.into()))),
        section.get("present").map(|value| value.boolean().map(Test::Present)),
    ];
    let mut given = tests.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(test), None) => test,
        // Another key stands there, which was reported.
        (None, _) if section.entries().next().is_some() => None,
        (None, _) => {
            let help = "write a text, or one of `exact`, `prefix` and `present`";
            value.report(Code::MissingKey, "there is nothing to compare with", Some(help));
            None
        }
        (Some(_), Some(_)) => {
            value.report(Code::Conflict, "these are two tests of one value", Some("keep one of them"));
            None
        }
    }
}
