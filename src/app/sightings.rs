//! Looks at where keys are used from, and has it told to those who want to know.

use super::{Parts, lock};
use crate::pipeline::Sighting;
use crate::telemetry::log::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// How often it is asked who wants to know.
const ASK: Duration = Duration::from_secs(1);
/// Sightings of one transaction, and addresses of one key that are remembered at most: one that is used from
/// everywhere is not told of for ever.
const TOGETHER: usize = 256;
const MOST: u32 = 1000;
/// How often a transaction is tried.
const TRIES: usize = 30;

/// Starts both; they end with the control runtime.
pub(super) fn start(parts: &Arc<Parts>) {
    tokio::spawn(ask(parts.clone()));
    if let Some(seen) = lock(&parts.seen).take() {
        tokio::spawn(tell(parts.clone(), seen));
    }
}

async fn ask(parts: Arc<Parts>) {
    loop {
        // A store that does not answer is told of elsewhere; until it does, nothing is altered.
        if let Ok(wanted) = parts.store.addresses_wanted().await {
            parts.shared.sightings.set_wanted(wanted);
        }
        tokio::time::sleep(ASK).await;
    }
}

async fn tell(parts: Arc<Parts>, mut seen: Receiver<Sighting>) {
    let mut batch = Vec::with_capacity(TOGETHER);
    while seen.recv_many(&mut batch, TOGETHER).await > 0 {
        let uses: Vec<_> = batch.drain(..).map(|it| (it.row, it.address, it.at_ms)).collect();
        for _ in 0..TRIES {
            let Err(error) = parts.store.tell_addresses(uses.clone(), MOST).await else { break };
            tracing::warn!(cause = %chain(&error), "addresses that keys were used from could not be written");
            tokio::time::sleep(ASK).await;
        }
    }
}
