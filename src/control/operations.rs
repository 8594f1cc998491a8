//! Has operations done, one step after the other, until there is nothing to do; the steps themselves are the domain's.

use super::domain::{Domain, DomainError};
use super::webhooks::{First, Now};
use crate::telemetry::log::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked whether there is something to do, and how long is waited when a step could not be done.
const LOOK: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_secs(2);
/// How often a step is tried.
const TRIES: u32 = 30;
/// How often is erased what was to be had for a time.
const SWEEP: Duration = Duration::from_secs(60);

/// Works, while this is the `first` process, until `stop` says so; a step that has begun is done to its end.
pub async fn run(domain: Arc<Domain>, now: Now, first: First, mut stop: watch::Receiver<bool>) {
    let (mut failed, mut tries, mut next_sweep) = (None, 0, 0);
    while !*stop.borrow_and_update() {
        if !first() {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => continue,
                _ = stop.changed() => continue,
            }
        }
        if now().mono_ns >= next_sweep {
            next_sweep = now().after(SWEEP).mono_ns;
            if let Err(error) = domain.sweep_operations(now()).await {
                tracing::warn!(cause = %chain(&error), "results of operations could not be erased");
            }
        }
        let wait = match domain.work(now()).await {
            Ok(Some(_)) => {
                (failed, tries) = (None, 0);
                Duration::ZERO
            }
            Ok(None) => LOOK,
            Err((id, error)) => {
                tries = if failed == id { tries + 1 } else { 1 };
                give_up_or_wait(&domain, id.as_deref(), tries, &error, &now).await;
                failed = id;
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One operation that can not be done must not be in the way of all others for ever.
async fn give_up_or_wait(domain: &Domain, id: Option<&str>, tries: u32, error: &DomainError, now: &Now) {
    tracing::error!(operation = id, cause = %chain(error), "a step of an operation could not be done");
    if let Some(id) = id
        && tries >= TRIES
        && let Err(error) = domain.give_up(id, now()).await
    {
        tracing::error!(operation = id, cause = %chain(&error), "the operation could not even be given up");
    }
}
