//! The ceiling of memory: over it nobody new is let in; below it all is as before.

use crate::support::client::Connection;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{get, wait};
use serde_json::json;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";

#[test]
fn over_the_ceiling_nobody_new_is_let_in_and_below_it_all_is_as_before() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let low = settings.clone().with(|value| value["limits"]["memory"] = json!("32MiB"));
    let (gateway, key) = with_one_key(&settings);
    let refused = || gateway.metric("portcullis_connections_refused_total", &[("reason", "memory")]);
    let served = || {
        Connection::open(gateway.address)
            .try_send(&get(TARGET).key(&key))
            .is_ok_and(|reply| reply.status == 200)
    };
    assert!(
        gateway.metric("process_resident_memory_bytes", &[]) > f64::from(32 << 20),
        "the test needs a lower ceiling"
    );
    let mut kept = gateway.connect();
    assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
    gateway.configure(&low);
    wait::until("a connection is refused", || !served() && refused() > 0.0);
    // Who waits for nothing is sent away.
    assert!(kept.closes_within(Duration::from_secs(30)));
    gateway.configure(&settings);
    wait::until("connections are taken again", served);
}
