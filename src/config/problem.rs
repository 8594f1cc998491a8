//! What is wrong in a file, where, and what to do about it; rendered as compilers do.

use super::mask;
use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// Where in the structure, e.g. `apis[0].routes[3].upstream`; empty for the whole file.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong. Never holds a secret.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Kinds of mistakes; the text in brackets after `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Not YAML, or YAML that is not used here.
    Syntax,
    /// A key stands twice in one section.
    DuplicateKey,
    /// A key that nothing reads.
    UnknownKey,
    /// A key that must be there.
    MissingKey,
    /// A list where a text belongs, and the like.
    WrongType,
    /// A value that its key does not take.
    InvalidValue,
    /// A name that nothing in the file has.
    UnknownReference,
    /// Two parts of the file that exclude each other.
    Conflict,
    /// `${…}` that cannot be filled in.
    Variable,
    /// A named file that cannot be read.
    File,
}

impl Code {
    /// The text shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::InvalidValue => "invalid-value",
            Self::UnknownReference => "unknown-reference",
            Self::Conflict => "conflict",
            Self::Variable => "variable",
            Self::File => "file",
        }
    }
}

impl Problem {
    /// A problem without advice.
    pub(crate) fn new(code: Code, path: String, line: usize, column: usize, message: String) -> Self {
        Self { code, path, line, column, message, help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Every mistake of one file, in the order of the file. `Display` renders them with the lines they stand on.
#[derive(Clone, Debug)]
pub struct Problems {
    file: String,
    /// The lines of the file, secrets masked already: the text of a secret is not kept here at all.
    lines: Vec<mask::Line>,
    list: Vec<Problem>,
}

impl Problems {
    /// Sorts the problems of a file by place.
    pub(crate) fn new(file: &str, source: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| (problem.line, problem.column));
        Self { file: file.to_owned(), lines: mask::lines(source), list }
    }

    /// The problems, by place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let Problem { code, line, column, message, help, .. } = problem;
        writeln!(f, "{}:{line}:{column}: error[{}]: {message}", self.file, code.as_str())?;
        if let Some(text) = line.checked_sub(1).and_then(|index| self.lines.get(index)) {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let (shown, indent) = text.window(*column);
            writeln!(f, " {number} | {shown}")?;
            writeln!(f, " {gutter} | {indent}^")?;
        }
        match help {
            Some(help) => writeln!(f, "help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.write(f, problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
