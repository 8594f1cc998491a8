//! Answers the `http-01` challenges of ACME (RFC 8555, 8.3), before any route: only on listeners without TLS, and only for tokens
//! that are under way.

use super::{Payload, Peer};
use crate::wire::Request;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use http_body_util::Full;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PREFIX: &str = "/.well-known/acme-challenge/";

/// The challenges that are under way.
#[derive(Debug, Default)]
pub struct Challenges {
    /// What a request looks at, because there hardly ever is one.
    any: AtomicBool,
    answers: ArcSwap<HashMap<Box<str>, Bytes>>,
}

impl Challenges {
    /// Answers this token from now on.
    pub fn present(&self, token: &str, authorization: String) {
        let authorization = Bytes::from(authorization);
        self.answers.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(token.into(), authorization.clone());
            all
        });
        self.any.store(true, Ordering::Release);
    }

    /// Answers none any more.
    pub fn withdraw(&self) {
        self.any.store(false, Ordering::Release);
        self.answers.store(Arc::default());
    }

    /// The answer to a request that asks for a token.
    pub(super) fn answer(&self, peer: &Peer, request: &Request) -> Option<Response<Payload>> {
        if !self.any.load(Ordering::Acquire) || peer.tls || request.method != Method::GET {
            return None;
        }
        let token = request.target.path().strip_prefix(PREFIX)?;
        let authorization = self.answers.load().get(token).cloned()?;
        let mut response = Response::new(Payload::Own(Full::new(authorization)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}
