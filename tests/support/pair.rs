//! A gateway with one worker in front of two backends, for what an upstream with several endpoints does.

use super::gateway::Gateway;
use super::reply::Reply;
use super::request::Request;
use super::settings::Settings;
use super::upstream::Upstream;
use super::world::with_one_key;
use serde_json::{Value, json};

/// Where nothing ever listens.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

/// A path that goes to the upstream `main`.
pub(crate) const TARGET: &str = "/v1/openapi/other";

/// The gateway, its key and its backends.
pub(crate) struct Pair {
    pub(crate) gateway: Gateway,
    pub(crate) key: String,
    pub(crate) a: Upstream,
    pub(crate) b: Upstream,
}

/// The usual settings without limits and with one worker, with an upstream `main` of these endpoints and keys.
pub(crate) fn settings(endpoints: &[&str], keys: Value) -> Settings {
    Settings::usual(endpoints[0]).unlimited().with(|value| {
        value["workers"] = json!(1);
        let main = &mut value["upstreams"]["main"];
        main["endpoints"] = json!(endpoints);
        for (key, setting) in keys.as_object().expect("keys") {
            main[key] = setting.clone();
        }
    })
}

impl Pair {
    /// With these keys in the upstream.
    pub(crate) fn start(keys: Value) -> Self {
        let (a, b) = (Upstream::http(), Upstream::http());
        let (gateway, key) = with_one_key(&settings(&[&a.url(), &b.url()], keys));
        Self { gateway, key, a, b }
    }

    /// Sends a request with the key.
    pub(crate) fn send(&self, request: Request) -> Reply {
        self.gateway.send(&request.key(&self.key))
    }

    /// How many requests each backend has seen.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.a.count(), self.b.count())
    }

    /// Whether the gateway says that a backend takes requests.
    pub(crate) fn healthy(&self, backend: &Upstream) -> bool {
        let labels = [("upstream", "main"), ("endpoint", &*backend.url())];
        self.gateway.metric("portcullis_upstream_healthy", &labels) == 1.0
    }
}
