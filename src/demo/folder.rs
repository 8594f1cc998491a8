//! The demo's data folder: private to its owner, used by one demo at a time.

use super::{Addresses, DemoError};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The configuration that the demo runs; `${…}` is filled in when it is written to the folder.
const CONFIG: &str = include_str!("../../config/demo.yaml");

/// The file of the secret that signs client-facing tokens.
pub(super) const JWT_SECRET: &str = "jwt-secret";

/// An open data folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as the demo runs; the system lets go of it whatever ends the process.
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing, takes its permissions from everyone else, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, DemoError> {
        let failed = |source| DemoError::File { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        // Absolute, because the printed lines are pasted in another folder.
        let path = path.canonicalize().map_err(failed)?;
        let lock = private(&path.join("demo.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DemoError::FolderInUse(path)),
            Err(TryLockError::Error(source)) => Err(DemoError::File { path, source }),
        }
    }

    /// A file of the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The file's text; `None` when there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, DemoError> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DemoError::File { path: self.path(name), source }),
        }
    }

    /// Puts a file in place in one step, readable by its owner only.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let path = self.path(name);
        let failed = |source| DemoError::File { path: path.clone(), source };
        let beside = path.parent().unwrap_or(&self.path);
        DirBuilder::new().recursive(true).mode(0o700).create(beside).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(beside).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }

    /// Makes a file of 256 random bits in hexadecimal, unless it is there.
    pub(super) fn keep_random(&self, name: &str) -> Result<(), DemoError> {
        if self.read(name)?.is_none() {
            self.write(name, &random_hex::<32>()?)?;
        }
        Ok(())
    }

    /// Writes the configuration with its variables filled in, and returns where it is.
    ///
    /// Files are named relative to it, so that no character of the folder's path can upset the YAML; the secret is
    /// named, not written.
    pub(super) fn write_config(
        &self,
        addresses: Addresses,
        upstream: SocketAddr,
    ) -> Result<PathBuf, DemoError> {
        let text = fill(CONFIG, |name| {
            Some(match name {
                "PORTCULLIS_DEMO_DATA" => ".".to_owned(),
                "PORTCULLIS_DEMO_UPSTREAM" => format!("http://{upstream}"),
                "PORTCULLIS_DEMO_TLS" => addresses.tls.to_string(),
                "PORTCULLIS_DEMO_PLAIN" => addresses.plain.to_string(),
                "PORTCULLIS_DEMO_ADMIN" => addresses.admin.to_string(),
                "JWT_SECRET" => format!("${{file:{JWT_SECRET}}}"),
                _ => return None,
            })
        });
        self.write("portcullis.yaml", &text)
    }
}

/// `N` random bytes as hexadecimal digits.
pub(super) fn random_hex<const N: usize>() -> Result<String, DemoError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(DemoError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Replaces `${NAME}` and `${NAME:-default}` where `value` knows the name; leaves every other `${…}`, and `$${`, to
/// the configuration's own reader.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        rest = after;
        let filled = after.split_once('}').filter(|_| !before.ends_with('$')).and_then(|(inside, tail)| {
            let name = inside.split_once(":-").map_or(inside, |(name, _)| name);
            Some((value(name)?, tail))
        });
        match filled {
            Some((value, tail)) => {
                out.push_str(&value);
                rest = tail;
            }
            None => out.push_str("${"),
        }
    }
    out.push_str(rest);
    out
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_strangers_left_alone() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(fill("x ${A} ${A:-2} ${B:-3} ${B} $${A} ${", value), "x 1 1 ${B:-3} ${B} $${A} ${");
    }

    #[test]
    fn the_folder_and_its_files_are_private_and_locked() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let folder = Folder::open(&path).unwrap();
        folder.keep_random(JWT_SECRET).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(JWT_SECRET)), 0o600);
        let kept = folder.read(JWT_SECRET).unwrap();
        folder.keep_random(JWT_SECRET).unwrap();
        assert_eq!(folder.read(JWT_SECRET).unwrap(), kept);
        assert!(matches!(Folder::open(&path), Err(DemoError::FolderInUse(_))));
        drop(folder);
        Folder::open(&path).unwrap();
    }
}
