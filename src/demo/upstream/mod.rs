//! The sample backend behind the demo's gateway: a "processing service" with made-up, unchanging data.
//!
//! It trusts the gateway completely, as a backend behind Portcullis may: who calls is what the identity headers say.

mod events;
mod form;
mod respond;
mod sample;
mod socket;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The running sample backend; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Starts it on a thread of its own and a free loopback port.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("demo-upstream".into())
            .spawn(move || runtime.block_on(serve(listener, stopped)))?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Dropping the sender is the signal; the thread's runtime then drops its connections.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, mut stopped: oneshot::Receiver<Infallible>) {
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                // An error here is about one connection, or about open files: either way the next may do better.
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(connection(stream));
                }
            }
        }
    }
}

async fn connection(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: http::Request<Incoming>| async {
        Ok::<_, Infallible>(respond::to(request).await)
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn exchange(upstream: &Upstream, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(upstream.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(upstream: &Upstream, target: &str, header: &str) -> String {
        exchange(upstream, &format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n"))
    }

    #[test]
    fn a_project_has_its_own_data_and_pages() {
        let upstream = Upstream::start().unwrap();
        let first = get(&upstream, "/v1/openapi/processing-history?projectId=a&limit=2", "");
        assert!(first.contains(r#""pagination":{"page":1,"limit":2,"total":23,"pages":12}"#), "{first}");
        let other = get(&upstream, "/v1/openapi/processing-history?limit=2", "X-Gateway-Project-Id: b\r\n");
        assert!(other.contains(r#""projectId":"b""#), "{other}");
        let again = get(&upstream, "/v1/openapi/processing-history?projectId=a&limit=2", "");
        let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        assert_eq!(body(&first), body(&again));
    }

    #[test]
    fn an_upload_tells_what_it_got() {
        let upstream = Upstream::start().unwrap();
        let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"hello.txt\"\r\n\r\nhello\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"projectId\"\r\n\r\na\r\n--b--\r\n";
        let answer = exchange(
            &upstream,
            &format!(
                "POST /v1/openapi/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
                 Content-Type: multipart/form-data; boundary=b\r\n\r\n{body}",
                body.len()
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert!(
            answer.contains(r#""fileName":"hello.txt""#) && answer.contains(r#""fileSize":5"#),
            "{answer}"
        );
    }

    #[test]
    fn whoami_shows_what_the_gateway_sent() {
        let upstream = Upstream::start().unwrap();
        let answer = get(&upstream, "/api/whoami", "X-Gateway-Token-Id: t1\r\n");
        assert!(answer.contains(r#""x-gateway-token-id":"t1""#), "{answer}");
        assert!(get(&upstream, "/nowhere", "").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn events_come_one_by_one_and_end() {
        let upstream = Upstream::start().unwrap();
        let answer = get(&upstream, "/v1/openapi/events?count=1", "");
        assert!(answer.contains("text/event-stream") && answer.contains("id: 1\n"), "{answer}");
    }
}
