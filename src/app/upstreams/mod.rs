//! What is done about upstreams beside the request path: their gauges, their checks, their names.

mod health;
mod names;

use crate::clock::Clock;
use crate::config::{Config, Dns};
use crate::telemetry::metrics::{Gauge, Metrics};
use crate::upstream::{Pools, Service, Services, TlsError, tls};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The upstreams of the configuration in force, with what runs for them.
#[derive(Debug)]
pub(super) struct Upstreams {
    services: Mutex<Services>,
    /// Those of the last scrape: a series ends when nobody holds its gauge.
    gauges: Mutex<Vec<Arc<Gauge>>>,
    metrics: Arc<Metrics>,
    /// What runs for each service, by its id.
    running: Mutex<HashMap<u64, Running>>,
    tls: tls::Client,
    dns: Mutex<Dns>,
}

/// Tasks that end with the value.
#[derive(Debug)]
struct Running(Vec<JoinHandle<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Upstreams {
    /// Begins with a configuration. What has to be done beside the request path is done on the present runtime.
    pub(super) fn start(config: &Config, metrics: &Arc<Metrics>) -> Result<Arc<Self>, TlsError> {
        let services = Services::new(&config.upstreams, &[], metrics)?;
        let upstreams = Self {
            services: Mutex::default(),
            gauges: Mutex::default(),
            metrics: metrics.clone(),
            running: Mutex::default(),
            tls: Pools::tls_client(),
            dns: Mutex::new(config.dns.clone()),
        };
        upstreams.replace(services, &config.dns);
        Ok(Arc::new(upstreams))
    }

    /// The client side of TLS, where an upstream has none of its own.
    pub(super) fn tls(&self) -> tls::Client {
        self.tls.clone()
    }

    /// The upstreams in force.
    pub(super) fn services(&self) -> Services {
        lock(&self.services).clone()
    }

    /// The upstreams of another configuration, which takes over what is unchanged. Nothing is begun yet.
    pub(super) fn next(&self, config: &Config) -> Result<Services, TlsError> {
        Services::new(&config.upstreams, &self.services(), &self.metrics)
    }

    /// Puts other upstreams in force. What runs for those that are unchanged runs on.
    pub(super) fn replace(&self, services: Services, dns: &Dns) {
        let mut running = lock(&self.running);
        if std::mem::replace(&mut *lock(&self.dns), dns.clone()) != *dns {
            running.clear();
        }
        running.retain(|id, _| services.iter().any(|service| service.id() == *id));
        for service in services.iter() {
            running.entry(service.id()).or_insert_with(|| self.run(service, dns));
        }
        *lock(&self.services) = services;
    }

    fn run(&self, service: &Arc<Service>, dns: &Dns) -> Running {
        let mut tasks = Vec::new();
        for target in service.targets().iter().filter(|target| target.endpoint().address().is_none()) {
            let follow = names::follow(service.clone(), target.clone(), dns.clone());
            tasks.push(Handle::current().spawn(follow));
        }
        if service.health().is_some() {
            let checks = health::run(service.clone(), self.metrics.clone(), self.tls());
            tasks.push(Handle::current().spawn(checks));
        } else {
            service.forget_checks();
        }
        Running(tasks)
    }

    /// Sets the gauges, for a scrape.
    pub(super) fn publish(&self, clock: &Clock) {
        let metrics = &self.metrics;
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
