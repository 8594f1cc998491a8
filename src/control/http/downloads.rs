//! How many files of one organization are handed out at once: each is in memory until its last byte is taken, and whoever
//! asks for many and reads none must not take the memory of all others.

use crate::control::domain::DomainError;
use crate::token::OrganizationId;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Files of one organization at once.
const AT_ONCE: u32 = 2;
/// When to ask again.
const WAIT: Duration = Duration::from_secs(5);

/// The files that are being handed out.
#[derive(Clone, Debug, Default)]
pub(super) struct Downloads(Arc<Mutex<HashMap<OrganizationId, u32>>>);

/// One file that is being handed out; dropped with its bytes.
#[derive(Debug)]
pub(super) struct Download {
    of: OrganizationId,
    all: Downloads,
}

impl Downloads {
    /// Begins one.
    ///
    /// # Errors
    /// [`DomainError::TooManyAttempts`]
    pub(super) fn begin(&self, of: OrganizationId) -> Result<Download, DomainError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(of.clone()).or_default();
        if *count >= AT_ONCE {
            return Err(DomainError::TooManyAttempts(WAIT));
        }
        *count += 1;
        Ok(Download { of, all: self.clone() })
    }
}

impl Download {
    /// The file as a body: the download lasts as long as anybody holds it.
    pub(super) fn body(self, text: String) -> Bytes {
        Bytes::from_owner(Held { text, _download: self })
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.of);
            }
        }
    }
}

struct Held {
    text: String,
    _download: Download,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_lasts_as_long_as_its_bytes_and_is_one_organization_s() {
        let downloads = Downloads::default();
        let first = downloads.begin("o1".into()).unwrap().body("x".to_owned());
        let part = first.slice(..1);
        let second = downloads.begin("o1".into()).unwrap();
        assert!(downloads.begin("o1".into()).is_err());
        assert!(downloads.begin("o2".into()).is_ok());
        drop(first);
        assert!(downloads.begin("o1".into()).is_err(), "a part of it is still held");
        drop(part);
        drop(downloads.begin("o1".into()).unwrap());
        drop(second);
        assert!(downloads.0.lock().unwrap().is_empty());
    }
}
