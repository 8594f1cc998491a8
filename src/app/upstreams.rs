//! What is done about upstreams beside the request path: their gauges, their checks, their names.

use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::metrics::{Gauge, Metrics};
use crate::upstream::{Services, TlsError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The upstreams of the configuration in force, with what runs for them.
#[derive(Debug)]
pub(super) struct Upstreams {
    services: Mutex<Services>,
    /// Those of the last scrape: a series ends when nobody holds its gauge.
    gauges: Mutex<Vec<Arc<Gauge>>>,
}

impl Upstreams {
    /// Begins with a configuration.
    pub(super) fn start(config: &Config, metrics: &Metrics) -> Result<Arc<Self>, TlsError> {
        let services = Services::new(&config.upstreams, &[], metrics)?;
        Ok(Arc::new(Self { services: Mutex::new(services), gauges: Mutex::default() }))
    }

    /// The upstreams in force.
    pub(super) fn services(&self) -> Services {
        lock(&self.services).clone()
    }

    /// The upstreams of another configuration, which takes over what is unchanged. Nothing is begun yet.
    pub(super) fn next(&self, config: &Config, metrics: &Metrics) -> Result<Services, TlsError> {
        Services::new(&config.upstreams, &self.services(), metrics)
    }

    /// Puts other upstreams in force.
    pub(super) fn replace(&self, services: Services) {
        *lock(&self.services) = services;
    }

    /// Sets the gauges, for a scrape.
    pub(super) fn publish(&self, clock: &Clock, metrics: &Metrics) {
        let now_ns = clock.now().mono_ns;
        let mut gauges = Vec::new();
        let mut set = |gauge: Arc<Gauge>, value: f64| {
            gauge.set(value);
            gauges.push(gauge);
        };
        for service in self.services().iter() {
            for report in service.report(now_ns) {
                let endpoint = report.target.url();
                let takes = f64::from(u8::from(report.takes_requests));
                set(metrics.upstream_healthy(&service.name, &endpoint), takes);
                set(metrics.upstream_addresses(&service.name, &endpoint), report.addresses as f64);
            }
            if let Some((queued, under_way)) = service.load() {
                set(metrics.upstream_queue(&service.name), queued as f64);
                set(metrics.upstream_under_way(&service.name), under_way as f64);
            }
        }
        *lock(&self.gauges) = gauges;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
