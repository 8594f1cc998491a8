//! Paths in the configuration: resolved against its folder, checked, remembered for the watcher.

use crate::config::document::Value;
use crate::config::problem::Code;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The folder that relative paths start from, and the files that were named.
pub(super) struct Files {
    base_dir: PathBuf,
    used: RefCell<Vec<PathBuf>>,
}

impl Files {
    pub(super) fn new(base_dir: &Path) -> Self {
        Self { base_dir: base_dir.to_owned(), used: RefCell::default() }
    }

    /// The files that [`Files::existing`] was asked for.
    pub(super) fn used(&self) -> Vec<PathBuf> {
        self.used.borrow().clone()
    }

    /// A path against the folder of the configuration file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base_dir.join(path)
    }

    /// A path against the folder of the configuration file, which is read; remembered like [`Files::existing`].
    pub(super) fn named(&self, path: &str) -> PathBuf {
        let path = self.resolve(path);
        self.used.borrow_mut().push(path.clone());
        path
    }

    /// A file that is there and can be read.
    pub(super) fn existing(&self, value: &Value<'_>) -> Option<PathBuf> {
        let path = self.resolve(value.non_empty()?);
        self.used.borrow_mut().push(path.clone());
        if let Err(error) = readable(&path) {
            let message = format!("cannot read the file `{}`: {error}", path.display());
            let help = "relative paths start from the folder of the configuration file";
            value.report(Code::File, message, Some(help));
            return None;
        }
        Some(path)
    }
}

pub(super) fn readable(path: &Path) -> std::io::Result<()> {
    // Asked before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    std::fs::File::open(path).map(drop)
}
