//! Where the two sides meet: a worker's call goes to the control side's runtime, and its answer comes back.

use crate::control::http::Api;
use crate::dialect::endpoint::{Answered, Call};
use crate::pipeline::ControlSide;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The control side's handlers, on its runtime.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) api: Arc<Api>,
    pub(super) runtime: Handle,
}

impl ControlSide for Control {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Option<Answered>> + Send>> {
        let api = self.api.clone();
        // A task of its own: a client that goes away must not leave half of an operation undone.
        let task = self.runtime.spawn(async move { api.answer(call).await });
        Box::pin(async move { task.await.ok() })
    }
}
