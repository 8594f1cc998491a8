//! A steady load of HTTP/1.1 and HTTP/2 clients, of which every request must be answered 200.

use super::client::Connection;
use super::{get, wait};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Clients that keep their connections as long as they are let.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    /// For each client, how many answers it has had.
    answers: Vec<Arc<AtomicU64>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts to ask for `target` with `key`: four clients with HTTP/1.1, two with HTTP/2.
    pub(crate) fn start(address: SocketAddr, target: &'static str, key: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (mut answers, mut clients) = (Vec::new(), Vec::new());
        for number in 0..6 {
            let count = Arc::new(AtomicU64::new(0));
            let client =
                Client { address, target, key: key.to_owned(), over: over.clone(), count: count.clone() };
            answers.push(count);
            clients.push(std::thread::spawn(move || match number {
                0..4 => client.http1(),
                _ => client.http2(),
            }));
        }
        Self { over, answers, clients }
    }

    /// Waits until each client has had twenty more answers.
    pub(crate) fn goes_on(&self) {
        let before: Vec<_> = self.answers.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        wait::until("every client has more answers", || {
            self.clients.iter().all(|client| !client.is_finished()).then_some(()).expect("a request failed");
            self.answers
                .iter()
                .zip(&before)
                .all(|(count, before)| count.load(Ordering::Relaxed) >= before + 20)
        });
    }

    /// How many answers there were so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answers.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Ends it; fails the test when a request has failed.
    pub(crate) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("every request was answered");
        }
    }
}

struct Client {
    address: SocketAddr,
    target: &'static str,
    key: String,
    over: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn http1(&self) {
        while self.goes_on() {
            let mut connection = Connection::open(self.address);
            while self.goes_on() {
                let reply = connection.send(&get(self.target).key(&self.key)).expect(200);
                self.count.fetch_add(1, Ordering::Relaxed);
                if reply.header("connection") == Some("close") {
                    break;
                }
            }
        }
    }

    fn http2(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            while self.goes_on() {
                let socket = tokio::net::TcpStream::connect(self.address).await.expect("connect");
                let (mut sender, connection) =
                    handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
                tokio::spawn(connection);
                // Not ready: the gateway has said that it takes no more on this connection.
                while self.goes_on() && sender.ready().await.is_ok() {
                    if !self.ask(&mut sender).await {
                        break;
                    }
                }
            }
        });
    }

    /// False when the connection takes no more, in which case the request was not sent.
    async fn ask(&self, sender: &mut SendRequest<Empty<Bytes>>) -> bool {
        let request = http::Request::get(format!("http://{}{}", self.address, self.target))
            .header("x-api-key", &self.key)
            .body(Empty::new())
            .expect("a request");
        let answer = match sender.try_send_request(request).await {
            Ok(answer) => answer,
            Err(unsent) if unsent.message().is_some() => return false,
            Err(failed) => panic!("a request failed: {}", failed.error()),
        };
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.expect("a whole answer");
        self.count.fetch_add(1, Ordering::Relaxed);
        true
    }
}
