//! The structural check: every key known, of its type, and there when it must be.

use super::compile::MAKE_A_SECRET;
use super::document::Value;
use super::problem::Code;
use super::schema::{Key, Type};
use super::section::{Section, unknown_key};
use super::suggest::nearest;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Checks a value, and all below it, against its type.
pub(crate) fn check(value: &Value<'_>, kind: Type) {
    match kind {
        Type::Text | Type::Path => drop(value.text()),
        Type::Address => drop(address(value)),
        Type::Network => drop(network(value)),
        Type::Integer(least, most) => drop(value.integer(least, most)),
        Type::Number(least, most) => drop(value.number(least, most)),
        Type::Boolean => drop(value.boolean()),
        Type::DurationOr(word) if value.peek() == Some(word) => {}
        Type::Duration | Type::DurationOr(_) => drop(value.duration()),
        Type::Size => drop(value.size()),
        Type::Choice(words) => drop(value.choice(words)),
        Type::BooleanOrWords(words) if value.is_list() => {
            value.items().iter().flatten().for_each(|value| _ = value.choice(words));
        }
        Type::BooleanOrWords(_) => drop(value.boolean()),
        Type::List(item) => {
            value.items().iter().flatten().for_each(|value| check(value, *item));
        }
        Type::Section(keys) => section(value, keys),
        Type::SectionOr(word, _) if value.peek() == Some(word) => {}
        Type::SectionOr(word, _) if value.peek().is_some() => {
            let message = format!("expected a section or `{word}`, found {}", value.shown());
            value.report(Code::WrongType, message, None);
        }
        Type::SectionOr(_, keys) => section(value, keys),
        Type::Map(item) => {
            let names = value.any_section();
            names.iter().flat_map(Section::entries).for_each(|(_, value)| check(&value, *item));
        }
        Type::ScalarOr(one, _) if !value.is_section() && !value.is_list() => check(value, *one),
        Type::ScalarOr(_, more) => check(value, *more),
        Type::Named(keys) => {
            let names = value.any_section();
            names.iter().flat_map(Section::entries).for_each(|(_, value)| section(&value, keys));
        }
    }
}

fn section(value: &Value<'_>, keys: &[Key]) {
    let Some(section) = value.any_section() else { return };
    let mut meant: Vec<&str> = Vec::new();
    for (key, child) in section.entries() {
        match keys.iter().find(|known| known.name == key.text) {
            Some(known) => check(&child, known.kind),
            None => {
                let near = nearest(&key.text, keys.iter().map(|key| key.name));
                meant.extend(near);
                section.report_key(
                    key,
                    Code::UnknownKey,
                    unknown_key(key, value.path()),
                    &advice(near, keys),
                );
            }
        }
    }
    // A misspelt key is one mistake, not an unknown key and a missing one.
    let missing = |key: &&Key| key.required && section.get(key.name).is_none() && !meant.contains(&key.name);
    for key in keys.iter().filter(missing) {
        let help = match key.name {
            "secret" => MAKE_A_SECRET.to_owned(),
            name => format!("add `{name}`: {}", key.doc),
        };
        section.report_missing(key.name, Some(&help));
    }
}

fn advice(near: Option<&str>, keys: &[Key]) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys: {}", keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")),
    }
}

/// An IP address and a port to listen on.
pub(crate) fn address(value: &Value<'_>) -> Option<SocketAddr> {
    let help = "such as `0.0.0.0:8443`, `127.0.0.1:8080` or `[::]:8443`";
    value.parse("an IP address and a port", Some(help))
}

/// A network, or one address; bits beyond the prefix are cleared.
pub(crate) fn network(value: &Value<'_>) -> Option<IpNet> {
    let text = value.text()?;
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let parsed = text.parse::<IpNet>().ok().or_else(one).map(|net| net.trunc());
    if parsed.is_none() {
        let message = format!("{} is not an IP address or a network", value.shown());
        value.report(
            Code::InvalidValue,
            message,
            Some("such as `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`"),
        );
    }
    parsed
}
