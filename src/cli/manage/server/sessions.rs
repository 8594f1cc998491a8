//! The sessions of `portcullis login`, one for each server, in a file that only its owner can read.

use super::super::failure::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A session at one server. Shown nowhere: its tokens are in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    pub(super) email: String,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    /// When the access token is over, milliseconds since 1970.
    pub(super) expires_ms: u64,
    /// Certificates to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("email", &self.email).finish_non_exhaustive()
    }
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    file: PathBuf,
}

/// Held while a session is traded for its successor: a refresh token that comes twice ends its session.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

impl Sessions {
    /// `sessions.json` in the user's folder for settings, or the file of `PORTCULLIS_SESSIONS`.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(file) = given("PORTCULLIS_SESSIONS") {
            return Ok(Self { file });
        }
        let home = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")));
        let missing =
            || Failure::new("there is no HOME to keep sessions in: set PORTCULLIS_SESSIONS to a file");
        Ok(Self { file: home.ok_or_else(missing)?.join("portcullis").join("sessions.json") })
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(format!("the sessions in {} can not be {what}: {error}", self.file.display()))
    }

    fn all(&self) -> Result<BTreeMap<String, Session>, Failure> {
        match fs::read(&self.file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| {
                self.failed("read", &"it is not what `portcullis login` writes; remove it and log in again")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// The session at this server.
    pub(super) fn at(&self, url: &str) -> Result<Option<Session>, Failure> {
        Ok(self.all()?.remove(url))
    }

    /// Waits until no other command trades a session.
    pub(super) fn turn(&self) -> Result<Turn, Failure> {
        let open = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder())?;
            let lock = File::options().create(true).truncate(false).write(true).open(self.lock_file())?;
            lock.lock()?;
            Ok(Turn { _lock: lock })
        };
        open().map_err(|error: io::Error| self.failed("locked", &error))
    }

    fn folder(&self) -> &Path {
        self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn lock_file(&self) -> PathBuf {
        let mut file = self.file.clone().into_os_string();
        file.push(".lock");
        file.into()
    }

    /// Keeps a session, or forgets it.
    pub(super) fn put(&self, _turn: &Turn, url: &str, session: Option<Session>) -> Result<(), Failure> {
        let mut all = self.all()?;
        match session {
            Some(session) => drop(all.insert(url.to_owned(), session)),
            None => drop(all.remove(url)),
        }
        let write = || {
            // Mode 0600 from the beginning, and whole or not at all.
            let mut file = tempfile::NamedTempFile::new_in(self.folder())?;
            file.write_all(&serde_json::to_vec_pretty(&all)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.file).map_err(|error| error.error)
        };
        write().map(drop).map_err(|error: io::Error| self.failed("written", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn sessions_are_kept_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions { file: folder.path().join("deep/sessions.json") };
        assert!(sessions.at("https://a").unwrap().is_none());
        let session = Session {
            email: "a@example.com".to_owned(),
            access_token: "eyJ.secret".to_owned(),
            refresh_token: "refresh_secret".to_owned(),
            expires_ms: 7,
            ca: None,
        };
        assert!(!format!("{session:?}").contains("secret"));
        let turn = sessions.turn().unwrap();
        sessions.put(&turn, "https://a", Some(session.clone())).unwrap();
        sessions.put(&turn, "https://b", Some(session)).unwrap();
        sessions.put(&turn, "https://a", None).unwrap();
        assert!(sessions.at("https://a").unwrap().is_none());
        assert_eq!(sessions.at("https://b").unwrap().unwrap().refresh_token, "refresh_secret");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&sessions.file), mode(&folder.path().join("deep"))), (0o600, 0o700));
    }
}
