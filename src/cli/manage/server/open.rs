//! What an admin listener tells everybody: asked without a session.

use super::super::failure::Failure;
use super::http::{Message, Peer};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::path::Path;

/// An admin listener.
#[derive(Debug)]
pub(in crate::cli) struct Open(Peer);

impl Open {
    /// The one at this URL, which is not asked yet.
    pub(in crate::cli) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        Peer::new(url, ca).map(Self)
    }

    /// As errors name it.
    pub(in crate::cli) fn url(&self) -> &str {
        &self.0.url
    }

    /// What it has at a path, whatever the status.
    pub(in crate::cli) async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let target = path.to_owned();
        let message = Message { method: Method::GET, target, slug: None, bearer: None, body: None };
        self.0.send(message).await.map(|answer| (answer.status, answer.body))
    }
}
