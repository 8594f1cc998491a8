//! The new process's side: takes the sockets, and says when it is ready.

use super::channel::{Channel, Heard};
use super::{GREETING, VARIABLE};
use crate::app::inherited::Inherited;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long each message of the old process may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nothing could be taken over.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The other process does not speak as we do.
    #[error("the process that hands over speaks otherwise than this version; restart instead")]
    Strange,
    /// The system.
    #[error("what the other process hands over can not be taken: {0}")]
    System(#[from] io::Error),
}

/// The process that hands over.
#[derive(Debug)]
pub(in crate::app) struct Predecessor {
    channel: Channel,
    /// Hand-overs so far: good ones, this one not among them, and bad ones.
    pub(in crate::app) so_far: [u64; 2],
}

/// What is known of another process of ours that lives beside this one, because one takes over from the other.
#[derive(Clone, Debug)]
pub(in crate::app) struct Beside {
    /// Whether there is one that accepts requests.
    pub(in crate::app) lives: Arc<AtomicBool>,
    /// True: what only one process may do is this one's.
    pub(in crate::app) yielded: watch::Sender<bool>,
}

impl Beside {
    /// With a process that this one takes over from, or without.
    pub(in crate::app) fn new(taking_over: bool) -> Self {
        Self { lives: Arc::new(AtomicBool::new(taking_over)), yielded: watch::Sender::new(!taking_over) }
    }

    /// Waits until what only one process may do is this one's.
    pub(in crate::app) async fn yielded(&self) {
        // There is a sender: ours.
        let _ = self.yielded.subscribe().wait_for(|yielded| *yielded).await;
    }
}

impl Predecessor {
    /// The process that has started this one to take over from it, and its sockets; `None` when this is a start like
    /// any other.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub(in crate::app) fn find() -> Result<Option<(Self, Inherited)>, NotTaken> {
        let parent = std::os::unix::process::parent_id().to_string();
        // What a process further up has said does not concern this one.
        if std::env::var(VARIABLE).is_ok_and(|from| from == parent) {
            Self::listen_to(Channel::standard_input()?).map(Some)
        } else {
            Ok(None)
        }
    }

    fn listen_to(channel: Channel) -> Result<(Self, Inherited), NotTaken> {
        let (greeting, _) = next(&channel)?;
        let so_far = greeting.strip_prefix(GREETING).and_then(counts).ok_or(NotTaken::Strange)?;
        let mut inherited = Inherited::default();
        loop {
            let (text, sockets) = next(&channel)?;
            if text == "end" {
                return Ok((Self { channel, so_far }, inherited));
            }
            let address: SocketAddr =
                text.strip_prefix("at ").and_then(|it| it.parse().ok()).ok_or(NotTaken::Strange)?;
            inherited.add(address, sockets);
        }
    }

    /// Tells it that this process accepts, except at `unused`, and keeps `beside` true to what becomes of it.
    pub(in crate::app) fn ready(self, unused: &[SocketAddr], beside: Beside) -> io::Result<()> {
        let unused: String = unused.iter().map(|address| format!(" {address}")).collect();
        if let Err(error) = self.channel.send(&format!("ready{unused}"), &[]) {
            // Then this one is needed all the more.
            tracing::warn!(%error, "the process to take over from is gone already");
        }
        std::thread::Builder::new().name("predecessor".into()).spawn(move || {
            while let Ok(Heard::Message(..)) = self.channel.receive(None) {
                beside.yielded.send_replace(true);
            }
            beside.lives.store(false, Ordering::Relaxed);
            beside.yielded.send_replace(true);
            tracing::info!("the process before this one has ended");
        })?;
        Ok(())
    }
}

fn next(channel: &Channel) -> Result<(String, Vec<TcpListener>), NotTaken> {
    match channel.receive(Some(PATIENCE))? {
        Heard::Message(text, sockets) => Ok((text, sockets.into_iter().map(TcpListener::from).collect())),
        Heard::Silence => Err(NotTaken::System(io::ErrorKind::TimedOut.into())),
        Heard::Gone => Err(NotTaken::System(io::ErrorKind::ConnectionAborted.into())),
    }
}

fn counts(text: &str) -> Option<[u64; 2]> {
    let mut counts = text.split_whitespace().map(|count| count.parse().ok());
    Some([counts.next()??, counts.next()??])
}
