//! What a hostile client or tenant tries: each of these once got through.

use crate::support::backend::Backend;
use crate::support::client::Connection;
use crate::support::settings::Settings;
use crate::support::world::with_one_key;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";

#[test]
fn a_body_that_looks_like_an_answer_stays_a_body() {
    let backend = Backend::new();
    let (gateway, key) = with_one_key(&Settings::usual(&backend.url()));
    let mut client = Connection::open(gateway.address);
    client.write(format!("GET {TARGET} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234567890123456789");
    let mut reply = client.reply_head().expect("a head");
    // The rest is a piece of its own, as a later part of a large file is.
    std::thread::sleep(Duration::from_millis(200));
    peer.write(b"HTTP/1.1 400 0123456");
    client.reply_body("GET", &mut reply).expect("the body as it was sent");
    assert_eq!(reply.text(), "01234567890123456789HTTP/1.1 400 0123456");
}
