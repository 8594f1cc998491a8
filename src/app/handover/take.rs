//! The new process's side: takes the sockets, and says when it is ready.

use super::channel::{Channel, Heard};
use super::{COUNTED, GREETING, VARIABLE};
use crate::app::inherited::Inherited;
use crate::limiter::{Carried, NamesKey};
use crate::listen::Bound;
use std::fs::File;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener};
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
    /// What the limiter's names are hashed with.
    pub(in crate::app) names: NamesKey,
}

/// What is known of the process that this one takes over from, if there is one.
#[derive(Clone, Debug)]
pub(in crate::app) struct Beside {
    /// True: what only one process may do is this one's.
    pub(in crate::app) yielded: watch::Sender<bool>,
}

impl Beside {
    /// With a process that this one takes over from, or without.
    pub(in crate::app) fn new(taking_over: bool) -> Self {
        Self { yielded: watch::Sender::new(!taking_over) }
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
        let (so_far, names) =
            greeting.strip_prefix(GREETING).and_then(read_greeting).ok_or(NotTaken::Strange)?;
        let mut inherited = Inherited::default();
        loop {
            let (text, sockets) = next(&channel)?;
            if text == "end" {
                return Ok((Self { channel, so_far, names }, inherited));
            }
            let at = text.strip_prefix("at ").ok_or(NotTaken::Strange)?;
            let (address, kept) = at.strip_suffix(" kept").map_or((at, false), |address| (address, true));
            let address: SocketAddr = address.parse().map_err(|_| NotTaken::Strange)?;
            let bound = |socket| Bound { socket, kept };
            inherited.add(address, sockets.into_iter().map(bound).collect());
        }
    }

    /// Tells it that this process can accept, except at `unused`, and waits until it does so no longer. The answer is what it
    /// has counted; nothing when it is gone, or silent.
    pub(in crate::app) fn relieve(&self, unused: &[SocketAddr]) -> Option<Carried> {
        let unused: String = unused.iter().map(|address| format!(" {address}")).collect();
        let heard = self.channel.send(&format!("ready{unused}"), &[]);
        let carried = heard.and_then(|()| match self.channel.receive(Some(PATIENCE))? {
            Heard::Message(text, mut files) if text == COUNTED => {
                let file = files.pop().map(File::from).ok_or(io::ErrorKind::InvalidData)?;
                Ok(serde_json::from_reader(BufReader::new(file))?)
            }
            Heard::Message(..) => Err(io::ErrorKind::InvalidData.into()),
            Heard::Silence => Err(io::ErrorKind::TimedOut.into()),
            Heard::Gone => Err(io::ErrorKind::ConnectionAborted.into()),
        });
        // Whatever became of it, this one is needed.
        carried
            .inspect_err(|error| tracing::warn!(%error, "what the process before this one has counted is lost: limits begin anew"))
            .ok()
    }

    /// Keeps `beside` true to what becomes of it.
    pub(in crate::app) fn follow(self, beside: Beside) -> io::Result<()> {
        std::thread::Builder::new().name("predecessor".into()).spawn(move || {
            while let Ok(Heard::Message(..)) = self.channel.receive(None) {
                beside.yielded.send_replace(true);
            }
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

fn read_greeting(text: &str) -> Option<([u64; 2], NamesKey)> {
    let mut words = text.split_whitespace();
    let so_far = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let names = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((so_far, NamesKey(names.to_ne_bytes())))
}
