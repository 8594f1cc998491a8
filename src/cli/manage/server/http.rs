//! One request to the admin listener of a gateway, on a connection of its own.

use super::super::failure::Failure;
use crate::telemetry::log::chain;
use crate::upstream::tls;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::IpAddr;
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
    host: String,
    port: u16,
    authority: String,
    /// What stands before every path, where the listener is behind a proxy.
    prefix: String,
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
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| bad())?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(bad)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let trusted = match ca {
            Some(file) if encrypted => {
                let read = std::fs::read(file).and_then(|pem| tls::Client::trusting(&pem));
                read.map_err(|error| {
                    Failure::new(format!("the certificates of {} can not be used: {error}", file.display()))
                })?
            }
            _ => tls::Client::http1(),
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let scheme = if encrypted { "https" } else { "http" };
        Ok(Self {
            url: format!("{scheme}://{}{prefix}", authority.as_str().to_ascii_lowercase()),
            port: authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            host,
            prefix,
            tls: encrypted.then_some(trusted),
        })
    }

    /// Whether what is sent can be read by somebody on the way.
    pub(super) fn is_open_to_listeners(&self) -> bool {
        let here = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        self.tls.is_none() && !here
    }

    /// Sends a request and reads the whole answer: its status, its body, and the id that the server gave it.
    pub(super) async fn send(&self, message: Message<'_>) -> Result<Answer, Failure> {
        let request = self.request(message)?;
        let unreachable = |error: io::Error| {
            Failure::new(format!("{} can not be reached: {error}; is the gateway running?", self.url))
        };
        let connecting = timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port)));
        let tcp = connecting.await.map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?;
        let tcp = tcp.map_err(unreachable)?;
        let exchange = async {
            let Some(client) = &self.tls else { return exchange(TokioIo::new(tcp), request).await };
            let (tls, _) = client.handshake(&self.host, tcp).await.map_err(|error| {
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
            .uri(format!("{}{}", self.prefix, message.target))
            .header(HOST, &self.authority)
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
        let peer = |url: &str| Peer::new(url, None).map(|it| (it.url.clone(), it.host, it.port, it.prefix));
        let whole = peer("HTTPS://Gateway.example.com:9443/admin/").unwrap();
        assert_eq!(whole.0, "https://gateway.example.com:9443/admin");
        assert_eq!((whole.1.as_str(), whole.2, whole.3.as_str()), ("gateway.example.com", 9443, "/admin"));
        assert_eq!(peer("http://[::1]:9000").unwrap().1, "::1");
        assert_eq!(peer("https://a").unwrap().2, 443);
        for bad in ["gateway:9000", "ftp://a", "https://", "https://u:p@a", "a b", ""] {
            assert!(peer(bad).is_err(), "{bad}");
        }
        let open = |url: &str| Peer::new(url, None).unwrap().is_open_to_listeners();
        assert!(open("http://10.0.0.1:9000") && !open("http://127.0.0.1:9000") && !open("https://10.0.0.1"));
    }
}
