//! The comparison itself: two trees walked side by side, along the schema where it knows the way.

use super::outline::{Part, child, keys, meaning};
use super::{Change, Group, Kind, weaker};
use crate::config::schema::{ROOT, Type};
use crate::config::yaml::join;

/// Keys that name an item of a list, the first that it has.
const NAMES: [&str; 4] = ["name", "address", "cert", "path"];
/// Keys that tell items of the same name apart.
const QUALIFIERS: [&str; 6] = ["methods", "hosts", "host", "match", "headers", "query"];

/// Everything that differs.
pub(super) fn compare(old: &Part, new: &Part) -> Vec<Change> {
    let mut walk = Walk::default();
    walk.section(old, new, Some(Type::Section(ROOT)), &Place::default());
    walk.found
}

/// Where something is.
#[derive(Clone, Default)]
struct Place {
    group: Option<Group>,
    /// Items by their names.
    path: String,
    /// Items by `[]`, names that the file chooses by `*`.
    pattern: String,
}

impl Place {
    fn child(&self, key: &str, named: bool) -> Self {
        Self {
            group: Some(self.group.unwrap_or_else(|| Group::of(key))),
            path: join(&self.path, key),
            pattern: join(&self.pattern, if named { "*" } else { key }),
        }
    }

    fn item(&self, name: &str) -> Self {
        Self {
            group: self.group,
            path: format!("{}[{name}]", self.path),
            pattern: format!("{}[]", self.pattern),
        }
    }
}

#[derive(Default)]
struct Walk<'p> {
    found: Vec<Change>,
    /// The API that is being compared, before and after: what a route leaves out is its API's.
    api: Option<(&'p Part, &'p Part)>,
}

impl<'p> Walk<'p> {
    fn section(&mut self, old: &'p Part, new: &'p Part, kind: Option<Type>, place: &Place) {
        let named = matches!(kind, Some(Type::Named(_)));
        let entries = |part: &Part| match part {
            Part::Section(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
            _ => Vec::new(),
        };
        let mut names: Vec<String> = entries(new);
        for name in entries(old) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let (before, after) = (old.get(&name), new.get(&name));
            let place = place.child(&name, named);
            let default = keys(kind).iter().find(|key| key.name == name).and_then(|key| key.default);
            self.value(before, after, child(kind, &name), default, &place);
        }
    }

    fn value(
        &mut self,
        old: &'p Part,
        new: &'p Part,
        kind: Option<Type>,
        default: Option<&'static str>,
        place: &Place,
    ) {
        if old == new || is_default(old, new, kind, default) {
            return;
        }
        match (old, new) {
            (Part::Section(_), Part::Section(_)) => self.section(old, new, kind, place),
            (Part::List(_) | Part::Nothing, Part::List(_) | Part::Nothing) if is_of_sections(old, new) => {
                self.list(old, new, kind, place);
            }
            // A section that was not there is told of key by key where its keys have defaults of their own.
            (Part::Section(_), Part::Nothing) | (Part::Nothing, Part::Section(_))
                if is_transparent(kind, place) =>
            {
                self.section(old, new, kind, place);
            }
            _ => self.tell(old, new, default, place),
        }
    }

    fn list(&mut self, old: &'p Part, new: &'p Part, kind: Option<Type>, place: &Place) {
        let item = match kind {
            Some(Type::List(item)) => Some(*item),
            _ => None,
        };
        let mut before: Vec<(String, &Part)> = old.items().iter().map(|it| (name(it), it)).collect();
        // What is the same is taken out first, so that of several of one name the right ones are compared.
        let mut after = Vec::new();
        for part in new.items() {
            match before.iter().position(|(_, it)| *it == part) {
                Some(index) => drop(before.remove(index)),
                None => after.push((name(part), part)),
            }
        }
        for (name, part) in after {
            let place = place.item(&name);
            match before.iter().position(|(it, _)| *it == name) {
                Some(index) => {
                    let earlier = before.remove(index).1;
                    if place.pattern == "apis[]" {
                        self.api = Some((earlier, part));
                    }
                    self.value(earlier, part, item, None, &place);
                }
                None => self.tell(&Part::Nothing, part, None, &place),
            }
        }
        for (name, part) in before {
            self.tell(part, &Part::Nothing, None, &place.item(&name));
        }
    }

    fn tell(&mut self, old: &Part, new: &Part, default: Option<&'static str>, place: &Place) {
        let kind = match (old, new) {
            (Part::Nothing, _) if default.is_none() => Kind::Added,
            (_, Part::Nothing) if default.is_none() => Kind::Removed,
            _ => Kind::Changed,
        };
        let secret = [old, new].iter().any(|part| matches!(part, Part::Scalar(it) if it.shown.is_none()));
        let shown = |part: &Part| match part {
            _ if secret => None,
            Part::Nothing => default.map(|default| format!("{default} (the default)")),
            part => Some(part.shown()),
        };
        let (mut from, mut to) = (shown(old), shown(new));
        if from == to && kind == Kind::Changed && from.is_some() {
            // It comes from a variable, or from a file.
            from = from.map(|it| format!("{it} as it was"));
            to = to.map(|it| format!("{it} as it is now"));
        }
        self.found.push(Change {
            group: place.group.unwrap_or(Group::Process),
            path: place.path.clone(),
            kind,
            from,
            to,
            weaker: weaker::how(&place.pattern, old, new, default, self.api),
        });
    }
}

/// Whether one says what the other leaves to the default.
fn is_default(old: &Part, new: &Part, kind: Option<Type>, default: Option<&'static str>) -> bool {
    let ((Some(default), Part::Nothing, part) | (Some(default), part, Part::Nothing)) = (default, old, new)
    else {
        return false;
    };
    match part {
        Part::Scalar(scalar) => scalar.meaning == meaning(default, kind),
        Part::List(items) => items.is_empty() && default == "[]",
        Part::Nothing | Part::Section(_) => false,
    }
}

fn is_of_sections(old: &Part, new: &Part) -> bool {
    let mut items = old.items().iter().chain(new.items()).peekable();
    items.peek().is_some() && items.all(|item| matches!(item, Part::Section(_)))
}

/// A section whose absence means its defaults, rather than that there is none of it.
fn is_transparent(kind: Option<Type>, place: &Place) -> bool {
    let keys = keys(kind);
    let all_optional = !keys.is_empty() && keys.iter().all(|key| !key.required);
    let presence_counts = ["require", "tls"].iter().any(|name| place.pattern.ends_with(name));
    all_optional && !presence_counts || matches!(kind, Some(Type::Named(_)))
}

/// What an item of a list is called.
fn name(item: &Part) -> String {
    let mut named = NAMES.iter().map(|key| (*key, item.get(key)));
    let Some((key, name)) = named.find(|(_, part)| **part != Part::Nothing) else {
        return item.shown();
    };
    // No two have the same: an API on other hosts is the same API.
    if key == "name" {
        return name.shown();
    }
    let qualifiers = QUALIFIERS.iter().map(|key| item.get(key)).filter(|part| **part != Part::Nothing);
    let words = qualifiers.map(|part| match part {
        Part::List(items) => items.iter().map(Part::shown).collect::<Vec<_>>().join(" "),
        other => other.shown(),
    });
    words.chain([name.shown()]).collect::<Vec<_>>().join(" ")
}
