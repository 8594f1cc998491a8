//! The old process's side: starts the new one, and waits until it is ready.

use super::channel::{Channel, Heard, MOST};
use super::{COUNTED, GREETING, VARIABLE};
use crate::limiter::{Carried, NamesKey};
use crate::listen::Bound;
use rustix::fd::AsFd;
use std::ffi::OsString;
use std::io::{self, BufWriter, Seek, Write};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the new process may take to be ready: it opens the store and loads the keys.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it should still be waited.
const LOOK: Duration = Duration::from_millis(100);
/// What another process could take for its own, or not take for its own: it is the new one that systemd's watchdog looks at.
const NOT_INHERITED: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// Why there is no new process. The present one goes on.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum Failed {
    /// It did not start.
    #[error("{} can not be started: {source}", program.display())]
    NoStart {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was started, and is gone.
    #[error("the new process ended before it was ready ({0}); what it said stands above")]
    Ended(ExitStatus),
    /// It takes too long.
    #[error("the new process was not ready within {} s and was ended", PATIENCE.as_secs())]
    TooSlow,
    /// It said something else.
    #[error("the new process does not understand this one; restart instead")]
    Strange,
    /// The present one has to end.
    #[error("this process was told to end meanwhile")]
    Stopped,
    /// The system.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

/// What is handed over.
#[derive(Debug)]
pub(in crate::app) struct Giving {
    /// Addresses as the configuration has them, and their sockets.
    pub(in crate::app) sockets: Vec<(SocketAddr, Vec<Bound>)>,
    /// Hand-overs so far: good and bad ones.
    pub(in crate::app) so_far: [u64; 2],
    /// What the limiter's names are hashed with.
    pub(in crate::app) names: NamesKey,
    /// Set when it is to be given up.
    pub(in crate::app) stopped: Arc<AtomicBool>,
}

/// The process that is ready to take over.
#[derive(Debug)]
pub(in crate::app) struct Successor {
    /// Its number.
    pub(in crate::app) id: u32,
    /// Where it does not listen.
    pub(in crate::app) unused: Vec<SocketAddr>,
    channel: Channel,
}

impl Giving {
    /// Starts the program anew and waits until it is ready. Blocks.
    ///
    /// # Errors
    /// [`Failed`]; nothing of the new process is left then.
    pub(in crate::app) fn run(&self) -> Result<Successor, Failed> {
        let (channel, other) = Channel::pair()?;
        let program = program();
        let mut command = Command::new(&program);
        command.args(std::env::args_os().skip(1)).stdin(Stdio::from(other));
        command.env(VARIABLE, std::process::id().to_string());
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command.spawn().map_err(|source| Failed::NoStart { program, source })?;
        // It holds the new process's end, which must be seen to close.
        drop(command);
        let ready = self.offer(&channel).and_then(|()| self.wait(&channel, &mut child));
        match ready {
            Ok(unused) => Ok(Successor { id: child.id(), unused, channel }),
            Err(error) => {
                // It may have gone by itself.
                let _ = child.kill();
                let ended = child.wait()?;
                Err(match error {
                    Failed::System(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        Failed::Ended(ended)
                    }
                    other => other,
                })
            }
        }
    }

    fn offer(&self, channel: &Channel) -> Result<(), Failed> {
        let [good, bad] = self.so_far;
        let names = u128::from_ne_bytes(self.names.0);
        channel.send(&format!("{GREETING} {good} {bad} {names:032x}"), &[])?;
        for (address, sockets) in &self.sockets {
            for (kept, mark) in [(true, " kept"), (false, "")] {
                let some = sockets.iter().filter(|bound| bound.kept == kept);
                let some: Vec<BorrowedFd<'_>> = some.map(|bound| bound.socket.as_fd()).collect();
                for some in some.chunks(MOST) {
                    channel.send(&format!("at {address}{mark}"), some)?;
                }
            }
        }
        channel.send("end", &[])?;
        Ok(())
    }

    /// The addresses that the new process has no use for, once it is ready.
    fn wait(&self, channel: &Channel, child: &mut Child) -> Result<Vec<SocketAddr>, Failed> {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            match channel.receive(Some(LOOK))? {
                Heard::Message(text, _) => {
                    let unused = text.strip_prefix("ready").ok_or(Failed::Strange)?;
                    let unused: Result<_, _> = unused.split_whitespace().map(str::parse).collect();
                    return unused.map_err(|_| Failed::Strange);
                }
                // Its exit status says more; it has one in a moment.
                Heard::Gone => return Err(Failed::Ended(child.wait()?)),
                Heard::Silence if self.stopped.load(Ordering::Relaxed) => return Err(Failed::Stopped),
                Heard::Silence => {}
            }
        }
        Err(Failed::TooSlow)
    }
}

impl Successor {
    /// Tells it what is used of every limit. It waits for that before it accepts.
    ///
    /// # Errors
    /// When there is no room for a file, or the process is gone. Then it begins with full limits.
    pub(in crate::app) fn counted(&self, carried: &Carried) -> io::Result<()> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        serde_json::to_writer(&mut file, carried)?;
        file.flush()?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.channel.send(COUNTED, &[file.as_fd()])
    }

    /// Says that what only one process may do is done here no longer.
    pub(in crate::app) fn leave_to_it(&self) {
        // It sees by our end, too.
        let _ = self.channel.send("yours", &[]);
    }
}

/// The program's file by the name that it was started by: what stands there now is what is to run. The running file may
/// be gone.
fn program() -> PathBuf {
    let named = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| OsString::from("portcullis")));
    if named.components().count() > 1 {
        return named;
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&named)).find(|file| file.is_file());
    found.or_else(|| std::env::current_exe().ok()).unwrap_or(named)
}
