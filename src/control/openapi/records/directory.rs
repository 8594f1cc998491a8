//! Organizations, projects and everybody: what the server's own lists are made of.

use super::super::description::*;
use super::super::shape::*;
use super::{CREATED, ID, record};

/// The records.
pub(super) static RECORDS: &[Record] = &[
    record("ProjectPart", "A part of a list of projects.", Form::Part(Shape::Record("Project"))),
    record(
        "Organization",
        "An organization.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("slug", WORD, "For `X-Org-Slug`."),
            field("name", TEXT, "What it is called."),
            CREATED,
            field("updatedAt", INSTANT, "When it was last altered."),
        ]),
    ),
    record(
        "OrganizationPart",
        "A part of a list of organizations.",
        Form::Part(Shape::Record("Organization")),
    ),
    record(
        "OwnOrganization",
        "An organization that one belongs to.",
        Form::With("Organization", &[field("role", Shape::Record("RoleName"), "One's role there.")]),
    ),
    record(
        "OwnOrganizationPart",
        "A part of a list of organizations that one belongs to.",
        Form::Part(Shape::Record("OwnOrganization")),
    ),
    record(
        "Person",
        "A person, as the server's admins see them.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("email", TEXT, "Their e-mail address."),
            field("name", TEXT, "Their name."),
            field("isActive", Shape::Flag, "Whether they can log in, and their keys work."),
            field("isServerAdmin", Shape::Flag, "Whether they look after the whole server."),
            field("totpEnabled", Shape::Flag, "Whether their logins ask for a second factor."),
            field("organizations", Shape::List(&Shape::Record("PersonPlace")), "Where they belong."),
            CREATED,
        ]),
    ),
    record(
        "PersonPlace",
        "A person's place in an organization.",
        Form::Fields(&[
            field("id", ID, "The organization's."),
            field("slug", WORD, "The organization's."),
            field("role", Shape::Record("RoleName"), "Their role there."),
        ]),
    ),
    record("PersonPart", "A part of a list of people.", Form::Part(Shape::Record("Person"))),
    record(
        "PasswordReset",
        "By what somebody chooses a new password; shown once.",
        Form::Fields(&[
            field("token", WORD, "For `POST /api/auth/reset-password`; good once."),
            field("expiresAt", INSTANT, "When it is over."),
        ]),
    ),
];
