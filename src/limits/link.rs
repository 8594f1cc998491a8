//! A connection to Redis, or to a cluster of it: one for all that a worker asks.

use crate::config::SharedLimits;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use std::fmt;
use std::time::Duration;

/// To connect takes as long as it takes; no request waits for it longer than it waits for an answer.
const CONNECT: Duration = Duration::from_secs(2);

/// Questions on their way from one worker, before the next one waits in the worker.
const UNDER_WAY: usize = 4096;

/// Milliseconds between two attempts at a node of a cluster; all of them end with the request's own wait.
const CLUSTER_RETRY_MS: (u64, u64) = (1, 20);

/// An open connection; a clone is the same one.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::One(_)) { "Link::One" } else { "Link::Cluster" })
    }
}

impl Link {
    /// Connects and logs in. What drives the connection runs on the calling thread.
    pub(super) async fn open(config: &SharedLimits) -> RedisResult<Self> {
        let addresses = || config.addresses.iter().map(|address| address.expose());
        if config.cluster {
            let (min, max) = CLUSTER_RETRY_MS;
            let client = redis::cluster::ClusterClient::builder(addresses())
                .connection_timeout(CONNECT)
                .response_timeout(CONNECT)
                .min_retry_wait(min)
                .max_retry_wait(max)
                .build()?;
            return client.get_async_connection().await.map(Self::Cluster);
        }
        let Some(address) = addresses().next() else {
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, "there is no address")));
        };
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(UNDER_WAY);
        let client = redis::Client::open(address)?;
        client.get_multiplexed_async_connection_with_config(&options).await.map(Self::One)
    }

    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(link) => link.req_packed_command(command).await,
            Self::Cluster(link) => link.req_packed_command(command).await,
        }
        .and_then(Value::extract_error)
    }
}

/// Whether the server does not have the script, as after its start.
pub(super) fn lacks_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
