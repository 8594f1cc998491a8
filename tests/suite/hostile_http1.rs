//! What hostile clients and sloppy upstreams do to HTTP/1.1 itself: ends that are not where they seem, connections that
//! are cut at any byte, and thousands of requests that are slightly wrong.

use crate::support::world::world;
use crate::support::{assert_ocore, assert_ocriva};
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_head_whose_framing_is_refused_is_answered_in_its_paths_envelope() {
    let w = world();
    for fields in
        ["Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: 1\r\nContent-Length: 2"]
    {
        for path in [TARGET, "/api/servers"] {
            let mut connection = w.gateway.connect();
            let behind = "GET /v1/smuggled HTTP/1.1\r\n\r\n";
            let head = format!("\r\n\r\nPOST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{behind}");
            connection.write(head.as_bytes());
            let reply = connection.reply("POST").expect("an answer");
            match path {
                TARGET => assert_ocriva(&reply, 400, None),
                _ => drop(assert_ocore(&reply, 400)),
            }
            assert!(connection.closes_within(SOON));
            assert_eq!(connection.leftover(), b"");
        }
    }
}
