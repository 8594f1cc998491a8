//! Names of endpoints, resolved again as their time to live says. What a name resolved to last stays in use for as long
//! as it can not be resolved.

use super::health::varied;
use crate::config::Dns;
use crate::telemetry::log::chain;
use crate::upstream::{Service, Target, dns};
use std::sync::Arc;
use std::time::Duration;

/// From one try to the next while a name does not resolve: at first, and at most.
const AT_FIRST: Duration = Duration::from_millis(500);
const AT_MOST: Duration = Duration::from_secs(15);

/// Follows a name for ever.
pub(super) async fn follow(service: Arc<Service>, target: Arc<Target>, settings: Dns) {
    let name = target.endpoint().host.clone();
    let upstream = &service.name;
    let (mut failing, mut pause) = (false, AT_FIRST);
    loop {
        match dns::resolve(&name, &settings).await {
            Ok(found) => {
                if service.resolved(&target, &found.addresses) {
                    let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
                    tracing::info!(%upstream, %name, addresses = addresses.join(" "), "a name has other addresses now");
                } else if failing {
                    tracing::info!(%upstream, %name, "a name resolves again");
                }
                (failing, pause) = (false, AT_FIRST);
                tokio::time::sleep(found.ttl).await;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%upstream, %name, cause = %chain(&error), "a name does not resolve; the addresses that it had are kept");
                }
                service.unresolved();
                tokio::time::sleep(varied(pause)).await;
                (failing, pause) = (true, (pause * 2).min(AT_MOST));
            }
        }
    }
}
