//! Sending a request again: when that is safe, how often, and within which budget.
//!
//! It is safe where nothing of the request has left, or where acting twice is as good as once (RFC 9110, 9.2.2) and the
//! whole of the request can be had again: it has no body, or one that was spooled.

use super::body::{Answer, Outgoing};
use super::lane::{Desk, Ticket};
use super::{Errand, Sent, Service, UpstreamError};
use crate::config::{Retry, RetryOn};
use http::{Method, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Bytes of an answer that is not passed on which are read, so that its connection can be used again.
const MOST_DISCARDED: u64 = 64 * 1024;
/// How long that may take.
const DISCARD_WITHIN: Duration = Duration::from_secs(1);

/// What a service does about requests that fail.
#[derive(Debug)]
pub(super) struct Policy {
    retry: Retry,
    /// Counts against a budget; what is safe for everybody, and no load for a service, does not.
    pub(super) budgeted: bool,
}

impl Policy {
    /// As configured; else, where there are several places, whatever failed to connect goes to another one.
    pub(super) fn new(configured: Option<&Retry>, several: bool) -> Option<Self> {
        match configured {
            Some(retry) if retry.attempts < 2 => None,
            Some(retry) => Some(Self { retry: retry.clone(), budgeted: true }),
            None => several.then(|| {
                let on = RetryOn { connect: true, ..RetryOn::default() };
                Self { retry: Retry { attempts: 3, on, budget_percent: 100 }, budgeted: false }
            }),
        }
    }

    /// The body again, where the policy could want it.
    pub(super) fn copy(&self, method: &Method, body: &Outgoing) -> Option<Outgoing> {
        let may = matches!(body, Outgoing::Empty) || self.retry.on.connect || method.is_idempotent();
        if may { body.again() } else { None }
    }

    /// Whether what came of a request is a reason to send it again.
    pub(super) fn wants(&self, sent: &Sent) -> bool {
        let on = &self.retry.on;
        match sent {
            Ok(response) => on.statuses.contains(&response.status().as_u16()),
            Err(undelivered) if undelivered.fault_of_client => false,
            Err(undelivered) => match undelivered.error {
                UpstreamError::Connect { .. } | UpstreamError::ConnectTimeout(_) => on.connect,
                UpstreamError::Broke { .. } => on.reset,
                UpstreamError::ResponseTimeout(_) => on.timeout,
                _ => false,
            },
        }
    }
}

/// What a failed try leaves to try again with.
fn body_again(sent: &mut Sent, copy: &Option<Outgoing>, method: &Method) -> Option<Outgoing> {
    let unconnected = is_unconnected(sent);
    match sent {
        Err(undelivered) if undelivered.body.is_some() => undelivered.body.take(),
        _ if unconnected || method.is_idempotent() => copy.as_ref().and_then(Outgoing::again),
        _ => None,
    }
}

fn is_unconnected(sent: &Sent) -> bool {
    let unconnected = |error: &UpstreamError| {
        matches!(error, UpstreamError::Connect { .. } | UpstreamError::ConnectTimeout(_))
    };
    sent.as_ref().is_err_and(|undelivered| unconnected(&undelivered.error))
}

impl Service {
    /// Sends a request again until it is answered or there is no more to be tried. Gives what came last.
    pub(super) async fn again(
        &self,
        policy: &Policy,
        desk: &Desk,
        errand: Errand<'_>,
        mut ticket: Ticket,
        mut sent: Sent,
        copy: Option<Outgoing>,
    ) -> (Sent, Ticket) {
        let mut tried = vec![ticket.lane().place.id];
        for _ in 1..policy.retry.attempts {
            if !policy.wants(&sent) {
                return (sent, ticket);
            }
            let Some(body) = body_again(&mut sent, &copy, &errand.head.method) else { return (sent, ticket) };
            let Ok(lane) = self.pick(desk, &errand, &tried) else { return (sent, ticket) };
            let elsewhere = !tried.contains(&lane.place.id);
            if !self.may_retry(policy, desk, &errand, is_unconnected(&sent), elsewhere) {
                return (sent, ticket);
            }
            self.counts.retries.increment();
            if let Ok(response) = sent {
                discard(response, &errand);
            }
            tried.push(lane.place.id);
            ticket = ticket.moved(lane.clone());
            sent = self.attempt(&lane, errand, body).await;
        }
        if policy.wants(&sent) {
            self.counts.exhausted.increment();
        }
        (sent, ticket)
    }

    fn may_retry(
        &self,
        policy: &Policy,
        desk: &Desk,
        errand: &Errand<'_>,
        unconnected: bool,
        elsewhere: bool,
    ) -> bool {
        if unconnected && elsewhere {
            // Nothing reached a service: that multiplies no load.
            return true;
        }
        if !policy.budgeted {
            return false;
        }
        let granted = desk.budget.take(errand.deadlines.now_ns(), policy.retry.budget_percent);
        if !granted {
            self.counts.over_budget.increment();
        }
        granted
    }
}

/// Reads a short answer to its end beside the request, so that its connection can be used again.
fn discard(response: Response<Box<Answer>>, errand: &Errand<'_>) {
    let mut body = response.into_body();
    if body.is_end_stream() || body.size_hint().lower() > MOST_DISCARDED {
        return;
    }
    let deadlines = Rc::clone(errand.deadlines);
    tokio::task::spawn_local(async move {
        let read = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = body.frame().await {
                bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > MOST_DISCARDED {
                    return;
                }
            }
        };
        // Too slow: the connection closes with its answer.
        let _ = deadlines.within(DISCARD_WITHIN, Box::pin(read)).await;
    });
}

