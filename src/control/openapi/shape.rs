//! What values may be.

/// Whether something has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Presence {
    /// It has, and is not null.
    Required,
    /// It may be left out, and is not null.
    Optional,
    /// It may be left out or null.
    Nullable,
}

/// What readers of bodies tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// True or false.
    Flag,
    /// A whole number from 0.
    Number,
    /// Whatever has a name that begins with this one.
    Family,
    /// What only answers have.
    Other,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Text of so many characters, and what else is known of it.
    Text(usize, usize, Format),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of so many texts of so many characters each.
    Texts(usize, usize, usize),
    /// True or false.
    Flag,
    /// This, and nothing else.
    Always(bool),
    /// A whole number from and to.
    Whole(u64, Option<u64>),
    /// A record of the document.
    Record(&'static str),
    /// A list of these.
    List(&'static Shape),
    /// An object of whatever members.
    Anything,
    /// Not one member, but all whose names begin with this name.
    Family,
}

impl Shape {
    /// How it is read.
    pub(in crate::control) fn kind(self) -> Kind {
        match self {
            Self::Text(..) | Self::Choice(_) => Kind::Text,
            Self::Texts(..) => Kind::Texts,
            Self::Flag => Kind::Flag,
            Self::Whole(..) => Kind::Number,
            Self::Family => Kind::Family,
            Self::Always(_) | Self::Record(_) | Self::List(_) | Self::Anything => Kind::Other,
        }
    }
}

/// What is known of a text beside its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing.
    Free,
    /// No control characters, and not only white space.
    Line,
    /// An e-mail address, read generously.
    Email,
    /// A password: not shown while it is typed.
    Password,
    /// Milliseconds and all.
    Instant,
    /// A place in a list.
    Cursor,
}

/// Longer than any body.
pub(super) const ANY: usize = usize::MAX;

/// Any text.
pub(super) const TEXT: Shape = Shape::Text(0, ANY, Format::Free);
/// Any text but the empty one.
pub(super) const WORD: Shape = Shape::Text(1, ANY, Format::Free);
/// An instant.
pub(super) const INSTANT: Shape = Shape::Text(0, ANY, Format::Instant);
/// An e-mail address.
pub(super) const EMAIL: Shape = Shape::Text(3, 254, Format::Email);
/// A password that is only compared.
pub(super) const PASSWORD: Shape = Shape::Text(0, ANY, Format::Password);
/// A password that somebody chooses.
pub(super) const NEW_PASSWORD: Shape = Shape::Text(8, 256, Format::Password);
/// The name of a key.
pub(super) const NAME: Shape = Shape::Text(1, 100, Format::Line);
/// A description.
pub(super) const DESCRIPTION: Shape = Shape::Text(0, 500, Format::Free);
/// Permissions or scopes that are asked for.
pub(super) const ENTRIES: Shape = Shape::Texts(1, 100, 200);
/// A list of texts in an answer.
pub(super) const LIST: Shape = Shape::Texts(0, ANY, ANY);
