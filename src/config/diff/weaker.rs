//! What makes the gateway more permissive: it lets in, shows or believes more than before. When in doubt it is marked.

use super::outline::Part;

/// What `apis[].body_limit` is where it is not said.
const API_BODY_LIMIT: &str = "50MiB";

/// What a rule looks at.
struct Seen<'p> {
    old: &'p Part,
    new: &'p Part,
    default: Option<&'static str>,
    /// The API around it, before and after.
    api: Option<(&'p Part, &'p Part)>,
}

/// The first rule that holds for what stands at `pattern`.
pub(super) fn how(
    pattern: &str,
    old: &Part,
    new: &Part,
    default: Option<&'static str>,
    api: Option<(&Part, &Part)>,
) -> Option<&'static str> {
    let seen = Seen { old, new, default, api };
    let key = pattern.rsplit(['.', ']']).next().unwrap_or(pattern);
    if key == "mode" && seen.becomes("observe") {
        return Some("no longer refuses, only records");
    }
    match pattern.split(['.', '[']).next() {
        Some("listeners" | "admin") => entrance(pattern, &seen),
        Some("apis") if pattern.starts_with("apis[].routes[]") => of_route(pattern, &seen),
        Some("apis") => of_api(pattern, &seen),
        Some("limits") => limits(pattern, &seen),
        _ => rest(pattern, &seen),
    }
    .or_else(|| other(pattern, &seen))
}

/// Where clients and operators come in.
fn entrance(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    match pattern {
        "listeners[]" if seen.appears() && *seen.new.get("tls") == Part::Nothing => {
            Some("a listener without TLS")
        }
        "listeners[].tls" | "admin.tls" if seen.disappears() => Some("no longer encrypted"),
        "listeners[].trusted_proxies" if seen.gains() => {
            Some("more peers are believed about who the client is")
        }
        "listeners[].proxy_protocol" if seen.becomes("true") => {
            Some("peers are believed about who the client is")
        }
        "listeners[].tls.client_auth" | "admin.tls.client_auth" if seen.becomes("optional") => {
            Some("clients may come without a certificate")
        }
        "listeners[].tls.min_version" | "admin.tls.min_version" if seen.becomes("1.2") => {
            Some("an older version of TLS is spoken")
        }
        "admin.tls.client_ca" if seen.disappears() => Some("client certificates are no longer asked for"),
        "admin.insecure" if seen.becomes("true") => Some("operators may be listened to without encryption"),
        _ => None,
    }
}

/// An API.
fn of_api(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    match pattern {
        "apis[]" if seen.appears() && seen.new.get("routes").items().iter().any(|it| open(it).is_some()) => {
            Some("some of its routes are open to everyone")
        }
        "apis[]"
            if seen.appears() && seen.new.get("routes").items().iter().any(|it| any_key(it).is_some()) =>
        {
            Some("some of its routes ask for any key")
        }
        "apis[].hosts" if seen.disappears() => Some("it is served on every host"),
        "apis[].redirect_to_https" if seen.old.meaning() == "true" => {
            Some("clients may come without encryption")
        }
        "apis[].cors" if seen.appears() => Some("pages of other origins may use it"),
        "apis[].cors.origins" if seen.gains() && !seen.gains_everything() => {
            Some("pages of more origins may use it")
        }
        "apis[].cors.credentials" if seen.becomes("true") => {
            Some("pages of other origins may use the browser's credentials")
        }
        "apis[].rate_limit" if seen.appears() => seen.looser_than_usual(),
        "apis[].rate_limit" if seen.disappears() || seen.becomes("none") => Some("the limit falls away"),
        "apis[].body_limit" if seen.grows() => Some("larger bodies are let in"),
        "apis[].rate_limit.requests" if seen.grows() => Some("more requests are let in"),
        "apis[].rate_limit.per" if seen.shrinks() => Some("more requests are let in"),
        _ => None,
    }
}

