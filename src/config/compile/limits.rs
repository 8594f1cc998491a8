//! `limits`: where limits are counted, and what strangers may try.

use super::apis::mode;
use super::{count, or};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{BackendFailure, Counting, Limits, LimitsBackend, Mode, SharedLimits};
use crate::limiter::{Algorithm, Rate};
use crate::token::Secret;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

/// Bytes that a process without a key and without a connection has.
const LEAST_MEMORY: u64 = 32 << 20;

/// Longest wait for a decision: whoever waits longer has a client that does not.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const USUAL_WAIT: Duration = Duration::from_millis(50);
/// Longest beginning of a name in Redis.
const PREFIX_MOST: usize = 64;
/// Most nodes that are taken for granted.
const NODES_MOST: u64 = 1000;

const ADDRESS_HELP: &str = concat!(
    "write `local`, `redis://host:6379`, `rediss://user:password@host:6379/0` for TLS, or ",
    "`redis-cluster://host-1:6379,host-2:6379` (`rediss-cluster://…`) for a cluster"
);

/// As many as logins that may fail from one address. Whoever mistypes a key, or goes on with one that was deleted, stays
/// below it or loses nothing by it; whoever guesses gets nowhere.
const UNKNOWN_KEYS: Rate = Rate {
    requests: NonZeroU32::new(30).expect("not zero"),
    per: Duration::from_secs(60),
    algorithm: Algorithm::TokenBucket,
};

pub(super) fn limits(root: &Section<'_>) -> Option<Limits> {
    let (backend, unknown_keys_mode) = (LimitsBackend::Local, Mode::Enforce);
    let default = Limits { backend, unknown_keys: Some(UNKNOWN_KEYS), unknown_keys_mode, memory: None };
    let Some(value) = root.get("limits") else { return Some(default) };
    let section = value.any_section()?;
    let backend = backend_of(&section);
    let unknown_keys = or(&section, "unknown_keys", unknown_keys, || default.unknown_keys);
    let observed =
        section.get("unknown_keys").filter(Value::is_section).and_then(|value| value.any_section());
    let mode = observed.map_or(Some(Mode::Enforce), |budget| or(&budget, "mode", mode, Mode::default));
    let memory = or(&section, "memory", memory, || None);
    Some(Limits { backend: backend?, unknown_keys: unknown_keys?, unknown_keys_mode: mode?, memory: memory? })
}

/// All of it is checked also where limits are counted in the process, so that switching over holds no surprise.
fn backend_of(section: &Section<'_>) -> Option<LimitsBackend> {
    let servers = or(section, "backend", servers, Servers::default);
    let on_failure = or(section, "on_backend_failure", on_failure, || BackendFailure::Local);
    let counting = or(section, "mode", counting, || Counting::Script);
    let timeout = or(section, "timeout", timeout, || USUAL_WAIT);
    let prefix = or(section, "prefix", prefix, || Arc::from("portcullis"));
    let nodes = or(section, "nodes", |value| count(value, NODES_MOST), || NonZeroUsize::MIN);
    let (on_failure, counting, timeout, prefix, nodes) = (on_failure?, counting?, timeout?, prefix?, nodes?);
    let Servers { addresses, cluster } = servers?;
    if addresses.is_empty() {
        return Some(LimitsBackend::Local);
    }
    // At most `NODES_MOST`.
    let nodes = NonZeroU32::try_from(nodes).unwrap_or(NonZeroU32::MIN);
    let shared = SharedLimits { addresses, cluster, on_failure, counting, timeout, prefix, nodes };
    Some(LimitsBackend::Shared(Arc::new(shared)))
}

/// Where to connect to; nowhere for limits that are counted in the process.
#[derive(Default)]
struct Servers {
    addresses: Vec<Secret>,
    cluster: bool,
}

