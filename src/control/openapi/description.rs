//! What an endpoint takes and answers, as data: the document is written from it, and readers of requests are held to it.

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct Description {
    /// `operationId`
    pub(super) id: &'static str,
    pub(super) tag: Tag,
    /// One line.
    pub(super) summary: &'static str,
    /// CommonMark; may be empty.
    pub(super) about: &'static str,
    pub(super) who: Who,
    /// Whether `X-Org-Slug` says what it is about.
    pub(super) in_organization: bool,
    /// The parameters of the query, all of them.
    pub(in crate::control) query: &'static [Parameter],
    /// The members of the body, all of them.
    pub(in crate::control) body: Body,
    /// A body to begin with, as JSON text.
    pub(super) example: Option<&'static str>,
    pub(super) answers: &'static [Answer],
    /// Statuses of refusals beside those that follow from the rest.
    pub(super) refusals: &'static [u16],
}

/// A chapter of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Edge,
    OcrivaLogin,
    OcrivaTokens,
    OcoreSessions,
    OcoreAccount,
    OcoreSecondFactor,
    OcoreApiKeys,
    OcoreMembers,
    OcoreRoles,
    OcoreInvitations,
    OcoreOrganizations,
    OcoreProjects,
    OcorePeople,
    OcrivaWebhooks,
    OcrivaAudit,
    OcrivaOperations,
    OcoreWebhooks,
    OcoreAudit,
    OcoreOperations,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Anybody.
    Anybody,
    /// Anybody; what a header field shows of a session is looked at.
    Leaver,
    /// A person with a session.
    Person,
    /// Who has a key.
    Key,
}

/// A body.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) enum Body {
    /// None is read.
    None,
    /// One has to come.
    Required(&'static [Member]),
    /// One may come.
    Optional(&'static [Member]),
}

impl Body {
    /// Its members.
    pub(in crate::control) fn members(self) -> &'static [Member] {
        match self {
            Self::None => &[],
            Self::Required(members) | Self::Optional(members) => members,
        }
    }
}

/// A member of a body.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct Member {
    pub(in crate::control) name: &'static str,
    pub(super) shape: Shape,
    pub(in crate::control) presence: Presence,
    pub(super) about: &'static str,
}

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
}

impl Shape {
    /// How it is read.
    pub(in crate::control) fn kind(self) -> Kind {
        match self {
            Self::Text(..) | Self::Choice(_) => Kind::Text,
            Self::Texts(..) => Kind::Texts,
            Self::Flag => Kind::Flag,
            Self::Whole(..) => Kind::Number,
            Self::Always(_) | Self::Record(_) | Self::List(_) | Self::Anything => Kind::Other,
        }
    }
}

impl Member {
    /// How it is read.
    pub(in crate::control) fn kind(&self) -> Kind {
        self.shape.kind()
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

/// A parameter of the query. None of them has to be there.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct Parameter {
    pub(in crate::control) name: &'static str,
    pub(super) shape: Shape,
    pub(super) about: &'static str,
}

/// An answer that is no refusal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    /// The record in its body.
    pub(super) record: Option<&'static str>,
    /// Whether it may be CSV instead.
    pub(super) csv: bool,
    /// Header fields beside those that every answer has.
    pub(super) headers: &'static [Header],
}

/// A header field of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Where what was made is.
    Location,
    /// The cookies of a session.
    SetCookie,
    /// After how many seconds to ask again.
    RetryAfter,
    /// The name of a file.
    Disposition,
}

/// A schema of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) form: Form,
}

/// How a record is made up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// These members, and no others.
    Fields(&'static [Field]),
    /// Those of another record, and these.
    With(&'static str, &'static [Field]),
    /// A part of a list of these, by cursor.
    Part(Shape),
    /// A page of a list of these, by number.
    Page(&'static str),
    /// A page of a list of these by number, as the `ocore` dialect has it.
    Items(&'static str),
    /// A bare list of these.
    List(&'static str),
    /// One of these records.
    Either(&'static [&'static str]),
}

/// A member of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether it may be null.
    pub(super) null: bool,
    /// Whether it may be missing.
    pub(super) absent: bool,
    pub(super) about: &'static str,
}

impl Description {
    const fn new(id: &'static str, tag: Tag, who: Who, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            about: "",
            who,
            in_organization: false,
            query: &[],
            body: Body::None,
            example: None,
            answers: &[],
            refusals: &[],
        }
    }

    /// What anybody may ask.
    pub(super) const fn anybody(id: &'static str, tag: Tag, summary: &'static str) -> Self {
        Self::new(id, tag, Who::Anybody, summary)
    }

    /// What people with a session may ask.
    pub(super) const fn person(id: &'static str, tag: Tag, summary: &'static str) -> Self {
        Self::new(id, tag, Who::Person, summary)
    }

    /// What who has a key may ask.
    pub(super) const fn key(id: &'static str, tag: Tag, summary: &'static str) -> Self {
        Self::new(id, tag, Who::Key, summary)
    }

    pub(super) const fn leaver(self) -> Self {
        Self { who: Who::Leaver, ..self }
    }

    pub(super) const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    pub(super) const fn in_organization(self) -> Self {
        Self { in_organization: true, ..self }
    }

    /// The same in the `ocore` dialect.
    pub(super) const fn in_ocore(self, tag: Tag) -> Self {
        Self { tag, ..self }.in_organization()
    }

    pub(super) const fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn takes(self, members: &'static [Member]) -> Self {
        Self { body: Body::Required(members), ..self }
    }

    pub(super) const fn may_take(self, members: &'static [Member]) -> Self {
        Self { body: Body::Optional(members), ..self }
    }

    pub(super) const fn example(self, text: &'static str) -> Self {
        Self { example: Some(text), ..self }
    }

    pub(super) const fn answers(self, answers: &'static [Answer]) -> Self {
        Self { answers, ..self }
    }

    pub(super) const fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }
}

/// An answer with a record.
pub(super) const fn answer(status: u16, record: &'static str, about: &'static str) -> Answer {
    Answer { status, about, record: Some(record), csv: false, headers: &[] }
}

/// An answer without a body.
pub(super) const fn nothing(about: &'static str) -> Answer {
    Answer { status: 204, about, record: None, csv: false, headers: &[] }
}

impl Answer {
    pub(super) const fn with(self, headers: &'static [Header]) -> Self {
        Self { headers, ..self }
    }

    pub(super) const fn or_csv(self) -> Self {
        Self { csv: true, ..self }
    }
}

pub(super) const fn required(name: &'static str, shape: Shape, about: &'static str) -> Member {
    Member { name, shape, presence: Presence::Required, about }
}

pub(super) const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Member {
    Member { name, shape, presence: Presence::Optional, about }
}

pub(super) const fn nullable(name: &'static str, shape: Shape, about: &'static str) -> Member {
    Member { name, shape, presence: Presence::Nullable, about }
}

pub(super) const fn parameter(name: &'static str, shape: Shape, about: &'static str) -> Parameter {
    Parameter { name, shape, about }
}

/// A member that is always there.
pub(super) const fn field(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, null: false, absent: false, about }
}

/// A member that is always there, and may be null.
pub(super) const fn or_null(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { null: true, ..field(name, shape, about) }
}

/// A member that may be missing.
pub(super) const fn sometimes(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { absent: true, ..field(name, shape, about) }
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
