//! The store itself, beside a gateway that may run on it: the control API is called within this process, as the operator.

use super::ask::Ask;
use super::failure::Failure;
use crate::cli::ConfigFile;
use crate::clock::Clock;
use crate::control::domain::{Actor, By, Domain, Edge, Origin};
use crate::control::http::Api;
use crate::control::sessions::Sessions;
use crate::dialect::endpoint::{Call, Found, Via, find};
use crate::store::{self, journal};
use crate::telemetry::log::chain;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at what a running gateway does.
const LOOK: Duration = Duration::from_millis(250);

/// A store with everything that may be done in it.
#[derive(Debug)]
pub(in crate::cli) struct Store {
    api: Api,
    clock: Clock,
    usage_folder: PathBuf,
}

impl Store {
    /// Opens the store that a configuration names; what is wrong with the configuration is printed.
    pub(super) fn open(file: &Path) -> Result<Result<Self, Failure>, ExitCode> {
        let config = ConfigFile { config: file.to_owned() }.load()?.config;
        let store = match store::open(&config.store.url) {
            Ok(store) => store,
            Err(error) => {
                return Ok(Err(Failure::new(format!("the store can not be opened: {}", chain(&error)))));
            }
        };
        let usage_folder = store::usage_folder(&config.store.url);
        let edge = Edge::elsewhere(store.clone(), waiting);
        let domain = Arc::new(Domain::new(store.clone(), edge.clone()));
        let api = Api::new(domain, Sessions::new(store, edge, &config.jwt, config.accounts));
        api.replace(&config);
        Ok(Ok(Self { api, clock: Clock::new(), usage_folder }))
    }

    /// The operations, for what has no path in the API.
    pub(in crate::cli) fn domain(&self) -> &Domain {
        self.api.domain()
    }

    /// The operator, now.
    pub(in crate::cli) fn by(&self) -> By {
        By { actor: Actor::Operator, origin: Origin::default(), now: self.clock.now() }
    }

    pub(super) async fn call(&self, ask: Ask) -> Result<Bytes, Failure> {
        let Found::Endpoint(endpoint) = find(&ask.method, &ask.path) else {
            return Err(Failure::new(format!("there is nothing at {} {}", ask.method, ask.path)));
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(slug) = &ask.slug {
            let slug =
                HeaderValue::try_from(slug).map_err(|_| Failure::new("there is no such organization"))?;
            headers.insert("x-org-slug", slug);
        }
        let call = Call {
            via: Via::Client,
            endpoint,
            path: ask.path,
            query: (!ask.query.is_empty()).then_some(ask.query),
            headers,
            body: ask.body.map(|body| body.to_string().into()).unwrap_or_default(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            request_id: String::new(),
            now: self.clock.now(),
        };
        Ok(self.api.operate(&call).await?.into_body())
    }

    /// Does some of what takes longer than a request, or waits for the gateway that does it.
    pub(super) async fn progress(&self) -> Result<(), Failure> {
        // Two at once would do it twice.
        if journal::in_use(&self.usage_folder).unwrap_or(true) {
            tokio::time::sleep(LOOK).await;
            return Ok(());
        }
        match self.domain().work(self.clock.now()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                tokio::time::sleep(LOOK).await;
                Ok(())
            }
            Err((_, error)) => Err(error.into()),
        }
    }
}

pub(in crate::cli) fn waiting(how_long: Duration) {
    // Nobody to tell is no reason not to wait.
    let seconds = how_long.as_secs_f32();
    let _ = writeln!(
        std::io::stderr().lock(),
        "a gateway runs on this store: waiting {seconds:.1} s, after which it is certain to act on this"
    );
}
