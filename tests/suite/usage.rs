//! Usage counts are exact: `kill -9` at random moments under load, and not one use is lost or counted twice.

use crate::support::client::Connection;
use crate::support::fixture::{Fixture, random_hex};
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use std::net::SocketAddr;
use std::time::Duration;

const ROUNDS: usize = 52;
const KEYS: usize = 4;

/// What one client knows when its connection has ended.
struct Known {
    answered: u64,
    /// The request that was sent and never answered.
    in_flight: String,
}

/// Sends one request after the other until the gateway is gone: never two of a key at once.
fn client(address: SocketAddr, key: &str) -> Known {
    let mut connection = Connection::open(address);
    let mut answered = 0;
    loop {
        let request = get("/v1/openapi/templates").key(key);
        match connection.try_send(&request) {
            Ok(reply) => {
                assert_eq!(reply.status, 200, "{reply:?}");
                answered += 1;
            }
            Err(_) => return Known { answered, in_flight: request.tag },
        }
    }
}

fn random_moment() -> Duration {
    let random = u64::from_str_radix(&random_hex(4), 16).expect("hexadecimal");
    Duration::from_millis(20 + random % 280)
}

/// One life of the gateway: load, then an end without warning.
fn one_life(gateway: &mut Gateway, keys: &[String]) -> Vec<Known> {
    let address = gateway.address;
    std::thread::scope(|scope| {
        let clients: Vec<_> = keys.iter().map(|key| scope.spawn(move || client(address, key))).collect();
        std::thread::sleep(random_moment());
        gateway.kill9();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    })
}

#[test]
fn usage_is_exact_through_kill_9() {
    let upstream = Upstream::http();
    let mut org = organization();
    let keys: Vec<String> = (0..KEYS).map(|_| org.org_key()).collect();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    let mut stored = vec![0; KEYS];
    let (mut answered, mut certain) = (0, 0);
    for round in 0..ROUNDS {
        let known = one_life(&mut gateway, &keys);
        gateway.serve();
        for ((key, known), stored) in keys.iter().zip(known).zip(&mut stored) {
            let now = gateway.usage(key).0;
            let least = *stored + known.answered;
            if upstream.seen(&known.in_flight).is_empty() {
                assert!(now == least || now == least + 1, "round {round}: {now} stored, {least} answered");
            } else {
                certain += 1;
                assert_eq!(now, least + 1, "round {round}: the upstream saw the one in flight");
            }
            answered += known.answered;
            *stored = now;
        }
    }
    assert!(answered > ROUNDS as u64 * 10, "only {answered} requests: that was no load");
    assert!(certain > 0, "no request was ever in flight at the end: {ROUNDS} ends were not random enough");
}

#[test]
fn usage_is_exact_through_sigterm() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let mut gateway = Gateway::start(&settings, &Fixture::default().with(org));
    for round in 1..=3 {
        let mut connection = gateway.connect();
        for _ in 0..100 {
            assert_eq!(connection.send(&get("/v1/openapi/templates").key(&key)).status, 200);
        }
        drop(connection);
        assert!(gateway.stop().success());
        assert_eq!(gateway.usage(&key), (round * 100, true), "stored before the process ended");
        gateway.serve();
    }
}

#[test]
fn usage_is_written_while_the_gateway_runs() {
    let upstream = Upstream::http();
    let mut org = organization();
    let key = org.org_key();
    let gateway = Gateway::start(&Settings::usual(&upstream.url()), &Fixture::default().with(org));
    gateway.send(&get("/v1/openapi/templates").key(&key)).expect(200);
    wait::until("it is stored", || gateway.usage(&key) == (1, true));
}
