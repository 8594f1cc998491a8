//! Organizations, projects, and people as the server's admins see them, described.

use super::super::description::*;
use super::done;
use super::organization::{CURSOR, LIMIT};

const ORGANIZATION_NAME: Shape = Shape::Text(2, 100, Format::Line);
const SLUG: Shape = Shape::Text(3, 50, Format::Free);
const PERSON: Tag = Tag::OcorePeople;

pub(super) const LIST_OWN_ORGANIZATIONS: Description =
    Description::person("listOrganizations", Tag::OcoreOrganizations, "List one's own organizations")
        .about("With one's role there, in the order of their making.")
        .query(&[CURSOR, LIMIT])
        .answers(&[answer(200, "OwnOrganizationList", "A part of the list.")]);

pub(super) const CREATE_ORGANIZATION: Description =
    Description::person("createOrganization", Tag::OcoreOrganizations, "Make an organization")
        .about(
            "For the server's admins, and for everybody where the configuration says `accounts.organizations: anyone`. Who \
             makes it owns it.",
        )
        .takes(&[
            required("name", ORGANIZATION_NAME, "What people call it."),
            nullable("slug", SLUG, "Of a-z, 0-9 and -, and nobody else's; follows from the name where none is given."),
            nullable("owner", TEXT, "Whose it is to be, by id or e-mail address; for the server's admins."),
        ])
        .example(r#"{"name":"My Org","slug":"my-org"}"#)
        .answers(&[answer(201, "Organization", "The organization.")])
        .refuses(&[404, 409]);

pub(super) const SHOW_ORGANIZATION: Description =
    Description::person("getOrganization", Tag::OcoreOrganizations, "Read the organization")
        .about("Takes `view:organization`.")
        .in_organization()
        .answers(&[answer(200, "Organization", "The organization.")]);

pub(super) const UPDATE_ORGANIZATION: Description =
    Description::person("updateOrganization", Tag::OcoreOrganizations, "Alter the organization")
        .about("Takes `manage:organization`. An old slug names nothing when the answer has come.")
        .in_organization()
        .takes(&[
            optional("name", ORGANIZATION_NAME, "What people call it."),
            optional("slug", SLUG, "Of a-z, 0-9 and -, and nobody else's."),
        ])
        .example(r#"{"name":"My Organization"}"#)
        .answers(&[answer(200, "Organization", "The organization as it is now.")])
        .refuses(&[409]);

pub(super) const LIST_ALL_ORGANIZATIONS: Description =
    Description::person("listAllOrganizations", PERSON, "List every organization")
        .about("For the server's admins.")
        .query(&[
            CURSOR,
            LIMIT,
            parameter("search", TEXT, "Those with this text in name or slug, whatever its case."),
        ])
        .answers(&[answer(200, "OrganizationList", "A part of the list.")]);

pub(super) const LIST_PROJECTS: Description =
    Description::person("listProjects", Tag::OcoreProjects, "List projects")
        .about("Takes `view:projects`. In the order of their making.")
        .in_organization()
        .query(&[CURSOR, LIMIT, parameter("include_archived", Shape::Flag, "Those that are not active too.")])
        .answers(&[answer(200, "OcoreProjectList", "A part of the list.")]);

pub(super) const CREATE_PROJECT: Description =
    Description::person("createProject", Tag::OcoreProjects, "Make a project")
        .about("Takes `manage:projects`.")
        .in_organization()
        .takes(&[
            required("name", NAME, "What people call it."),
            nullable("description", DESCRIPTION, "What it is for."),
        ])
        .example(r#"{"name":"Billing"}"#)
        .answers(&[answer(201, "OcoreProject", "The project.")]);

pub(super) const SHOW_PROJECT: Description =
    Description::person("getProject", Tag::OcoreProjects, "Read a project")
        .about("Takes `view:projects`.")
        .in_organization()
        .answers(&[answer(200, "OcoreProject", "The project.")])
        .refuses(&[404]);

pub(super) const UPDATE_PROJECT: Description =
    Description::person("updateProject", Tag::OcoreProjects, "Alter a project")
        .about("Takes `manage:projects`. What is not named stays.")
        .in_organization()
        .takes(&[
            optional("name", NAME, "What people call it."),
            nullable("description", DESCRIPTION, "What it is for; null takes it away."),
            optional(
                "isActive",
                Shape::Flag,
                "An inactive project is left out of lists; its keys go on working.",
            ),
        ])
        .example(r#"{"description":"for the accountants"}"#)
        .answers(&[answer(200, "OcoreProject", "The project as it is now.")])
        .refuses(&[404, 409]);

pub(super) const DELETE_PROJECT: Description =
    Description::person("deleteProject", Tag::OcoreProjects, "Remove a project")
        .about(
            "Takes `manage:projects`. Not while keys are bound to it (409), unless they are to go with it: that takes what \
             removing each of them takes, and they are dead when the answer has come.",
        )
        .in_organization()
        .query(&[parameter("delete_keys", Shape::Flag, "Whether keys that are bound to it go with it.")])
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const LIST_PEOPLE: Description = Description::person("listUsers", PERSON, "List everybody")
    .about("For the server's admins.")
    .query(&[
        CURSOR,
        LIMIT,
        parameter("search", TEXT, "Those with this text in name or e-mail address, whatever its case."),
    ])
    .answers(&[answer(200, "PersonList", "A part of the list.")]);

pub(super) const CREATE_PERSON: Description = Description::person("createUser", PERSON, "Make a person")
    .about("For the server's admins.")
    .takes(&[
        required("email", EMAIL, "To log in with; nobody else has it, whatever its case."),
        required("password", NEW_PASSWORD, "At least one letter and one digit."),
        nullable("name", NAME, "What stands before the @, where none is given."),
        nullable("organization", TEXT, "Where they belong, by id or slug; nowhere, where none is given."),
        nullable("role", TEXT, "`owner`, `admin`, `developer` or `viewer`; `viewer` where none is given."),
    ])
    .example(
        r#"{"email":"new@example.com","password":"correct horse 1","organization":"my-org","role":"viewer"}"#,
    )
    .answers(&[answer(201, "Person", "The person.")])
    .refuses(&[404, 409]);

pub(super) const SHOW_PERSON: Description = Description::person("getUser", PERSON, "Read a person")
    .about("For the server's admins.")
    .answers(&[answer(200, "Person", "The person.")])
    .refuses(&[404]);

pub(super) const UPDATE_PERSON: Description = Description::person("updateUser", PERSON, "Alter a person")
    .about("For the server's admins, of whom one stays (409). What is not named stays.")
    .takes(&[
        optional("name", NAME, "What people call them."),
        optional("isActive", Shape::Flag, "False blocks them everywhere at once, and ends their sessions."),
        optional("isServerAdmin", Shape::Flag, "Whether they look after the whole server."),
    ])
    .example(r#"{"isActive":false}"#)
    .answers(&[answer(200, "Person", "The person as they are now.")])
    .refuses(&[404, 409]);

pub(super) const DELETE_PERSON: Description = Description::person("deleteUser", PERSON, "Remove a person")
    .about("For the server's admins. Not the last of them, nor who owns an organization alone (409).")
    .answers(&[done()])
    .refuses(&[404, 409]);

pub(super) const ISSUE_PASSWORD_RESET: Description = Description::person(
    "createPasswordReset",
    PERSON,
    "Give out a token to choose a password by",
)
.about(
    "For the server's admins, who hand it over. Good for a day and once, at `POST /api/auth/reset-password`.",
)
.answers(&[answer(201, "PasswordReset", "The token, which is shown once.")])
.refuses(&[404]);
