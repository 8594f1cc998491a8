//! `portcullis signing-key`: the keys that sign the identities upstreams get, rotated before their time.

use super::manage::{Column, Failure, Output, Printed, block_on, told, waiting};
use super::{ConfigFile, complain, print};
use crate::clock::Clock;
use crate::config::UpstreamIdentity;
use crate::control::domain::{Actor, By, Domain, Edge, Origin};
use crate::dialect::time::iso;
use crate::store::{self, SigningKey};
use crate::telemetry::log::chain;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
They rotate by themselves every 30 days. A new key is published at /.well-known/jwks.json before it signs, so that no upstream meets \
an identity whose key it has not seen; the one before stays published until the last identity that it has signed is over. \
Gateways on the store follow within seconds.

Examples:
  portcullis signing-key list -c gw.yaml
  portcullis signing-key rotate -c gw.yaml
  portcullis signing-key retire -c gw.yaml 0c1f2a";

/// The keys that sign the identities upstreams get
#[derive(clap::Subcommand, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) enum Command {
    /// List the keys that are published
    List(Place),
    /// Publish a new key, which signs after a while
    Rotate(Rotate),
    /// Take a key that signs no more out of the published set before its time
    Retire(Retire),
}

#[derive(clap::Args, Debug)]
pub(super) struct Place {
    #[command(flatten)]
    file: ConfigFile,
    /// How to print it: for reading, or for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(clap::Args, Debug)]
pub(super) struct Rotate {
    /// For how long it is published before it signs: longer than any upstream keeps the set without a look. 0 when the
    /// present key has become known to others, and identities may be rejected until upstreams look
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(0..=604_800))]
    publish_for: u32,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args, Debug)]
pub(super) struct Retire {
    /// The key's id: `kid` in the published set
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    place: Place,
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("ALGORITHM", "/algorithm"),
    ("STATE", "/state"),
    ("SIGNS FROM", "/signsFrom"),
    ("RETIRES", "/retires"),
];

/// What a command works with.
struct Work {
    domain: Domain,
    by: By,
    identity: UpstreamIdentity,
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::List(place) => work(&place, async |_: &Work| Ok(())),
        Command::Rotate(Rotate { publish_for, place }) => work(&place, async |work: &Work| {
            let published = Duration::from_secs(publish_for.into());
            work.domain.rotate_signing_key(&work.by, &work.identity, published).await?;
            Ok(())
        }),
        Command::Retire(Retire { id, place }) => work(&place, async |work: &Work| {
            Ok(work.domain.retire_signing_key(&work.by, &work.identity, &id).await?)
        }),
    }
}

/// Does something, and prints the keys as they are then.
fn work<F>(place: &Place, job: F) -> ExitCode
where
    F: AsyncFnOnce(&Work) -> Result<(), Failure>,
{
    let config = match place.file.load() {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let store = match store::open(&config.store.url) {
        Ok(store) => store,
        Err(error) => return complain(format_args!("error: the store can not be opened: {}", chain(&error))),
    };
    let domain = Domain::new(store.clone(), Edge::elsewhere(store, waiting));
    let by = By { actor: Actor::Operator, origin: Origin::default(), now: Clock::new().now() };
    let work = Work { domain, by, identity: config.jwt.upstream };
    block_on(async {
        let done = async {
            job(&work).await?;
            Ok::<_, Failure>(work.domain.signing_keys(&work.by).await?)
        };
        match done.await {
            Ok(keys) => shown(place, &keys, work.by.now.unix_ms),
            Err(failure) => told(&failure),
        }
    })
}

fn shown(place: &Place, keys: &[SigningKey], now_ms: u64) -> ExitCode {
    let json = json!({ "data": keys.iter().map(|key| one(key, keys, now_ms)).collect::<Vec<_>>() });
    match place.output {
        Output::Json => print(format_args!("{json:#}\n")),
        Output::Table => print(Printed::list(json, COLUMNS).table),
    }
}

/// `next`: published, and signs later. `signs`. `published`: signs no more, what it has signed may still be on its way.
fn one(key: &SigningKey, keys: &[SigningKey], now_ms: u64) -> Value {
    let signs = |key: &SigningKey| key.signs_from_ms <= now_ms;
    let later =
        |it: &SigningKey| it.algorithm == key.algorithm && it.signs_from_ms > key.signs_from_ms && signs(it);
    let state = match (signs(key), keys.iter().any(later)) {
        (false, _) => "next",
        (true, false) => "signs",
        (true, true) => "published",
    };
    // Until a successor says when, it does not retire.
    let retires = (key.retires_ms < i64::MAX as u64).then(|| iso(key.retires_ms));
    json!({
        "id": key.id,
        "algorithm": key.algorithm,
        "state": state,
        "signsFrom": iso(key.signs_from_ms),
        "retires": retires,
    })
}