fn servers(value: &Value<'_>) -> Option<Servers> {
    let text = value.non_empty()?;
    if text == "local" {
        return Some(Servers::default());
    }
    let servers = server_addresses(text);
    if servers.is_none() {
        // The text is not repeated: an address may hold a password.
        value.report(
            Code::InvalidValue,
            "this is not a place where limits can be counted",
            Some(ADDRESS_HELP),
        );
    }
    servers
}

fn server_addresses(text: &str) -> Option<Servers> {
    let (scheme, rest) = text.split_once("://")?;
    let (plain, cluster) = match scheme {
        "redis" => ("redis", false),
        "rediss" => ("rediss", false),
        "redis-cluster" => ("redis", true),
        "rediss-cluster" => ("rediss", true),
        _ => return None,
    };
    // Whoever may log in to one node of a cluster may log in to all.
    let (login, hosts) = match rest.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), rest),
    };
    let mut addresses = Vec::new();
    for host in hosts.trim_end_matches('/').split(',') {
        let (authority, database) = host.split_once('/').unwrap_or((host, ""));
        let known = database.is_empty() || (!cluster && database.bytes().all(|b| b.is_ascii_digit()));
        if !known || !is_authority(authority) {
            return None;
        }
        let database = if database.is_empty() { String::new() } else { format!("/{database}") };
        addresses.push(Secret::new(format!("{plain}://{login}{authority}{database}")));
    }
    let one = addresses.len() == 1;
    (cluster || one).then_some(Servers { addresses, cluster })
}

/// A host, with or without a port.
fn is_authority(text: &str) -> bool {
    let Ok(authority) = text.parse::<http::uri::Authority>() else { return false };
    let host = authority.host();
    // What is left of the text is the port, if that is one.
    let port = text.strip_prefix(host).and_then(|rest| match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().ok(),
        None => rest.is_empty().then_some(1),
    });
    !host.is_empty() && port.is_some_and(|port| port != 0)
}

fn on_failure(value: &Value<'_>) -> Option<BackendFailure> {
    value.choice(&["local", "allow", "deny"]).map(|word| match word {
        "allow" => BackendFailure::Allow,
        "deny" => BackendFailure::Deny,
        _ => BackendFailure::Local,
    })
}

fn counting(value: &Value<'_>) -> Option<Counting> {
    value.choice(&["script", "leased"]).map(|word| match word {
        "leased" => Counting::Leased,
        _ => Counting::Script,
    })
}

fn timeout(value: &Value<'_>) -> Option<Duration> {
    let time = value.duration()?;
    if time > LONGEST_WAIT {
        let message = format!("{} is too long: a request waits at most this long", value.shown());
        value.report(Code::InvalidValue, message, Some("at most 5s; `50ms` is usual"));
        return None;
    }
    Some(time)
}

fn prefix(value: &Value<'_>) -> Option<Arc<str>> {
    let text = value.non_empty()?;
    if text.len() > PREFIX_MOST || text.contains(['{', '}']) || text.chars().any(char::is_control) {
        let message = format!("{} can not begin a name in Redis", value.shown());
        value.report(Code::InvalidValue, message, Some("write up to 64 characters, without braces"));
        return None;
    }
    Some(Arc::from(text))
}

fn memory(value: &Value<'_>) -> Option<Option<u64>> {
    let bytes = value.size()?;
    if bytes < LEAST_MEMORY {
        let message = format!("{} is less than the program itself takes", value.shown());
        value.report(Code::InvalidValue, message, Some("32MiB is the least; some hundred MiB are usual"));
        return None;
    }
    Some(Some(bytes))
}

/// `Some(None)` for `none`, which turns the limit off.
fn unknown_keys(value: &Value<'_>) -> Option<Option<Rate>> {
    if value.peek() == Some("none") {
        return Some(None);
    }
    let section = value.any_section()?;
    let requests = section.optional("requests", |value| value.integer(1, u32::MAX.into()));
    let per = section.optional("per", Value::duration);
    let requests = requests.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
    Some(Some(Rate { requests: requests?, per: per?, algorithm: Algorithm::TokenBucket }))
}
