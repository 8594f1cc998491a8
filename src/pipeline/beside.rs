//! Endpoints of the gateway's own that are served beside the request path: the worker reads the call and passes the
//! answer on; what happens in between is the control side's, on its own runtime.
//!
//! They have no key, and so no key's limit: who calls is the control side's to find out.

use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::route::Routed;
use super::{Peer, Worker, project_body};
use crate::dialect::endpoint::{Answered, BODY_MOST, Call, Endpoint, Via};
use crate::wire::Request;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Longest wait for a call's body: whoever sends it has shown nothing yet.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// The control side, as workers see it.
pub trait ControlSide: Send + Sync + fmt::Debug {
    /// Has a call answered. It is seen to its end even when the answer is not waited for. The answer is missing when the
    /// control side is stopping, or failed in a way that is nobody's plan.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Option<Answered>> + Send>>;
}

/// No control side: nobody answered.
#[derive(Debug, thiserror::Error)]
#[error("the control side did not answer")]
struct NobodyThere;

/// Answers a request to one of the control side's endpoints.
///
/// # Errors
/// [`Reject::BodyTooLarge`], [`Reject::BodyBroke`], [`Reject::Internal`]; what the control side refuses is an answer.
pub(super) async fn serve<B>(
    worker: &Worker,
    peer: &Peer,
    routed: &Routed<'_>,
    endpoint: &'static Endpoint,
    request: &Request,
    body: B,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    project_body::bounded(&request.fields, BODY_MOST)?;
    let read = worker.deadlines.within(BODY_WAIT, whole(body)).await;
    let body = read.map_err(|_| Reject::BodyBroke)??;
    trail.request_bytes(body.len() as u64);
    let call = Call {
        via: Via::Client,
        endpoint,
        path: routed.path.clone().unwrap_or_else(|| request.target.path().to_owned()),
        query: request.target.query().map(str::to_owned),
        client: peer.client(&request.fields),
        headers: request.fields.to_map(),
        body,
        request_id: trail.request_id().as_str().to_owned(),
        now: trail.at(),
    };
    let answered = match &worker.shared.control {
        Some(control) => control.call(call).await,
        None => None,
    };
    let answered = answered.ok_or_else(|| Reject::Internal(Box::new(NobodyThere)))?;
    trail.answered(answered.user, answered.refused);
    Ok(answered.response.map(|body| Payload::Own(Full::new(body))))
}

async fn whole<B>(body: B) -> Result<Bytes, Reject>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limited = Limited::new(body, BODY_MOST as usize);
    let collected = limited.collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Reject::BodyTooLarge } else { Reject::BodyBroke }
    })?;
    Ok(collected.to_bytes())
}
