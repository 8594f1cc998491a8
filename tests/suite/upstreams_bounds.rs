//! How many requests a service gets at once: the rest waits for a while, or is refused at once.

use crate::support::pair::{TARGET, settings};
use crate::support::upstream::{Answer, Upstream};
use crate::support::world::with_one_key;
use crate::support::{Reply, assert_ocriva, gateway::Gateway, get, wait};
use serde_json::{Value, json};
use std::time::Duration;

struct Scene {
    gateway: Gateway,
    key: String,
    backend: Upstream,
}

impl Scene {
    fn start(limits: Value, workers: usize) -> Self {
        let backend = Upstream::http();
        let settings = settings(&[&backend.url()], json!({ "limits": limits }));
        let settings = settings.with(|value| value["workers"] = json!(workers));
        let (gateway, key) = with_one_key(&settings);
        Self { gateway, key, backend }
    }

    fn takes(&self, delay: Duration) {
        self.backend.answers(Answer { delay, ..Answer::default() });
    }

    fn send(&self) -> Reply {
        self.gateway.send(&get(TARGET).key(&self.key))
    }

    fn refused(&self, reason: &str) -> f64 {
        let labels = [("upstream", "main"), ("reason", reason)];
        self.gateway.metric("portcullis_upstream_refused_total", &labels)
    }

    /// Sends one request more while one is under way.
    fn beside_one(&self) -> Reply {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| self.send());
            wait::until("the first has arrived", || self.backend.count() > 0);
            let second = self.send();
            assert_eq!(first.join().expect("the first").status, 200);
            second
        })
    }
}

#[test]
fn who_is_one_too_many_is_refused_at_once() {
    let scene = Scene::start(json!({ "max_requests": 1 }), 1);
    scene.takes(Duration::from_millis(1500));
    let reply = scene.beside_one();
    assert_ocriva(&reply, 503, None);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!((scene.backend.count(), scene.refused("full")), (1, 1.0));
    wait::until("the log says why", || {
        std::fs::read_to_string(scene.gateway.path("access.log"))
            .is_ok_and(|log| log.contains("upstream_full"))
    });
    scene.takes(Duration::ZERO);
    assert_eq!(scene.send().status, 200, "the place is free again");
}

#[test]
fn who_may_wait_is_served_when_a_place_is_free_whatever_the_worker() {
    let limits = json!({ "max_requests": 1, "max_queued": 20, "queue_timeout": "10s" });
    let scene = Scene::start(limits, 2);
    scene.takes(Duration::from_millis(20));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..4).for_each(|_| assert_eq!(scene.send().status, 200)));
        }
    });
    assert_eq!((scene.backend.count(), scene.refused("full")), (32, 0.0));
    assert_eq!(scene.gateway.metric("portcullis_upstream_requests_under_way", &[("upstream", "main")]), 0.0);
    assert!(scene.backend.connections() <= 2, "one request at a time needs one connection of each worker");
}

#[test]
fn nobody_waits_for_ever() {
    let limits = json!({ "max_requests": 1, "max_queued": 1, "queue_timeout": "200ms" });
    let scene = Scene::start(limits, 1);
    scene.takes(Duration::from_secs(2));
    assert_ocriva(&scene.beside_one(), 503, None);
    assert_eq!(scene.refused("queue_timeout"), 1.0);
}
