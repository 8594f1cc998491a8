//! The new process's side: takes the sockets, and says when it is ready.

use super::channel::{Channel, Heard};
use super::{GREETING, VARIABLE};
use crate::app::inherited::Inherited;
use crate::limiter::{Carried, NamesKey};
use rustix::fd::OwnedFd;
use std::fs::File;
use std::io::{self, BufReader};
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
    /// What it hashes the names of limits with.
    pub(in crate::app) names: NamesKey,
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
        let (so_far, names) = greeting.strip_prefix(GREETING).and_then(greeted).ok_or(NotTaken::Strange)?;
        let mut inherited = Inherited::default();
        loop {
            let (text, sockets) = next(&channel)?;
            if text == "end" {
                return Ok((Self { channel, so_far, names }, inherited));
            }
            let address: SocketAddr =
                text.strip_prefix("at ").and_then(|it| it.parse().ok()).ok_or(NotTaken::Strange)?;
            inherited.add(address, sockets.into_iter().map(TcpListener::from).collect());
        }
    }

    /// Tells it that this process accepts, except at `unused`; keeps `beside` true to what becomes of it, and gives what
    /// it has counted to `limits`.
    pub(in crate::app) fn ready(
        self,
        unused: &[SocketAddr],
        beside: Beside,
        limits: impl Fn(&Carried) + Send + 'static,
    ) -> io::Result<()> {
        let unused: String = unused.iter().map(|address| format!(" {address}")).collect();
        if let Err(error) = self.channel.send(&format!("ready{unused}"), &[]) {
            // Then this one is needed all the more.
            tracing::warn!(%error, "the process to take over from is gone already");
        }
        std::thread::Builder::new().name("predecessor".into()).spawn(move || {
            while let Ok(Heard::Message(text, files)) = self.channel.receive(None) {
                match text.as_str() {
                    "limits" => match carried(files.into_iter().next()) {
                        Ok(carried) => limits(&carried),
                        Err(error) => tracing::warn!(%error, "what the other process has counted is lost"),
                    },
                    _ => drop(beside.yielded.send_replace(true)),
                }
            }
            beside.lives.store(false, Ordering::Relaxed);
            beside.yielded.send_replace(true);
            tracing::info!("the process before this one has ended");
        })?;
        Ok(())
    }
}

fn next(channel: &Channel) -> Result<(String, Vec<OwnedFd>), NotTaken> {
    match channel.receive(Some(PATIENCE))? {
        Heard::Message(text, sockets) => Ok((text, sockets)),
        Heard::Silence => Err(NotTaken::System(io::ErrorKind::TimedOut.into())),
        Heard::Gone => Err(NotTaken::System(io::ErrorKind::ConnectionAborted.into())),
    }
}

fn greeted(text: &str) -> Option<([u64; 2], NamesKey)> {
    let mut words = text.split_whitespace();
    let so_far = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let names = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((so_far, NamesKey(names.to_be_bytes())))
}

fn carried(file: Option<OwnedFd>) -> io::Result<Carried> {
    let file = File::from(file.ok_or(io::ErrorKind::InvalidData)?);
    Ok(serde_json::from_reader(BufReader::new(file))?)
}
