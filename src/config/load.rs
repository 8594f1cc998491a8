//! The configuration file on disk.

use super::diff::Outline;
use super::problem::Problems;
use super::watch::Prints;
use super::{Config, compile};
use std::path::{Path, PathBuf};

/// A configuration read from disk.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every file it was made of: its own, certificates and keys, what `${file:…}` named. All of them to be watched.
    pub files: Vec<PathBuf>,
    /// How they were, each before it was read.
    pub prints: Prints,
    /// The file itself, to be compared with another.
    pub outline: Outline,
}

/// Why there is no configuration. Printing it prints everything that a person needs.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not valid.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

impl Config {
    /// Reads and compiles a file, with the variables of the process's environment.
    ///
    /// # Errors
    /// When the file cannot be read, or with every problem in it.
    pub fn load(path: &Path) -> Result<Loaded, LoadError> {
        Self::load_with(path, &|name| std::env::var(name).ok())
    }

    /// As [`Config::load`], with variables from `env`.
    ///
    /// # Errors
    /// When the file cannot be read, or with every problem in it.
    pub fn load_with(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
        let own = path.to_owned();
        let mut prints = Prints::of([own.clone()]);
        let mut source = std::fs::read_to_string(path).map_err(unreadable)?;
        // `config.yaml` has the parent ``, which stands for the current folder.
        let folder = path.parent().unwrap_or(Path::new(""));
        let base_dir = std::path::absolute(folder_or_current(folder)).map_err(unreadable)?;
        let compile = |source: &str| compile::compile(source, &path.display().to_string(), &base_dir, env);
        let mut compiled = compile(&source)?;
        if !compiled.files.is_empty() {
            // Which files there are is known only now, when some were read: they are read again, so that what changes from
            // here on is seen.
            prints = Prints::of(std::iter::once(own.clone()).chain(compiled.files));
            source = std::fs::read_to_string(path).map_err(unreadable)?;
            compiled = compile(&source)?;
        }
        let mut files = vec![own];
        files.extend(compiled.files);
        Ok(Loaded { config: compiled.config, files, prints, outline: compiled.outline })
    }
}

fn folder_or_current(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