/// Seconds that a budget looks back over.
const WINDOW: usize = 10;
/// Retries that are granted in that time whatever the share, so that a service with few requests has any.
const FLOOR: u32 = 3;

/// What one worker has sent to one service of late, and sent again.
#[derive(Debug, Default)]
pub(super) struct Budget {
    seconds: Cell<[Second; WINDOW]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    at: u64,
    requests: u32,
    retries: u32,
}

impl Budget {
    /// Counts a request.
    pub(super) fn count(&self, now_ns: u64) {
        self.alter(now_ns, |second| second.requests = second.requests.saturating_add(1));
    }

    /// Grants a retry if there is one left.
    pub(super) fn take(&self, now_ns: u64, percent: u8) -> bool {
        let now = now_ns / 1_000_000_000;
        let recent = |second: &&Second| second.at + WINDOW as u64 > now;
        let all = self.seconds.get();
        let (requests, retries) = all.iter().filter(recent).fold((0u64, 0u32), |(requests, retries), s| {
            (requests + u64::from(s.requests), retries + s.retries)
        });
        let share = u32::try_from(requests * u64::from(percent) / 100).unwrap_or(u32::MAX);
        let granted = retries < share.max(FLOOR);
        if granted {
            self.alter(now_ns, |second| second.retries += 1);
        }
        granted
    }

    fn alter(&self, now_ns: u64, alter: impl FnOnce(&mut Second)) {
        let at = now_ns / 1_000_000_000;
        let mut seconds = self.seconds.get();
        let second = &mut seconds[at as usize % WINDOW];
        if second.at != at {
            *second = Second { at, ..Second::default() };
        }
        alter(second);
        self.seconds.set(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn granted(budget: &Budget, at_s: u64, percent: u8) -> usize {
        (0..1000).take_while(|_| budget.take(at_s * S, percent)).count()
    }

    #[test]
    fn a_budget_is_a_share_of_the_last_ten_seconds() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.count(100 * S));
        assert_eq!(granted(&budget, 100, 20), 20);
        assert_eq!(granted(&budget, 109, 20), 0);
        (0..100).for_each(|_| budget.count(109 * S));
        assert_eq!(granted(&budget, 109, 20), 20);
        assert_eq!(granted(&budget, 110, 20), 0);
    }

    #[test]
    fn few_requests_have_a_few_retries() {
        let budget = Budget::default();
        budget.count(50 * S);
        assert_eq!(granted(&budget, 50, 1), 3);
        assert_eq!(granted(&budget, 59, 1), 0);
        assert_eq!(granted(&budget, 60, 1), 3);
    }
}
