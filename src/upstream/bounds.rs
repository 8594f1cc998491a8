//! How many requests a service gets at once, over all workers.
//!
//! A semaphore that hands a freed place to whoever waits longest, on whatever worker, and wakes that worker at once. It is
//! the one thing about upstreams that workers write together, and only where `limits` is configured.

use super::UpstreamError;
use crate::config::UpstreamLimits;
use crate::deadline::Deadlines;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bounds of a service.
#[derive(Debug)]
pub(super) struct Bounds {
    limits: UpstreamLimits,
    places: Arc<Semaphore>,
    queued: AtomicUsize,
}

/// The right to one request; it ends with the value.
pub(super) type Permit = OwnedSemaphorePermit;

impl Bounds {
    pub(super) fn new(limits: UpstreamLimits) -> Self {
        let most = limits.max_requests.get().min(Semaphore::MAX_PERMITS);
        Self { limits, places: Arc::new(Semaphore::new(most)), queued: AtomicUsize::new(0) }
    }

    pub(super) fn limits(&self) -> &UpstreamLimits {
        &self.limits
    }

    /// Requests that wait.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Requests under way.
    pub(super) fn under_way(&self) -> usize {
        self.limits.max_requests.get().saturating_sub(self.places.available_permits())
    }

    /// A right to one request, now or when one is given back.
    ///
    /// # Errors
    /// [`UpstreamError::Full`] when too many wait, [`UpstreamError::QueueTimeout`].
    pub(super) async fn enter(
        &self,
        name: &Arc<str>,
        deadlines: &Deadlines,
    ) -> Result<Permit, UpstreamError> {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let Some(_queued) = Queued::enter(&self.queued, self.limits.max_queued) else {
            return Err(UpstreamError::Full(name.clone()));
        };
        let waiting = self.places.clone().acquire_owned();
        match deadlines.within(self.limits.queue_timeout, Box::pin(waiting)).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) => Err(UpstreamError::Full(name.clone())),
            Err(_) => Err(UpstreamError::QueueTimeout(name.clone())),
        }
    }
}

/// A place in the queue.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(queued: &'a AtomicUsize, most: usize) -> Option<Self> {
        let entered = queued.fetch_add(1, Ordering::Relaxed) < most;
        let place = Self(queued);
        entered.then_some(place)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
