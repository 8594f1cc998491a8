//! Certificates by ACME (RFC 8555): obtained, kept in the store, shown, and renewed in time.
//!
//! Everything that must not be done twice is in the store: the account, the certificates, and whose turn it is to order. A
//! process that is started again and again asks for nothing again and again, and of several processes on one store one asks.

mod issue;
mod schedule;

pub use issue::IssueError;

use crate::config::Acme;
use crate::control::webhooks::Now;
use crate::store::StoreError;
use crate::store::management::{Issued, Management, OrderEnd};
use crate::telemetry::log::chain;
use crate::telemetry::metrics::Metrics;
use crate::token::random_id;
use schedule::{TURN, WITHIN};
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked at what is due. From memory: the store is asked only then.
const LOOK: Duration = Duration::from_millis(500);
/// How often the store is asked again for a certificate that is somebody else's turn, or too early to ask for.
const ASK_AGAIN_MS: u64 = 2_000;

/// Where certificates are shown and challenges answered.
pub trait Front: Send + Sync + Debug {
    /// Answers a challenge from now on, beside those that are answered already.
    ///
    /// # Errors
    /// When it can not be answered here.
    fn present(&self, challenge: Challenge) -> Result<(), Box<dyn Error + Send + Sync>>;
    /// Answers no challenge any more.
    fn withdraw(&self);
    /// Shows a certificate from now on.
    ///
    /// # Errors
    /// When it can not be used.
    fn show(&self, acme: &Acme, issued: &Issued) -> Result<Validity, Box<dyn Error + Send + Sync>>;
}

/// What an authority wants to see (RFC 8555, 8.3; RFC 8737, 3).
#[derive(Clone, Debug)]
pub enum Challenge {
    /// Under `/.well-known/acme-challenge/` and the token, without encryption.
    Http {
        /// The token.
        token: String,
        /// What is answered.
        authorization: String,
    },
    /// In a certificate for the name, over TLS with the protocol `acme-tls/1`.
    Tls {
        /// The name.
        domain: String,
        /// DER.
        certificate: Vec<u8>,
        /// Its key, PKCS#8 in PEM.
        key: crate::token::Secret,
    },
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Milliseconds since 1970.
    pub not_before_ms: u64,
    /// Milliseconds since 1970.
    pub not_after_ms: u64,
}

/// Obtains and renews.
#[derive(Debug)]
pub struct Certificates {
    store: Arc<dyn Management>,
    front: Arc<dyn Front>,
    metrics: Arc<Metrics>,
    /// This process, to others on the same store.
    holder: String,
    shown: HashMap<String, Shown>,
    /// How many attempts have failed before the one that is under way.
    failures: u32,
}

/// What is known of one set of domains.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    obtained_ms: Option<u64>,
    /// From then on it is renewed, milliseconds since 1970.
    due_ms: u64,
}

impl Certificates {
    /// Nothing is done yet.
    pub fn new(store: Arc<dyn Management>, front: Arc<dyn Front>, metrics: Arc<Metrics>) -> Self {
        // Without random numbers there is no TLS either; an empty name is as good as any for one process.
        let holder = random_id().unwrap_or_default();
        Self { store, front, metrics, holder, shown: HashMap::new(), failures: 0 }
    }