/// A route of an API.
fn of_route(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    match pattern {
        "apis[].routes[]" if seen.appears() => open(seen.new).or_else(|| any_key(seen.new)),
        "apis[].routes[]" if seen.disappears() && asks(seen.old) => {
            Some("its requirement goes with it; requests go to the next route that matches, if there is one")
        }
        "apis[].routes[].auth" if seen.becomes("none") => Some("the route becomes open to everyone"),
        "apis[].routes[].require" if seen.disappears() => Some("any key is enough"),
        "apis[].routes[].require.permissions" | "apis[].routes[].require.scopes" if seen.loses() => {
            Some("less is asked of a key")
        }
        "apis[].routes[].project" if seen.disappears() => Some("a request need not name its project"),
        "apis[].routes[].project.required" if seen.becomes("never") => {
            Some("a request need not name its project")
        }
        "apis[].routes[].body_limit" if seen.larger_bodies() => Some("larger bodies are let in"),
        _ => None,
    }
}

/// What holds for all APIs together.
fn limits(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    match pattern {
        "limits.memory" if seen.disappears() => Some("memory has no ceiling"),
        "limits.unknown_keys" if seen.becomes("none") => Some("strangers may try any number of keys"),
        "limits.backend" if seen.becomes("local") => Some("each node grants the whole limit by itself"),
        "limits.nodes" if seen.shrinks() => Some("a node grants more by itself while its backend is away"),
        "limits.on_backend_failure" if seen.becomes("allow") => Some("without its backend no limit holds"),
        "limits.unknown_keys.requests" if seen.grows() => Some("more requests are let in"),
        "limits.unknown_keys.per" if seen.shrinks() => Some("more requests are let in"),
        _ => None,
    }
}

/// Everything else that stands in one place.
fn rest(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    match pattern {
        "accounts.signup" if !seen.becomes("closed") => opened(seen, &["closed", "invited", "open"]),
        "accounts.organizations" if seen.becomes("anyone") => Some("everybody may make organizations"),
        "webhooks.allow_networks" if seen.gains() => Some("events may be sent into more networks"),
        "store.max_staleness" if seen.grows() => {
            Some("a revoked key may live longer when the store is out of reach")
        }
        "jwt.access_expiry" | "jwt.refresh_expiry" if seen.grows() => Some("logins last longer"),
        "jwt.other_secret" if !seen.disappears() => Some("tokens of another secret are accepted"),
        "store.audit" if seen.shrinks() || seen.is_no_longer_forever() => {
            Some("entries of the audit log that are older are deleted for good, within a minute")
        }
        "telemetry.access_log.sample" if seen.shrinks() => Some("fewer requests are logged"),
        _ => None,
    }
}

/// Rules that hold wherever such a key stands.
fn other(pattern: &str, seen: &Seen<'_>) -> Option<&'static str> {
    if pattern.starts_with("listeners[].limits.") && seen.grows() {
        return Some("a client may use more");
    }
    if pattern.starts_with("listeners[].tls.client_ca") && seen.disappears() {
        return Some("client certificates are no longer asked for");
    }
    if pattern == "upstreams.*.endpoints" && seen.plain_appears() {
        return Some("requests are sent on without encryption");
    }
    if matches!(pattern, "upstreams.*.tls" | "upstreams.*.tls.ca") && seen.disappears() {
        return Some("a service is trusted that any of the system's authorities vouches for");
    }
    if pattern.starts_with("apis[]") && seen.gains_everything() {
        return Some("everyone is meant");
    }
    None
}

fn open(route: &Part) -> Option<&'static str> {
    (route.get("auth").meaning() == "none").then_some("a route that is open to everyone")
}

/// What a new route lets in that has a key and nothing else.
fn any_key(route: &Part) -> Option<&'static str> {
    let require = route.get("require");
    if *require == Part::Nothing {
        return Some("a route for which any key is enough");
    }
    (require.get("mode").meaning() == "observe").then_some("a route whose requirement is only recorded")
}

fn asks(route: &Part) -> bool {
    *route.get("require") != Part::Nothing || *route.get("project") != Part::Nothing
}

