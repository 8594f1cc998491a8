//! What is told to whoever watches over the process: systemd (`sd_notify(3)`), and a file with the process's number.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

/// Tells systemd something, in its `NAME=value` lines. Without systemd nothing happens.
pub(super) fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!(%error, "systemd could not be told how the process is");
    }
}

/// A file that is to name the process, written under another name; taken away unless it is put in place.
#[derive(Debug)]
pub(super) struct PidDraft {
    draft: PathBuf,
    path: PathBuf,
}

impl PidDraft {
    /// Writes it.
    ///
    /// # Errors
    /// When it can not be written.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&draft, own())?;
        Ok(Self { draft, path: path.to_owned() })
    }

    /// Gives it its name, in one step: who reads it finds the number before or this one. Once the process serves, a file is no
    /// reason to end it: what goes wrong is only told.
    pub(super) fn put(self) -> Option<PidFile> {
        if let Err(error) = std::fs::rename(&self.draft, &self.path) {
            tracing::warn!(file = %self.path.display(), %error, "the file with the process's number could not be put in place");
            return None;
        }
        Some(PidFile { path: self.path.clone() })
    }
}

impl Drop for PidDraft {
    fn drop(&mut self) {
        // Once it is in place, there is nothing by this name.
        let _ = std::fs::remove_file(&self.draft);
    }
}

/// A file that names the process; taken away when it ends.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Leaves it to the new process, which writes its own number into it at any moment.
    pub(super) fn leave(self) {
        // Only its path is lost.
        std::mem::forget(self);
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Not another's, whose path is the same by mistake.
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text == own()) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn own() -> String {
    format!("{}\n", std::process::id())
}
