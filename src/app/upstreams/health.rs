//! Active checks: each place of an upstream is asked now and then, by a task of its own.

use crate::telemetry::log::chain;
use crate::telemetry::metrics::{Counter, Metrics};
use crate::upstream::{Place, Service, Streak, tls};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Checks the places of a service, whichever they are at the moment, until it is dropped.
pub(super) async fn run(service: Arc<Service>, metrics: Arc<Metrics>, usual: tls::Client) {
    let mut places = service.watch();
    let mut all = JoinSet::new();
    let mut running: HashMap<u64, AbortHandle> = HashMap::new();
    loop {
        let now = places.borrow_and_update().clone();
        running.retain(|id, task| {
            let stays = now.iter().any(|place| place.id() == *id);
            if !stays {
                task.abort();
            }
            stays
        });
        for place in now.iter() {
            running.entry(place.id()).or_insert_with(|| {
                all.spawn(checks(service.clone(), place.clone(), metrics.clone(), usual.clone()))
            });
        }
        if places.changed().await.is_err() {
            return;
        }
        while all.try_join_next().is_some() {}
    }
}

/// Checks one place for ever.
async fn checks(service: Arc<Service>, place: Arc<Place>, metrics: Arc<Metrics>, usual: tls::Client) {
    let Some(health) = service.health() else { return };
    let endpoint = place.target().url();
    let count = |result| -> Arc<Counter> { metrics.upstream_health_checks(&service.name, &endpoint, result) };
    let (good, bad) = (count("success"), count("failure"));
    let mut streak = Streak::default();
    loop {
        let outcome = service.check(&place, health, &usual).await;
        if outcome.is_ok() { &good } else { &bad }.increment();
        let changed = service.checked(&place, health, &mut streak, outcome.is_ok());
        let (upstream, endpoint) = (&service.name, place.name());
        match outcome {
            Ok(()) if changed => tracing::info!(%upstream, %endpoint, "an endpoint is healthy again"),
            Err(error) if changed => {
                tracing::warn!(%upstream, %endpoint, cause = %chain(&error), "an endpoint is unhealthy");
            }
            Ok(()) => {}
            Err(error) => tracing::debug!(%upstream, %endpoint, cause = %chain(&error), "a check failed"),
        }
        tokio::time::sleep(varied(health.interval)).await;
    }
}

/// From nine to eleven tenths of a time, so that checks of many endpoints, or by many gateways, spread.
pub(super) fn varied(time: Duration) -> Duration {
    let share = f64::from((RandomState::new().hash_one(0) >> 32) as u32) / f64::from(u32::MAX);
    time.mul_f64(0.9 + share / 5.0)
}
