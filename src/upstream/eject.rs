//! Passive ejection: what requests show of a place.

use super::lane::Lane;
use super::place::{Place, nanos};
use super::{Sent, Service, UpstreamError};
use crate::config::Eject;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a place that does not take connections is left alone where there are others.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest ejection, as a multiple of `for`.
const LONGEST: u32 = 10;

/// What a request shows of the place that it went to.
enum Shown {
    Well,
    Failed(&'static str),
    Unreachable,
    Nothing,
}

impl Service {
    /// Takes note of what came of a request.
    pub(super) fn judge(&self, lane: &Lane, sent: &Sent, now_ns: u64) {
        if !self.several && self.eject.is_none() {
            return;
        }
        let standing = &lane.place.standing;
        match shown(sent) {
            Shown::Well => {
                // Read only, as long as all is well.
                if standing.failures.load(Ordering::Relaxed) != 0 {
                    standing.failures.store(0, Ordering::Relaxed);
                }
                if standing.ejections.load(Ordering::Relaxed) != 0 {
                    self.recovered(&lane.place, now_ns);
                }
            }
            Shown::Failed(why) => self.failed(&lane.place, why, now_ns),
            Shown::Unreachable => {
                if self.several {
                    standing.pause(now_ns, PAUSE);
                    self.troubled(now_ns.saturating_add(nanos(PAUSE)));
                }
                self.failed(&lane.place, "it takes no connections", now_ns);
            }
            Shown::Nothing => {}
        }
    }

    fn recovered(&self, place: &Place, now_ns: u64) {
        let standing = &place.standing;
        if !standing.is_out(now_ns) && standing.announced.swap(false, Ordering::Relaxed) {
            tracing::info!(upstream = %self.name, endpoint = %place.name(), "an endpoint that was left alone answers again");
        }
        if now_ns >= standing.ramp_until_ns.load(Ordering::Relaxed) {
            standing.ejections.store(0, Ordering::Relaxed);
        }
    }

    fn failed(&self, place: &Place, why: &str, now_ns: u64) {
        let Some(eject) = &self.eject else { return };
        let standing = &place.standing;
        let failures = standing.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let returning = now_ns < standing.ramp_until_ns.load(Ordering::Relaxed);
        if failures >= eject.consecutive_failures || returning {
            self.eject(place, eject, why, now_ns);
        }
    }

    /// Leaves a place alone, unless too many are already.
    fn eject(&self, place: &Place, eject: &Eject, why: &str, now_ns: u64) {
        // Two workers must not each eject another one of the last two.
        let _one = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = &place.standing;
        let ejected = |p: &Place| p.standing.announced.load(Ordering::Relaxed) && p.standing.is_out(now_ns);
        if ejected(place) {
            return;
        }
        let places = self.places.borrow().clone();
        let out = places.iter().filter(|place| ejected(place)).count();
        let most = (places.len() * usize::from(eject.max_ejected_percent) / 100).max(1);
        if out >= most || out + 1 >= places.len() {
            return;
        }
        let times = (standing.ejections.load(Ordering::Relaxed) + 1).min(LONGEST);
        let period = eject.period * times;
        standing.eject(now_ns, period);
        self.troubled(standing.ramp_until_ns.load(Ordering::Relaxed));
        self.counts.ejections.increment();
        tracing::warn!(
            upstream = %self.name,
            endpoint = %place.name(),
            why,
            seconds = period.as_secs_f64(),
            "an endpoint is left alone"
        );
    }

    /// Some place is not as the others until then.
    pub(super) fn troubled(&self, until_ns: u64) {
        self.troubled_until_ns.fetch_max(until_ns, Ordering::Relaxed);
    }
}

fn shown(sent: &Sent) -> Shown {
    match sent {
        Ok(response) => match response.status().as_u16() {
            502 => Shown::Failed("it answers 502"),
            503 => Shown::Failed("it answers 503"),
            504 => Shown::Failed("it answers 504"),
            _ => Shown::Well,
        },
        Err(undelivered) if !undelivered.fault_of_client => match &undelivered.error {
            UpstreamError::Connect { .. } | UpstreamError::ConnectTimeout(_) => Shown::Unreachable,
            UpstreamError::Broke { .. } => Shown::Failed("its connections break"),
            UpstreamError::ResponseTimeout(_) => Shown::Failed("it gives no answer in time"),
            _ => Shown::Nothing,
        },
        // The client's body broke off: that says nothing of the endpoint.
        Err(_) => Shown::Nothing,
    }
}
