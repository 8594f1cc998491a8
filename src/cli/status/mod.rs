//! `portcullis status`: whether a running gateway is well, and what it does, for a terminal.

mod judge;
mod report;
mod scrape;
mod text;

use super::manage::{Failure, Open, Output, told};
use super::{ConfigFile, complain, nodes, print};
use crate::clock::Clock;
use crate::config::{Config, StoreUrl};
use crate::telemetry::log::chain;
use report::Seen;
use scrape::Scrape;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Runtime;

const AFTER_HELP: &str = "\
Exit code 0: it is well; warnings may be shown. 1: it is not, or can not be reached. 2: bad usage.
No login is needed: the admin listener tells this to everybody who reaches it.

Examples:
  portcullis status --config gw.yaml
  portcullis status --server https://gateway.example.com:9443 --ca ca.pem --watch
  portcullis status --server http://127.0.0.1:9090 --output json";

const NOWHERE: &str = "say which gateway: --config FILE for the one of this file, or --server URL";

/// Clears the screen and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The gateway of this configuration file; the other nodes on its store are shown too [env: PORTCULLIS_CONFIG]
    #[arg(long, short, value_name = "FILE", conflicts_with = "server")]
    config: Option<PathBuf>,
    /// A gateway by the URL of its admin listener [env: PORTCULLIS_SERVER]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Certificates to trust in place of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Tell it anew again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// For how long requests are counted; with --watch, how often it is told
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// How to print it: for reading, or for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Prints how a gateway is.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let gateway = match Gateway::of(&arguments) {
        Ok(Ok(gateway)) => gateway,
        Ok(Err(failure)) => return told(&failure),
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(format_args!("error: the system refuses timers: {error}")),
    };
    let every = Duration::from_secs(arguments.every);
    let mut before = None;
    loop {
        let seen = gateway.look(&runtime, before.take(), every);
        let code = match &seen {
            Ok((seen, _)) => {
                let report = seen.report();
                let code = if report["well"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE };
                match shown(&report, &arguments) {
                    Ok(()) => code,
                    // Nobody reads any more, which is what ends `--watch` in a pipe.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return code,
                    Err(error) => {
                        return complain(format_args!("error: cannot write to standard output: {error}"));
                    }
                }
            }
            Err(failure) if arguments.watch => {
                // Who watches waits for it to come back.
                if std::io::stdout().is_terminal() {
                    print(CLEAR);
                }
                told(failure);
                std::thread::sleep(every);
                ExitCode::FAILURE
            }
            Err(failure) => told(failure),
        };
        if !arguments.watch {
            return code;
        }
        before = seen.ok().map(|(_, scrape)| scrape);
    }
}

fn shown(report: &Value, arguments: &Arguments) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match (arguments.output, arguments.watch) {
        // One line each, so that a program can read them as they come.
        (Output::Json, true) => writeln!(out, "{report}"),
        (Output::Json, false) => writeln!(out, "{report:#}"),
        (Output::Table, watch) => {
            let clear = if watch && out.is_terminal() { CLEAR } else { "" };
            write!(out, "{clear}{}", text::of(report))
        }
    }
}

/// Who is asked.
#[derive(Debug)]
struct Gateway {
    listener: Open,
    /// Where the roll of nodes is, if that is known here.
    store: Option<StoreUrl>,
    clock: Clock,
}

impl Gateway {
    fn of(arguments: &Arguments) -> Result<Result<Self, Failure>, ExitCode> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let ca = arguments.ca.as_deref();
        let listener = |url: &str, store| {
            Open::new(url, ca).map(|listener| Self { listener, store, clock: Clock::new() })
        };
        if let Some(url) = &arguments.server {
            return Ok(listener(url, None));
        }
        let file = arguments.config.clone().or_else(|| given("PORTCULLIS_CONFIG").map(PathBuf::from));
        match (file, given("PORTCULLIS_SERVER")) {
            (Some(_), Some(_)) if arguments.config.is_none() => Ok(Err(Failure::usage(
                "PORTCULLIS_CONFIG and PORTCULLIS_SERVER are both set: say which with --config or --server",
            ))),
            (Some(config), _) => {
                let config = ConfigFile { config }.load()?.config;
                Ok(listener(&url(&config), Some(config.store.url)))
            }
            (None, Some(url)) => Ok(listener(&url.to_string_lossy(), None)),
            (None, None) => Ok(Err(Failure::usage(NOWHERE))),
        }
    }

    /// Looks at it, `every` after the look `before`; gives what was seen last too.
    fn look(
        &self,
        runtime: &Runtime,
        before: Option<Scrape>,
        every: Duration,
    ) -> Result<(Seen, Scrape), Failure> {
        let (readiness, before, after) = runtime.block_on(async {
            let before = match before {
                Some(before) => before,
                None => self.scrape().await?,
            };
            tokio::time::sleep(every).await;
            Ok::<_, Failure>((self.readiness().await?, before, self.scrape().await?))
        })?;
        let server = self.listener.url().to_owned();
        let seen = Seen { server, readiness, before, after: after.clone(), roll: self.roll() };
        Ok((seen, after))
    }

    async fn scrape(&self) -> Result<Scrape, Failure> {
        let (status, body) = self.listener.get("/metrics").await?;
        let text = String::from_utf8_lossy(&body);
        let scrape = Scrape::parse(&text, self.clock.now());
        if !status.is_success() || scrape.value("portcullis_ready").is_none() {
            let url = self.listener.url();
            return Err(Failure::new(format!(
                "{url} has no metrics of a gateway: is this an admin listener?"
            )));
        }
        Ok(scrape)
    }

    /// What `/readyz` says.
    async fn readiness(&self) -> Result<String, Failure> {
        let (_, body) = self.listener.get("/readyz").await?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(body["status"].as_str().unwrap_or("not what a gateway answers").to_owned())
    }

    /// The nodes on the store, or why they can not be told; `None` where the store is not known here.
    fn roll(&self) -> Option<Result<Value, String>> {
        let url = self.store.as_ref()?;
        Some(match crate::store::open_read_only(url) {
            Ok(Some(store)) => nodes::told(&*store).map_err(|error| chain(&error)),
            Ok(None) => Err("there is no store yet".to_owned()),
            Err(error) => Err(chain(&error)),
        })
    }
}

/// The address at which a configuration's admin listener is reached from its own machine.
fn url(config: &Config) -> String {
    let mut address: SocketAddr = config.admin.address;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let scheme = if config.admin.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}
