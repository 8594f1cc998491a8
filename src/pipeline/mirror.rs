//! Copies of requests for another upstream. They go out when the real answer's head is there, so that no client waits for
//! one; nobody sees their answers, and what can not be copied cheaply is not.

use super::authorize::Grant;
use super::identity::Asked;
use super::reject::Reject;
use super::route::Routed;
use super::split::share_of;
use super::{Snapshot, Worker};
use crate::clock::Moment;
use crate::config;
use crate::telemetry::metrics::{MirrorCells, Mirrored};
use crate::upstream::body::{Copied, Passage};
use crate::upstream::{Errand, Head, Outgoing, Service};
use bytes::Bytes;
use http::HeaderName;
use http_body_util::{BodyExt, Limited};
use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

static X_PORTCULLIS_MIRROR: HeaderName = HeaderName::from_static("x-portcullis-mirror");

/// Most bytes of a body that is copied.
pub(super) const BODY_MOST: usize = 64 * 1024;
/// Most copies of one worker that are under way.
const MOST_UNDER_WAY: usize = 64;
/// Most bytes of an answer that are read, so that its connection can be used again.
const ANSWER_MOST: usize = 1 << 20;
/// Longest life of a copy, its answer included.
const LIFE: Duration = Duration::from_secs(30);

/// Who gets copies of a route's requests.
#[derive(Debug)]
pub struct Mirror {
    /// Who gets them.
    pub service: Arc<Service>,
    /// Of a million requests, how many.
    pub share: u64,
    cells: Arc<MirrorCells>,
}

/// A copy that is to be sent.
#[derive(Debug)]
pub(super) struct Copy<'r> {
    mirror: &'r Mirror,
    /// The lines of the identity for its upstream.
    identity: Vec<u8>,
    body: CopyOf,
}

/// The body of a copy.
#[derive(Debug)]
enum CopyOf {
    Whole(Bytes),
    Passing(Rc<Passage>),
    TooLarge,
}

impl Mirror {
    /// Prepares it.
    pub fn new(mirror: config::Mirror, services: &[Arc<Service>], cells: Arc<MirrorCells>) -> Self {
        let share = (mirror.share * 1e6).round().max(1.0) as u64;
        Self { service: services[mirror.upstream].clone(), share, cells }
    }

    /// Whether this request is one of those that are copied.
    pub(super) fn draws(&self, worker: &Worker) -> bool {
        self.share >= 1_000_000 || share_of(worker.ids.chance(), 1_000_000) < self.share
    }

    /// A copy of a request with this body, with the caller's identity for the mirror.
    ///
    /// # Errors
    /// [`Reject::Internal`] when an identity can not be signed.
    pub(super) fn copy(
        &self,
        worker: &Worker,
        snapshot: &Snapshot,
        routed: &Routed<'_>,
        grant: &Grant,
        body: &Outgoing,
        now: Moment,
    ) -> Result<Copy<'_>, Reject> {
        let to = &*self.service;
        let mut identity = Vec::new();
        let asked = Asked { shared: &worker.shared, snapshot, routed, grant, service: to, now };
        worker.identities.write(asked, &mut identity)?;
        let body = match body {
            Outgoing::Empty => CopyOf::Whole(Bytes::new()),
            Outgoing::Stream(passing) => CopyOf::Passing(passing.passage()),
            Outgoing::Spooled(replay) => replay.small(BODY_MOST).map_or(CopyOf::TooLarge, CopyOf::Whole),
        };
        Ok(Copy { mirror: self, identity, body })
    }
}

impl Copy<'_> {
    /// Sends it, beside everything else.
    pub(super) fn send(self, worker: &Worker, from: IpAddr, mut head: Head) {
        let (mirror, shard) = (self.mirror, worker.index);
        let body = match self.body {
            CopyOf::Whole(bytes) => Some(bytes),
            CopyOf::Passing(passage) => match passage.copied() {
                Copied::Whole(bytes) => Some(bytes),
                Copied::Part => None,
            },
            CopyOf::TooLarge => None,
        };
        let Some(body) = body else { return mirror.cells.mirrored(shard, Mirrored::BodyTooLarge) };
        let Some(place) = Place::take(&worker.copies) else {
            return mirror.cells.mirrored(shard, Mirrored::Busy);
        };
        head.added.identify_anew(&self.identity);
        head.added.push(&X_PORTCULLIS_MIRROR, b"1");
        (head.timeout, head.lines, head.steps) = (None, None, None);
        let (service, cells) = (mirror.service.clone(), mirror.cells.clone());
        let (pools, deadlines) = (worker.pools.clone(), worker.deadlines.clone());
        // Ends by itself within its life, and the worker's runtime ends it at the latest.
        tokio::task::spawn_local(async move {
            let errand = Errand { pools: &pools, deadlines: &deadlines, head: &head, from: Some(from) };
            let work = async {
                let answer = service.send(errand, Outgoing::whole(body)).await.ok()?;
                // Read, so that the connection can be used again; how it ends is nobody's concern.
                let _ = Limited::new(answer.into_body(), ANSWER_MOST).collect().await;
                Some(())
            };
            let sent = deadlines.within(LIFE, work).await.ok().flatten();
            cells.mirrored(shard, if sent.is_some() { Mirrored::Sent } else { Mirrored::Failed });
            drop(place);
        });
    }
}

/// One of the places that copies have; given back when it is dropped.
#[derive(Debug)]
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(taken: &Rc<Cell<usize>>) -> Option<Self> {
        if taken.get() >= MOST_UNDER_WAY {
            return None;
        }
        taken.set(taken.get() + 1);
        Some(Self(taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
