//! Names of endpoints: resolved beside the request path, again as they say, all addresses in use.

use crate::support::dns::{NameServer, Says};
use crate::support::gateway::Gateway;
use crate::support::pair::{TARGET, settings};
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{get, wait};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

const A: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

struct Scene {
    gateway: Gateway,
    key: String,
    a: Upstream,
    b: Upstream,
    names: NameServer,
}

impl Scene {
    /// Two backends on one port of two addresses, and a name for them.
    fn start(says: Says) -> Self {
        let a = Upstream::http();
        let port = a.address().port();
        let b = Upstream::http_at(SocketAddr::from((B, port)));
        let names = NameServer::start(says);
        let endpoint = format!("http://backend.test:{port}");
        let settings = settings(&[&endpoint], json!({}));
        let settings =
            settings.with(|value| value["dns"] = json!({ "servers": [names.address.to_string()] }));
        let (gateway, key) = with_one_key(&settings);
        Self { gateway, key, a, b, names }
    }

    fn send(&self) -> u16 {
        self.gateway.send(&get(TARGET).key(&self.key)).status
    }
}

#[test]
fn a_name_that_moves_is_followed() {
    let scene = Scene::start(Says::Addresses(vec![A], 1));
    assert_eq!((scene.send(), scene.a.count()), (200, 1), "the first request waits for the first answer");
    assert_eq!(scene.a.all()[0].header("host"), Some(&*format!("backend.test:{}", scene.a.address().port())));
    scene.names.says(Says::Addresses(vec![B], 1));
    wait::until("requests go to the new address", || scene.send() == 200 && scene.b.count() > 0);
    let before = scene.a.count();
    (0..5).for_each(|_| assert_eq!(scene.send(), 200));
    assert_eq!(scene.a.count(), before);
}

#[test]
fn all_addresses_are_used_and_one_that_is_down_is_not_noticed() {
    let nobody = Ipv4Addr::new(127, 0, 0, 3);
    let scene = Scene::start(Says::Addresses(vec![A, nobody, B], 600));
    for _ in 0..40 {
        assert_eq!(scene.send(), 200);
    }
    assert!(scene.a.count() > 0 && scene.b.count() > 0 && scene.a.count() + scene.b.count() == 40);
    let labels =
        [("upstream", "main"), ("endpoint", &*format!("http://backend.test:{}", scene.a.address().port()))];
    assert_eq!(scene.gateway.metric("portcullis_upstream_addresses", &labels), 3.0);
}

#[test]
fn a_name_server_that_fails_takes_nothing_away() {
    let scene = Scene::start(Says::Addresses(vec![A], 1));
    assert_eq!(scene.send(), 200);
    scene.names.says(Says::Failure);
    wait::until("it is noticed", || scene.gateway.stderr().contains("a name does not resolve"));
    assert_eq!(scene.send(), 200);
    let asked = scene.names.asked();
    wait::until("it is asked again", || scene.names.asked() > asked);
    assert_eq!(scene.send(), 200);
}

#[test]
fn a_name_that_never_resolved_is_answered_502_until_it_does() {
    let scene = Scene::start(Says::Failure);
    wait::until("it is noticed", || scene.gateway.stderr().contains("a name does not resolve"));
    assert_eq!(scene.send(), 502);
    scene.names.says(Says::Addresses(vec![B], 600));
    wait::until("it resolves", || scene.send() == 200);
}