    /// Shows what the store has.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn restore(&mut self, wanted: &[Acme]) -> Result<(), StoreError> {
        for acme in wanted {
            self.look_up(acme).await?;
        }
        Ok(())
    }

    /// Sees to it that what is wanted is there, until told to stop.
    pub async fn run(
        mut self,
        wanted: impl Fn() -> Vec<Acme> + Send + 'static,
        now: Now,
        mut stop: watch::Receiver<bool>,
    ) {
        let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
        tokio::pin!(stopped);
        loop {
            for acme in wanted() {
                tokio::select! {
                    () = &mut stopped => return self.leave(&acme, &now).await,
                    () = self.see_to(&acme, &now) => {}
                }
            }
            tokio::select! {
                () = &mut stopped => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Lets others order what this process was about to; not at once, since a process that is started again and again would
    /// ask again and again.
    async fn leave(&self, acme: &Acme, now: &Now) {
        self.front.withdraw();
        let wait = schedule::wait(self.failures, false, &self.holder);
        let until_ms = now().unix_ms + millis(wait);
        if let Err(error) = self.store.release_order(&acme.name(), &self.holder, until_ms).await {
            tracing::warn!(cause = %chain(&error), "the store could not be told that no certificate is being ordered");
        }
    }

    async fn see_to(&mut self, acme: &Acme, now: &Now) {
        let name = acme.name();
        let shown = self.shown.get(&name).copied().unwrap_or_default();
        if shown.due_ms > now().unix_ms {
            return;
        }
        if let Err(error) = self.renew(acme, &name, now).await {
            tracing::error!(domains = acme.listed(), cause = %chain(&error), "the store does not answer; its certificate is looked at again");
        }
        // Whatever came of it, the store is not asked twice a second.
        let again = now().unix_ms + ASK_AGAIN_MS;
        let shown = self.shown.entry(name).or_default();
        shown.due_ms = shown.due_ms.max(again);
    }

    /// Takes over what another process has obtained meanwhile, or orders when it is this one's turn.
    async fn renew(&mut self, acme: &Acme, name: &str, now: &Now) -> Result<(), StoreError> {
        self.look_up(acme).await?;
        let at_ms = now().unix_ms;
        if self.shown.get(name).is_some_and(|shown| shown.due_ms > at_ms) {
            return Ok(());
        }
        let begun = self.store.begin_order(name, &self.holder, at_ms, at_ms + millis(TURN)).await?;
        let Some(failures) = begun else { return Ok(()) };
        self.failures = failures;
        let issuing = issue::certificate(&*self.store, &*self.front, acme, now);
        let issued = tokio::time::timeout(WITHIN, issuing).await.unwrap_or(Err(IssueError::Time));
        self.front.withdraw();
        let kept = match issued {
            Ok(issued) => self.keep(acme, name, issued).await,
            Err(error) => Err(error),
        };
        let end = self.concluded(acme, kept, failures, now().unix_ms);
        self.store.end_order(name, &self.holder, end).await
    }

    async fn keep(&mut self, acme: &Acme, name: &str, issued: Issued) -> Result<(), IssueError> {
        // Kept before it is shown: one that was obtained and is lost would have to be asked for again.
        self.store.keep_issued(name, issued.clone()).await?;
        self.show(acme, &issued)
    }

    /// Says what came of an attempt, and when the next one may be.
    fn concluded(
        &self,
        acme: &Acme,
        outcome: Result<(), IssueError>,
        failures: u32,
        now_ms: u64,
    ) -> OrderEnd {
        let domains = acme.listed();
        match outcome {
            Ok(()) => {
                self.metrics.acme_ordered("success");
                tracing::info!(domains, "a certificate was obtained by ACME and is shown from now on");
                OrderEnd { wait_until_ms: 0, failures: 0 }
            }
            Err(error) => {
                self.metrics.acme_ordered(if error.is_rate_limit() { "rate_limited" } else { "failure" });
                let wait = schedule::wait(failures, error.is_rate_limit(), &self.holder);
                let (seconds, help) = (wait.as_secs(), error.help(acme));
                tracing::error!(domains, cause = %chain(&error), next_attempt_in_s = seconds, "no certificate was obtained by ACME; {help}");
                OrderEnd { wait_until_ms: now_ms + millis(wait), failures: failures.saturating_add(1) }
            }
        }
    }

    /// Shows the store's certificate, unless it is the one that is shown.
    async fn look_up(&mut self, acme: &Acme) -> Result<(), StoreError> {
        let name = acme.name();
        let Some(issued) = self.store.issued(&name).await? else { return Ok(()) };
        let known = self.shown.get(&name).and_then(|shown| shown.obtained_ms);
        if known == Some(issued.obtained_ms) {
            return Ok(());
        }
        if let Err(error) = self.show(acme, &issued) {
            tracing::error!(domains = acme.listed(), cause = %chain(&error), "the certificate in the store can not be shown; another is ordered");
        }
        Ok(())
    }

    fn show(&mut self, acme: &Acme, issued: &Issued) -> Result<(), IssueError> {
        let validity = self.front.show(acme, issued).map_err(IssueError::Unusable)?;
        let due_ms = schedule::due_ms(validity, acme.renew_before, &self.holder);
        let shown = Shown { obtained_ms: Some(issued.obtained_ms), due_ms };
        self.shown.insert(acme.name(), shown);
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
