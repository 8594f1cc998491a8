//! Organizations, projects, and everybody there is, described.

use super::super::description::*;
use super::super::shape::*;
use super::super::tags::Tag;
use super::{CURSOR, LIMIT, done};

const ORGANIZATION_NAME: Shape = Shape::Text(2, 100, Format::Line);
const SLUG: Shape = Shape::Text(3, 50, Format::Line);
const SLUG_RULE: &str = "3 to 50 of `a-z`, `0-9` and `-`; no other organization has it.";
const WHO: &str = "For the server's admins. `userId` is a person's id or e-mail address.";
const SEARCH: Parameter = parameter("search", TEXT, "Those with this text in them, whatever its case.");

pub(super) const LIST_OWN_ORGANIZATIONS: Description = Description::person(
    "listOwnOrganizations",
    Tag::OcoreOrganizations,
    "List the organizations that one belongs to",
)
.about("With one's role in each, in the order of their making.")
.query(&[CURSOR, LIMIT])
.answers(&[answer(200, "OwnOrganizationPart", "A part of the list.")]);

pub(super) const CREATE_ORGANIZATION: Description =
    Description::person("createOrganization", Tag::OcoreOrganizations, "Make an organization")
        .about("For the server's admins, and for everybody where `accounts.organizations` is `anyone`. Who makes it owns it.")
        .takes(&[
            required("name", ORGANIZATION_NAME, "What it is called."),
            nullable("slug", SLUG, "3 to 50 of `a-z`, `0-9` and `-`; one that follows from the name, where none is given."),
            nullable("owner", TEXT, "For the server's admins: who owns it instead, by id or e-mail address."),
        ])
        .example(r#"{"name":"My Org"}"#)
        .answers(&[answer(201, "Organization", "The organization.")])
        .refuses(&[404, 409]);

pub(super) const SHOW_ORGANIZATION: Description =
    Description::person("getOrganization", Tag::OcoreOrganizations, "Read the organization")
        .about("Takes `view:organization`.")
        .in_organization()
        .answers(&[answer(200, "Organization", "The organization.")])
        .refuses(&[404]);

pub(super) const UPDATE_ORGANIZATION: Description =
    Description::person("updateOrganization", Tag::OcoreOrganizations, "Alter the organization")
        .about("Takes `manage:organization`. What is not named stays. Another slug is in force when the answer has come.")
        .in_organization()
        .takes(&[
            optional("name", ORGANIZATION_NAME, "What it is called."),
            optional("slug", SLUG, SLUG_RULE),
        ])
        .example(r#"{"name":"Our Org"}"#)
        .answers(&[answer(200, "Organization", "The organization as it is now.")])
        .refuses(&[404, 409]);

pub(super) const LIST_ALL_ORGANIZATIONS: Description =
    Description::person("listAllOrganizations", Tag::OcoreOrganizations, "List every organization")
        .about("For the server's admins.")
        .query(&[CURSOR, LIMIT, SEARCH])
        .answers(&[answer(200, "OrganizationPart", "A part of the list.")]);

pub(super) const LIST_PROJECTS: Description =
    Description::person("listProjects", Tag::OcoreProjects, "List projects")
        .about("Takes `view:projects`. The active ones, in the order of their making.")
        .in_organization()
        .query(&[
            CURSOR,
            LIMIT,
            parameter(
                "include_archived",
                Shape::Choice(&["true", "false"]),
                "Those that are not active as well.",
            ),
        ])
        .answers(&[answer(200, "ProjectPart", "A part of the list.")]);

pub(super) const CREATE_PROJECT: Description =
    Description::person("createProject", Tag::OcoreProjects, "Make a project")
        .about("Takes `manage:projects`.")
        .in_organization()
        .takes(&[
            required("name", NAME, "What it is called."),
            nullable("description", DESCRIPTION, "What it is for."),
        ])
        .example(r#"{"name":"Invoices"}"#)
        .answers(&[answer(201, "Project", "The project.")])
        .refuses(&[404, 409]);

pub(super) const SHOW_PROJECT: Description =
    Description::person("getProject", Tag::OcoreProjects, "Read a project")
        .about("Takes `view:projects`.")
        .in_organization()
        .answers(&[answer(200, "Project", "The project.")])
        .refuses(&[404]);

pub(super) const UPDATE_PROJECT: Description = Description::person(
    "updateProject",
    Tag::OcoreProjects,
    "Alter a project",
)
.about("Takes `manage:projects`. What is not named stays. In force at the edge when the answer has come.")
.in_organization()
.takes(&[
    optional("name", NAME, "What it is called."),
    nullable("description", DESCRIPTION, "What it is for; null takes it away."),
    optional("isActive", Shape::Flag, "False: it is not listed any more; its keys work on."),
])
.example(r#"{"isActive":false}"#)
.answers(&[answer(200, "Project", "The project as it is now.")])
.refuses(&[404, 409]);

pub(super) const DELETE_PROJECT: Description =
    Description::person("deleteProject", Tag::OcoreProjects, "Remove a project")
        .about(
            "Takes `manage:projects`. Not while keys are bound to it (409), unless they are to go with it.",
        )
        .in_organization()
        .query(&[parameter(
            "delete_keys",
            Shape::Choice(&["true", "false"]),
            "Its keys go with it: they are dead when the answer has come.",
        )])
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const LIST_PEOPLE: Description =
    Description::person("listPeople", Tag::OcorePeople, "List everybody")
        .about("For the server's admins. In the order of their making.")
        .query(&[CURSOR, LIMIT, SEARCH])
        .answers(&[answer(200, "PersonPart", "A part of the list.")]);

pub(super) const CREATE_PERSON: Description =
    Description::person("createPerson", Tag::OcorePeople, "Make an account for somebody")
        .about("For the server's admins. With a role in an organization, or belonging nowhere yet.")
        .takes(&[
            required("email", EMAIL, "Their e-mail address."),
            nullable("name", NAME, "Their name; the address as far as the `@`, where none is given."),
            required("password", NEW_PASSWORD, "At least one letter and one digit."),
            nullable("organization", TEXT, "By id or slug."),
            nullable(
                "role",
                Shape::Choice(&["owner", "admin", "developer", "viewer"]),
                "Their role there; `viewer` where none is given.",
            ),
        ])
        .example(r#"{"email":"new@example.com","name":"New","password":"correct horse 1"}"#)
        .answers(&[answer(201, "Person", "The person.")])
        .refuses(&[404, 409]);

pub(super) const SHOW_PERSON: Description =
    Description::person("getPerson", Tag::OcorePeople, "Read a person")
        .about(WHO)
        .answers(&[answer(200, "Person", "The person.")])
        .refuses(&[404]);

pub(super) const UPDATE_PERSON: Description =
    Description::person("updatePerson", Tag::OcorePeople, "Alter a person")
        .about(WHO)
        .takes(&[
            optional("name", NAME, "Their name."),
            optional("isActive", Shape::Flag, "False: their sessions end, and nobody logs in as them."),
            optional("isServerAdmin", Shape::Flag, "Whether they look after the whole server; one stays."),
        ])
        .example(r#"{"isActive":false}"#)
        .answers(&[answer(200, "Person", "The person as they are now.")])
        .refuses(&[404, 409]);

pub(super) const DELETE_PERSON: Description =
    Description::person("deletePerson", Tag::OcorePeople, "Remove a person")
        .about(WHO)
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const ISSUE_PASSWORD_RESET: Description =
    Description::person("issuePasswordReset", Tag::OcorePeople, "Give out a token to choose a password by")
        .about(WHO)
        .answers(&[answer(201, "PasswordReset", "The token, which is good once.")])
        .refuses(&[404, 409]);
