//! One request to the admin listener of a gateway, on a connection of its own.

use super::super::failure::Failure;
use crate::config::HttpUrl;
use crate::telemetry::log::chain;
use crate::upstream::tls;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// Most bytes of an answer; exports are the largest.
const MOST: usize = 256 * 1024 * 1024;

/// Where a gateway's admin listener is.
#[derive(Debug)]
pub(super) struct Peer {
    /// As it is remembered by, and named in errors: without a closing slash.
    pub(super) url: String,
    /// The same in parts. What it has for a path stands before every other one, where the listener is behind a proxy.
    at: HttpUrl,
    tls: Option<tls::Client>,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Message<'m> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) slug: Option<&'m str>,
    pub(super) bearer: Option<&'m str>,
    pub(super) body: Option<String>,
}

impl Peer {
    /// Reads a URL, and the certificates to trust.
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let bad = || Failure::usage(format!("{url} is no URL of a server: https://HOST:PORT"));
        let mut at = HttpUrl::parse(url).filter(|it| !it.path.contains('?')).ok_or_else(bad)?;
        let trusted = match ca {
            Some(file) if at.secure => {
                let read = std::fs::read(file).and_then(|pem| tls::Client::trusting(&pem));
                read.map_err(|error| {
                    Failure::new(format!("the certificates of {} can not be used: {error}", file.display()))
                })?
            }
            _ => tls::Client::http1(),
        };
        at.path.truncate(at.path.trim_end_matches('/').len());
        let scheme = if at.secure { "https" } else { "http" };
        let url = format!("{scheme}://{}{}", at.authority.to_ascii_lowercase(), at.path);
        Ok(Self { url, tls: at.secure.then_some(trusted), at })
    }

    /// Whether what is sent can be read by somebody on the way.
    pub(super) fn is_open_to_listeners(&self) -> bool {
        let here = self.at.host == "localhost" || self.at.address().is_some_and(|it| it.is_loopback());
        self.tls.is_none() && !here
    }

    /// Sends a request and reads the whole answer: its status, its body, and the id that the server gave it.
    pub(super) async fn send(&self, message: Message<'_>) -> Result<Answer, Failure> {
        let request = self.request(message)?;
        let unreachable = |error: io::Error| {
            Failure::new(format!("{} can not be reached: {error}; is the gateway running?", self.url))
        };
        let connecting = timeout(CONNECT, TcpStream::connect((self.at.host.as_str(), self.at.port)));
        let tcp = connecting.await.map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?;
        let tcp = tcp.map_err(unreachable)?;
        let exchange = async {
            let Some(client) = &self.tls else { return exchange(TokioIo::new(tcp), request).await };
            let (tls, _) = client.handshake(&self.at.host, tcp).await.map_err(|error| {
                let help = "--ca FILE names certificates to trust";
                format!("the TLS handshake failed: {}; {help}", chain(&error))
            })?;
            exchange(TokioIo::new(tls), request).await
        };
        match timeout(ANSWER, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(Failure::new(format!("{}: {why}", self.url))),
            Err(_) => Err(Failure::new(format!("{} has not answered within a minute", self.url))),
        }
    }

    fn request(&self, message: Message<'_>) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(message.method)
            .uri(format!("{}{}", self.at.path, message.target))
            .header(HOST, &self.at.authority)
            .header(USER_AGENT, concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        if let Some(slug) = message.slug {
            request = request.header("x-org-slug", slug);
        }
        if let Some(token) = message.bearer {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| Failure::new("the stored session can not be used: log in again"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if message.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(message.body.unwrap_or_default()));
        request.body(body).map_err(|_| Failure::new("what was named can not be sent to a server"))
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) request_id: Option<String>,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body of an answer that is one.
    pub(super) fn good(self) -> Result<Bytes, Failure> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(Failure::answered(self.status, &self.body, self.request_id.as_deref()))
    }
}

async fn exchange(
    io: impl Read + Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let broke = |error: hyper::Error| format!("the connection broke: {}", chain(&error));
    let (mut sender, connection) = http1::handshake(io).await.map_err(broke)?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broke)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST).collect().await;
    driver.abort();
    let body = body.map_err(|error| format!("the answer did not come whole: {error}"))?.to_bytes();
    let request_id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: head.status, request_id, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_url() {
        let peer = |url: &str| Peer::new(url, None).map(|it| (it.url, it.at.host, it.at.port, it.at.path));
        let whole = peer("HTTPS://Gateway.example.com:9443/admin/").unwrap();
        assert_eq!(whole.0, "https://gateway.example.com:9443/admin");
        assert_eq!((whole.1.as_str(), whole.2, whole.3.as_str()), ("gateway.example.com", 9443, "/admin"));
        assert_eq!(peer("http://[::1]:9000").unwrap().1, "::1");
        assert_eq!(peer("https://a").unwrap().2, 443);
        for bad in ["gateway:9000", "ftp://a", "https://", "https://u:p@a", "https://a/?b", "a b", ""] {
            assert!(peer(bad).is_err(), "{bad}");
        }
        let open = |url: &str| Peer::new(url, None).unwrap().is_open_to_listeners();
        assert!(open("http://10.0.0.1:9000") && !open("http://127.0.0.1:9000") && !open("https://10.0.0.1"));
    }
}
