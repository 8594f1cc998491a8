//! A gRPC backend over HTTP/2 without TLS that sends back each message as it comes, and ends with a status in trailers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A running backend.
pub(crate) struct Grpc {
    address: SocketAddr,
    calls: Arc<Calls>,
}

/// What it has been asked.
#[derive(Default)]
struct Calls {
    heads: Mutex<Vec<HeaderMap>>,
    under_way: AtomicUsize,
}

impl Grpc {
    pub(crate) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let (address, calls) = (listener.local_addr().expect("an address"), Arc::default());
        let for_thread = Arc::clone(&calls);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(connection(socket, Arc::clone(&for_thread)));
                }
            });
        });
        Self { address, calls }
    }

    /// Its URL, for `endpoints`.
    pub(crate) fn url(&self) -> String {
        format!("h2c://{}", self.address)
    }

    /// The fields of the newest call.
    pub(crate) fn head(&self) -> HeaderMap {
        self.calls.heads.lock().expect("heads").last().cloned().expect("a call")
    }

    /// Calls that have not ended, neither well nor by a reset.
    pub(crate) fn under_way(&self) -> usize {
        self.calls.under_way.load(Ordering::SeqCst)
    }
}

async fn connection(socket: tokio::net::TcpStream, calls: Arc<Calls>) {
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        calls.heads.lock().expect("heads").push(request.headers().clone());
        calls.under_way.fetch_add(1, Ordering::SeqCst);
        let calls = Arc::clone(&calls);
        tokio::spawn(async move {
            // A call that is reset is what some tests are about.
            let _ = call(request, respond).await;
            calls.under_way.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn call(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("5"));
    trailers.insert("grpc-message", HeaderValue::from_static("nothing here"));
    if request.uri().path().ends_with("Missing") {
        response.headers_mut().extend(trailers);
        return respond.send_response(response, true).map(|_| ());
    }
    let (mut body, mut back) = (request.into_body(), respond.send_response(response, false)?);
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        back.send_data(data, false)?;
    }
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    back.send_trailers(trailers)
}
