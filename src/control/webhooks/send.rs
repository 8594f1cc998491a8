//! Sends one event to one URL, and reads no more of the answer than its head.

use super::guard::Guard;
use crate::config::HttpUrl;
use crate::control::post;
use crate::upstream::tls;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpStream;

/// How many addresses of a name are tried.
const ADDRESSES: usize = 3;

/// Why an event was not acknowledged. Says nothing of what a name resolves to: whoever reads the delivery log must not
/// learn the layout of the gateway's network from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The URL or the secret.
    #[error("the URL or the secret can not be used")]
    Unusable,
    /// No address.
    #[error("the host name does not resolve")]
    NoAddress,
    /// Addresses, and none that may be sent to.
    #[error("events may not be sent to the address of this host")]
    Forbidden,
    /// No connection.
    #[error("no connection could be made")]
    Connect,
    /// TLS.
    #[error("the TLS handshake failed")]
    Tls,
    /// No answer.
    #[error("the connection broke before an answer came")]
    Broke,
    /// It took too long.
    #[error("no answer came in time")]
    TimedOut,
    /// Another place, which is not gone to: it was not looked at by anybody.
    #[error("answered with a redirect, which is not followed")]
    Redirect(u16),
    /// An answer that acknowledges nothing.
    #[error("answered with {0}")]
    Status(u16),
}

/// A request to be sent.
#[derive(Debug)]
pub(super) struct Message<'m> {
    pub(super) target: &'m HttpUrl,
    pub(super) id: &'m str,
    pub(super) timestamp_s: u64,
    pub(super) signature: &'m str,
    pub(super) body: Bytes,
}

/// A look-up of names, boxed so that there can be another one in tests.
pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// What names are looked up by.
pub trait Resolve: Send + Sync + fmt::Debug {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolved<'a>;
}

/// The system's resolver.
#[derive(Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolved<'a> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}

/// Sends events.
#[derive(Debug)]
pub(super) struct Sender {
    resolver: Box<dyn Resolve>,
    tls: tls::Client,
}

impl Sender {
    pub(super) fn new(resolver: Box<dyn Resolve>) -> Self {
        Self { resolver, tls: tls::Client::http1() }
    }

    /// Sends a message within `limit`; the status that acknowledges it.
    ///
    /// # Errors
    /// [`SendError`]
    pub(super) async fn send(
        &self,
        guard: &Guard,
        limit: Duration,
        message: &Message<'_>,
    ) -> Result<u16, SendError> {
        let status = tokio::time::timeout(limit, self.status(guard, message)).await;
        let status = status.map_err(|_| SendError::TimedOut)??;
        match status.as_u16() {
            code if status.is_success() => Ok(code),
            code if status.is_redirection() => Err(SendError::Redirect(code)),
            code => Err(SendError::Status(code)),
        }
    }

    async fn status(&self, guard: &Guard, message: &Message<'_>) -> Result<StatusCode, SendError> {
        let target = message.target;
        let tcp = connect(&self.admitted(guard, target).await?).await?;
        if !target.secure {
            return exchange(TokioIo::new(tcp), message).await;
        }
        let (tls, _) = self.tls.handshake(&target.host, tcp).await.map_err(|_| SendError::Tls)?;
        exchange(TokioIo::new(tls), message).await
    }

    /// The addresses to connect to. Nothing is resolved after this.
    async fn admitted(&self, guard: &Guard, target: &HttpUrl) -> Result<Vec<SocketAddr>, SendError> {
        let found = match target.address() {
            Some(address) => vec![address],
            None => self.resolver.resolve(&target.host).await.map_err(|_| SendError::NoAddress)?,
        };
        if found.is_empty() {
            return Err(SendError::NoAddress);
        }
        let may = |address: &IpAddr| guard.admits(*address, target.secure);
        let admitted: Vec<SocketAddr> = found
            .into_iter()
            .filter(may)
            .take(ADDRESSES)
            .map(|address| SocketAddr::new(address.to_canonical(), target.port))
            .collect();
        if admitted.is_empty() { Err(SendError::Forbidden) } else { Ok(admitted) }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, SendError> {
    for address in addresses {
        if let Ok(tcp) = TcpStream::connect(address).await {
            return Ok(tcp);
        }
    }
    Err(SendError::Connect)
}

async fn exchange(
    io: impl Read + Write + Unpin + Send + 'static,
    message: &Message<'_>,
) -> Result<StatusCode, SendError> {
    let request = Request::post(&message.target.path)
        .header(HOST, &message.target.authority)
        .header(USER_AGENT, concat!("Portcullis/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", message.id)
        .header("webhook-timestamp", message.timestamp_s)
        .header("webhook-signature", message.signature)
        .body(Full::new(message.body.clone()))
        .map_err(|_| SendError::Unusable)?;
    let answered = post::exchange(io, request).await.map_err(|_| SendError::Broke)?;
    Ok(answered.response.status())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers with these addresses, whatever is asked.
    #[derive(Debug)]
    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve<'a>(&'a self, _: &'a str) -> Resolved<'a> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    fn fixed(addresses: &[&str]) -> Sender {
        Sender::new(Box::new(Fixed(addresses.iter().map(|text| text.parse().unwrap()).collect())))
    }

    async fn sent(sender: &Sender, guard: &Guard, url: &str) -> Result<u16, SendError> {
        let target = HttpUrl::parse(url).unwrap();
        let message =
            Message { target: &target, id: "e", timestamp_s: 1, signature: "v1,x", body: Bytes::from("{}") };
        sender.send(guard, Duration::from_secs(5), &message).await
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("https://public.example.com:{port}/");
        for inside in ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00:ec2::254"]
        {
            let outcome = sent(&fixed(&[inside]), &Guard::default(), &url).await;
            assert_eq!(outcome, Err(SendError::Forbidden), "{inside}");
        }
        assert_eq!(sent(&fixed(&[]), &Guard::default(), &url).await, Err(SendError::NoAddress));
        let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn the_address_that_was_judged_is_the_one_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = tokio::spawn(async move { listener.accept().await.map(drop) });
        let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()]);
        // The first may not be sent to, and is passed over; the second may.
        let sender = fixed(&["127.0.0.9", "127.0.0.1"]);
        let outcome = sent(&sender, &guard, &format!("http://name.test:{port}/")).await;
        assert_eq!(outcome, Err(SendError::Broke));
        accepting.await.unwrap().unwrap();
    }
}