fn opened(seen: &Seen<'_>, words: &[&str]) -> Option<&'static str> {
    let rank = |part: &Part| {
        let word = if *part == Part::Nothing { seen.default.unwrap_or_default() } else { part.meaning() };
        words.iter().position(|it| *it == word)
    };
    (rank(seen.new) > rank(seen.old)).then_some("more people may make an account")
}

impl Seen<'_> {
    fn appears(&self) -> bool {
        *self.old == Part::Nothing
    }

    fn disappears(&self) -> bool {
        *self.new == Part::Nothing
    }

    fn becomes(&self, word: &str) -> bool {
        self.new.meaning() == word
    }

    /// Items that were not there.
    fn gained(&self) -> impl Iterator<Item = &Part> {
        self.new.items().iter().filter(|item| !self.old.items().contains(item))
    }

    fn gains(&self) -> bool {
        self.gained().next().is_some()
    }

    fn loses(&self) -> bool {
        self.old.items().iter().any(|item| !self.new.items().contains(item))
    }

    fn gains_everything(&self) -> bool {
        self.gained().any(|item| item.meaning() == "*")
    }

    fn plain_appears(&self) -> bool {
        let encrypted = |part: &Part| part.meaning().starts_with("https:");
        self.old.items().iter().all(encrypted) && self.gained().any(|item| !encrypted(item))
    }

    /// A limit where the dialect's own held.
    fn looser_than_usual(&self) -> Option<&'static str> {
        let dialect = self.api.map_or("", |(old, _)| old.get("dialect").meaning());
        let usual = match dialect {
            "ocriva" => 60.0,
            "ocore" => 600.0,
            // It has none of its own.
            "problem" => return None,
            _ => 0.0,
        };
        if self.new.get("mode").meaning() == "observe" {
            return Some("no longer refuses, only records");
        }
        let requests = self.number(self.new.get("requests")).unwrap_or(f64::INFINITY);
        let per_ms = self.number(self.new.get("per")).unwrap_or(0.0);
        // So many at once, or so many in the long run.
        let looser = requests > usual || requests / per_ms > usual / 60_000.0;
        looser.then_some("more requests are let in")
    }

    /// A route's limit against the one that held; where it says none, its API's does.
    fn larger_bodies(&self) -> bool {
        let of_api = |api: &Part| match api.get("body_limit") {
            Part::Nothing => number(&default_meaning(API_BODY_LIMIT)),
            part => number(part.meaning()),
        };
        let of = |part: &Part, api: Option<&Part>| match part {
            Part::Nothing => api.and_then(of_api),
            part => number(part.meaning()),
        };
        let (old_api, new_api) = (self.api.map(|(old, _)| old), self.api.map(|(_, new)| new));
        match (of(self.old, old_api), of(self.new, new_api)) {
            (Some(old), Some(new)) => new > old,
            _ => true,
        }
    }

    fn grows(&self) -> bool {
        matches!(self.numbers(), Some((old, new)) if new > old)
    }

    fn shrinks(&self) -> bool {
        matches!(self.numbers(), Some((old, new)) if new < old)
    }

    /// What stays forever where nothing is said.
    fn is_no_longer_forever(&self) -> bool {
        let forever = |part: &Part| *part == Part::Nothing || part.meaning() == "forever";
        forever(self.old) && !forever(self.new)
    }

    /// Both as numbers; a value that is left to a default as the default.
    fn numbers(&self) -> Option<(f64, f64)> {
        Some((self.number(self.old)?, self.number(self.new)?))
    }

    fn number(&self, part: &Part) -> Option<f64> {
        let text = match part {
            Part::Nothing => default_meaning(self.default?),
            part => part.meaning().to_owned(),
        };
        number(&text)
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim_end_matches(|c: char| c.is_alphabetic()).parse().ok()
}

/// A default is written as a file would write it.
fn default_meaning(text: &str) -> String {
    use super::outline::meaning;
    use crate::config::schema::Type;
    let duration = meaning(text, Some(Type::Duration));
    if duration == text { meaning(text, Some(Type::Size)) } else { duration }
}
