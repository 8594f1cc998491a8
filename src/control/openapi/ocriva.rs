//! The endpoints of the `ocriva` dialect, described.

use super::both::USED;
use super::description::*;
use super::shape::*;
use super::tags::Tag;
use crate::dialect::endpoint::edge;

const EXPIRES: &str = "An instant in the future, such as `2030-01-01T00:00:00Z`.";
const PERMISSIONS: &str = "Free texts; order and case are kept.";
const WHITELIST: &str =
    "IP addresses and CIDR ranges, such as `203.0.113.10` or `10.0.0.0/8`; none means any address.";
const NETWORKS: Shape = Shape::Texts(0, 100, ANY);
const KINDS: Shape = Shape::Choice(&["organization", "project"]);

/// Email and password for an access token.
pub(super) const LOG_IN: Description =
    Description::anybody("logIn", Tag::OcrivaLogin, "Log in with e-mail address and password")
        .about(
            "The access token in the answer goes into `Authorization: Bearer …`. Ten failed logins of one account, or thirty \
             from one address, in a minute are answered 429. Accounts with a second factor log in at `/api/auth/login`.",
        )
        .takes(&[
            required("email", TEXT, "The e-mail address of the account."),
            required("password", PASSWORD, "Its password."),
        ])
        .example(r#"{"email":"owner@example.com","password":"correct horse 1"}"#)
        .answers(&[answer(200, "OcrivaSession", "A session has begun.")])
        .refuses(&[401, 403, 429]);

const NEW_NAME: Member = required("name", NAME, "What the key is called.");
const NEW_DESCRIPTION: Member = nullable("description", DESCRIPTION, "What it is for.");
const NEW_PERMISSIONS: Member = required("permissions", ENTRIES, PERMISSIONS);
const NEW_SCOPES: Member = required("scopes", ENTRIES, PERMISSIONS);
const NEW_EXPIRES: Member = nullable(
    "expiresAt",
    INSTANT,
    "An instant in the future; one calendar year from now where none is given.",
);
const NEW_WHITELIST: Member = nullable("ipWhitelist", NETWORKS, WHITELIST);

pub(super) const CREATE_TOKEN: Description =
    Description::person("createToken", Tag::OcrivaTokens, "Make a key")
        .about("For owners and admins of the organization. The value is in `token` of the answer, and \
             nowhere else, ever.")
        .takes(&[
            NEW_NAME,
            NEW_DESCRIPTION,
            required("type", KINDS, "Whether it opens all projects of the organization, or one."),
            nullable("projectId", TEXT, "For the type `project`: a project of the organization. Not for \
                 the other."),
            NEW_PERMISSIONS,
            NEW_SCOPES,
            NEW_EXPIRES,
            NEW_WHITELIST,
        ])
        .example(
            r#"{"name":"CI","type":"organization","permissions":["read","write"],"scopes":["documents"],"expiresAt":"2099-01-01T00:00:00Z"}"#,
        )
        .answers(&[answer(201, "TokenWithValue", "The key, and its value.").with(&[Header::Location])])
        .refuses(&[409]);

pub(super) const CREATE_PROJECT_TOKEN: Description =
    Description::person("createProjectToken", Tag::OcrivaTokens, "Make a key of one project")
        .about(
            "For owners and admins of the organization. The key is bound to the project in the path; `type` and `projectId` in \
             the body are ignored.",
        )
        .takes(&[NEW_NAME, NEW_DESCRIPTION, NEW_PERMISSIONS, NEW_SCOPES, NEW_EXPIRES, NEW_WHITELIST])
        .example(r#"{"name":"CI","permissions":["read"],"scopes":["documents"]}"#)
        .answers(&[answer(201, "TokenWithValue", "The key, and its value.").with(&[Header::Location])])
        .refuses(&[404, 409]);

pub(super) const LIST_TOKENS: Description = Description::person("listTokens", Tag::OcrivaTokens, "List keys")
    .about(
        "Owners and admins see all keys of the organization, other members those that they made. \
             In the order of their making, unless `sort` says otherwise.",
    )
    .query(&[
        parameter("type", KINDS, "Keys of this type."),
        parameter(
            "isActive",
            Shape::Flag,
            "Keys that are active, or are not; an expired key may be \
                 active.",
        ),
        parameter("projectId", TEXT, "Keys that are bound to this project."),
        parameter("search", TEXT, "Keys with this text in their name or description, whatever its case."),
        parameter(
            "sort",
            Shape::Choice(&["createdAt", "name", "expiresAt", "lastUsedAt", "usageCount"]),
            "What keys are sorted by. Without a value: never over comes after every `expiresAt`, never used before every \
             `lastUsedAt`.",
        ),
        parameter("order", Shape::Choice(&["asc", "desc"]), "The least first, or the greatest: `asc` where nothing is said."),
        parameter("page", Shape::Whole(1, None), "The page, counted from 1."),
        parameter(
            "limit",
            Shape::Whole(1, None),
            "Keys on a page: 20 where nothing is said, at most \
                 100; more is taken for 100.",
        ),
    ])
    .answers(&[answer(200, "TokenPage", "A page of keys.")]);

pub(super) const SHOW_TOKEN: Description = Description::person("getToken", Tag::OcrivaTokens, "Read a key")
    .about("For its creator and the organization's owners and admins.")
    .answers(&[answer(200, "Token", "The key, without its value.")])
    .refuses(&[404]);

pub(super) const SHOW_TOKEN_USAGE: Description =
    Description::person("getTokenUsage", Tag::OcrivaTokens, "How a key was used")
        .about(
            "For its creator and the organization's owners and admins. Up to the moment on the node that is asked; other nodes \
             write what they have counted each second, or less often where very many keys are in use.",
        )
        .query(USED)
        .answers(&[answer(200, "Usage", "Uses and refusals, hour by hour or day by day.")])
        .refuses(&[404]);

pub(super) const UPDATE_TOKEN: Description =
    Description::person("updateToken", Tag::OcrivaTokens, "Alter a key")
        .about(
            "For its creator and the organization's owners and admins. What is not named stays; the value stays whatever is \
             named. In force at the edge when the answer has come.",
        )
        .takes(&[
            optional("name", NAME, "What the key is called."),
            nullable("description", DESCRIPTION, "What it is for; null takes it away."),
            optional("permissions", ENTRIES, PERMISSIONS),
            optional("scopes", ENTRIES, PERMISSIONS),
            optional("expiresAt", INSTANT, EXPIRES),
            optional("isActive", Shape::Flag, "False blocks the key until it is true again."),
            optional("ipWhitelist", NETWORKS, WHITELIST),
        ])
        .example(r#"{"description":"for the nightly build","isActive":true}"#)
        .answers(&[answer(200, "Token", "The key as it is now.")])
        .refuses(&[404, 409]);

pub(super) const REGENERATE_TOKEN: Description =
    Description::person("regenerateToken", Tag::OcrivaTokens, "Give a key a new value")
        .about(
            "For its creator and the organization's owners and admins. The old value is dead when the answer has come. A key \
             that had expired gets the life again that it had before, unless `expiresAt` says otherwise.",
        )
        .may_take(&[nullable("expiresAt", INSTANT, EXPIRES)])
        .answers(&[answer(200, "TokenWithValue", "The key, and its new value.")])
        .refuses(&[404, 409]);

pub(super) const DELETE_TOKEN: Description = Description::person(
    "deleteToken",
    Tag::OcrivaTokens,
    "Remove a key",
)
.about("For its creator and the organization's owners and admins. The key is dead when the answer has come.")
.answers(&[nothing("The key is removed.")])
.refuses(&[404, 409]);

/// What the edge answers itself.
pub(super) fn of_edge(operation: edge::Operation) -> &'static Description {
    match operation {
        edge::Operation::LogInWithKey => &LOG_IN_WITH_KEY,
        edge::Operation::ListProjects => &LIST_PROJECTS,
        edge::Operation::ListOrganizationProjects => &LIST_ORGANIZATION_PROJECTS,
        edge::Operation::ShowSigningKeys => &SHOW_SIGNING_KEYS,
    }
}

const LOG_IN_WITH_KEY: Description =
    Description::anybody("logInWithKey", Tag::Edge, "Trade a key for a short-lived token")
        .about(
            "The token is good for an hour, and never longer than the key; it is looked up with each request as the key is. \
             Counts as a use of the key, and in its rate limit.",
        )
        .takes(&[required("token", WORD, "The key, `ocr_…`.")])
        .example(r#"{"token":"ocr_0123456789abcdef0123456789abcdef"}"#)
        .answers(&[answer(200, "KeySession", "A token in the place of the key.")])
        .refuses(&[401, 403, 429]);

const PROJECTS: &str = "An organization key has all active projects of the organization, a project key \
     its own project, active or not.";
const PROJECT_ID: Parameter =
    parameter("projectId", TEXT, "Does not filter; where it is given, it must be a project of the key.");

const LIST_PROJECTS: Description = Description::key("listProjects", Tag::Edge, "List the projects of a key")
    .about(PROJECTS)
    .query(&[PROJECT_ID])
    .answers(&[answer(200, "ProjectList", "The projects, in the order of their making.")])
    .refuses(&[429]);

const LIST_ORGANIZATION_PROJECTS: Description =
    Description::key("listOrganizationProjects", Tag::Edge, "List the projects of a key, by organization")
        .about("As `/v1/openapi/projects`. An organization that is not the key's is answered 401.")
        .query(&[PROJECT_ID])
        .answers(&[answer(200, "ProjectList", "The projects, in the order of their making.")])
        .refuses(&[429]);

const SHOW_SIGNING_KEYS: Description = Description::anybody(
    "getSigningKeys",
    Tag::Edge,
    "The public keys of identities",
)
.about("With these, backends verify the signed identity that the gateway sends with each request (RFC 7517).")
.answers(&[answer(200, "SigningKeys", "A JSON Web Key Set.")]);
