//! HTTP/2 to upstreams: streams that run out, peers that refuse a stream or go away.

use crate::support::gateway::Gateway;
use crate::support::pair::{TARGET, settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{get, post};
use bytes::Bytes;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn in_front_of(url: &str) -> (Gateway, String) {
    with_one_key(&settings(&[url], json!({})))
}

#[test]
fn where_streams_run_out_there_is_another_connection() {
    let backend = Upstream::h2c_narrow(1);
    let (gateway, key) = in_front_of(&backend.url());
    // The peer's settings are known from then on.
    gateway.send(&get(TARGET).key(&key)).expect(200);
    backend.answers(Answer { delay: Duration::from_millis(500), ..Answer::default() });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| gateway.send(&get(TARGET).key(&key)).expect(200));
        }
    });
    let connections = backend.connections();
    assert!((2..=4).contains(&connections), "{connections} connections for four requests at once");
}

#[test]
fn many_requests_share_one_connection() {
    let backend = Upstream::h2c();
    backend.answers(Answer { delay: Duration::from_millis(200), ..Answer::default() });
    let (gateway, key) = in_front_of(&backend.url());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| gateway.send(&get(TARGET).key(&key)).expect(200));
        }
    });
    assert_eq!((backend.count(), backend.connections()), (8, 1));
}

/// A peer whose `serve` handles each connection; gives its URL and how many there were.
fn peer<F>(
    serve: fn(h2::server::Connection<tokio::net::TcpStream, Bytes>, usize) -> F,
) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(connection) = h2::server::handshake(socket).await {
                        serve(connection, number).await;
                    }
                });
            }
        });
    });
    (format!("h2c://{address}"), count)
}

fn well() -> http::Response<()> {
    http::Response::new(())
}

#[test]
fn a_stream_that_was_refused_is_sent_again() {
    async fn refuse_every_other(
        mut connection: h2::server::Connection<tokio::net::TcpStream, Bytes>,
        _: usize,
    ) {
        let mut served = 0;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            served += 1;
            if served % 2 == 1 {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            } else {
                let _ = respond.send_response(well(), true);
            }
        }
    }
    let (url, _) = peer(refuse_every_other);
    let (gateway, key) = in_front_of(&url);
    gateway.send(&get(TARGET).key(&key)).expect(200);
    gateway.send(&post(TARGET).key(&key)).expect(200);
}

#[test]
fn a_peer_that_goes_away_is_not_noticed() {
    async fn one_each(mut connection: h2::server::Connection<tokio::net::TcpStream, Bytes>, _: usize) {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let _ = respond.send_response(well(), true);
            connection.graceful_shutdown();
        }
    }
    let (url, connections) = peer(one_each);
    let (gateway, key) = in_front_of(&url);
    for _ in 0..10 {
        gateway.send(&post(TARGET).key(&key)).expect(200);
    }
    assert!(connections.load(Ordering::SeqCst) > 1);
}
