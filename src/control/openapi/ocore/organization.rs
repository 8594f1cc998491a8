//! Keys, members, roles and invitations of an organization, described.

use super::super::both::USED;
use super::super::description::*;
use super::super::shape::*;
use super::super::tags::Tag;
use super::{CURSOR, LIMIT, done};

const PERMISSIONS: &str = "Known ones, that one has oneself: `GET /api/permissions` lists them.";
const SCOPE: Shape = Shape::Text(1, 200, Format::Line);
const EXTRAS: &str = "Kept as they come, and given back; null takes one away. At most 16, of 4096 bytes.";
const NEVER: &str = "An instant in the future; never, where none is given.";

/// When a node can not be reached, for as long as that one may go on.
const SOON: Answer = answer(
    202,
    "Operation",
    "Written, and in force here. A node has not confirmed it for a second: the operation ends when no node goes by what was \
     before. `Location` says where it can be asked for.",
);

pub(super) const LIST_API_KEYS: Description =
    Description::person("listApiKeys", Tag::OcoreApiKeys, "List API keys")
        .about("Takes `view:api-keys`. In the order of their making.")
        .in_organization()
        .query(&[CURSOR, LIMIT])
        .answers(&[answer(200, "ApiKeyList", "A part of the list.")]);

pub(super) const CREATE_API_KEY: Description =
    Description::person("createApiKey", Tag::OcoreApiKeys, "Make an API key")
        .about(
            "Takes `manage:api-keys`. The value is in `key` of the answer, and nowhere else, ever. What the key may do is cut, \
             with each request, to what the role of its creator has at that time.",
        )
        .in_organization()
        .takes(&[
            required("name", NAME, "No other key of the organization has it."),
            required("permissions", ENTRIES, PERMISSIONS),
            nullable("scope", SCOPE, "A word of one's own."),
            nullable("expiresAt", INSTANT, NEVER),
            optional("mcp", Shape::Family, EXTRAS),
        ])
        .example(r#"{"name":"CI","permissions":["view:servers"]}"#)
        .answers(&[answer(201, "ApiKeyWithValue", "The key, and its value.")])
        .refuses(&[409]);

pub(super) const SHOW_API_KEY: Description =
    Description::person("getApiKey", Tag::OcoreApiKeys, "Read an API key")
        .about("Takes `view:api-keys`.")
        .in_organization()
        .answers(&[answer(200, "ApiKey", "The key, without its value.")])
        .refuses(&[404]);

pub(super) const SHOW_API_KEY_USAGE: Description =
    Description::person("getApiKeyUsage", Tag::OcoreApiKeys, "How an API key was used")
        .about("Takes `view:api-keys`. As old as `getTokenUsage` says.")
        .in_organization()
        .query(USED)
        .answers(&[answer(200, "Usage", "Uses and refusals, hour by hour or day by day.")])
        .refuses(&[404]);

pub(super) const UPDATE_API_KEY: Description =
    Description::person("updateApiKey", Tag::OcoreApiKeys, "Alter an API key")
        .about("Takes `manage:api-keys`. What is not named stays; the value stays whatever is named.")
        .in_organization()
        .takes(&[
            optional("name", NAME, "No other key of the organization has it."),
            optional("permissions", ENTRIES, PERMISSIONS),
            nullable("scope", SCOPE, "A word of one's own; null takes it away."),
            nullable("expiresAt", INSTANT, "An instant in the future; null for never."),
            optional("isActive", Shape::Flag, "False blocks the key until it is true again."),
            optional("mcp", Shape::Family, EXTRAS),
        ])
        .example(r#"{"name":"CD"}"#)
        .answers(&[answer(200, "ApiKey", "The key as it is now."), SOON])
        .refuses(&[404, 409]);

pub(super) const DELETE_API_KEY: Description =
    Description::person("deleteApiKey", Tag::OcoreApiKeys, "Remove an API key")
        .about("Takes `manage:api-keys`. The key is dead when the answer has come.")
        .in_organization()
        .answers(&[done(), SOON])
        .refuses(&[404, 409]);

pub(super) const LIST_ALL_API_KEYS: Description =
    Description::person("listAllApiKeys", Tag::OcoreApiKeys, "List the API keys of every organization")
        .about("For the server's admins.")
        .query(&[
            CURSOR,
            LIMIT,
            parameter("page", Shape::Whole(1, None), "Counted from 1, from the cursor on."),
            parameter("search", TEXT, "Keys with this text in their name, whatever its case."),
        ])
        .answers(&[answer(200, "AnyApiKeyList", "A part of the list.")]);

pub(super) const DELETE_ANY_API_KEY: Description =
    Description::person("deleteAnyApiKey", Tag::OcoreApiKeys, "Remove an API key of whatever organization")
        .about("For the server's admins.")
        .answers(&[done(), SOON])
        .refuses(&[404, 409]);

pub(super) const LIST_MEMBERS: Description =
    Description::person("listMembers", Tag::OcoreMembers, "List members")
        .about("Takes `view:members`.")
        .in_organization()
        .query(&[CURSOR, LIMIT])
        .answers(&[answer(200, "MemberList", "A part of the list.")]);

pub(super) const CHANGE_ROLE: Description =
    Description::person("changeRole", Tag::OcoreMembers, "Give a member another role")
        .about(
            "Takes `manage:members`. Nobody gives a role that is more than their own; owners are owners' business, and one \
             stays. In force when the answer has come, for the person and for the keys that they made.",
        )
        .in_organization()
        .takes(&[required("role", TEXT, "`owner`, `admin`, `developer`, `viewer`, or the name or id of a \
             role of the organization's own.")])
        .example(r#"{"role":"developer"}"#)
        .answers(&[answer(200, "Member", "The member as they are now.")])
        .refuses(&[404, 409]);

pub(super) const REMOVE_MEMBER: Description =
    Description::person("removeMember", Tag::OcoreMembers, "Take a member out of the organization")
        .about("Takes `manage:members`. The keys that they made grant nothing any more.")
        .in_organization()
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const LEAVE: Description =
    Description::person("leaveOrganization", Tag::OcoreMembers, "Leave the organization")
        .about("Its last owner can not (409).")
        .in_organization()
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const LIST_ROLES: Description = Description::person("listRoles", Tag::OcoreRoles, "List roles")
    .about("Takes `view:roles`. The built-in ones come first; all are in one part.")
    .in_organization()
    .answers(&[answer(200, "RoleList", "All roles.")]);

pub(super) const CREATE_ROLE: Description = Description::person("createRole", Tag::OcoreRoles, "Make a role")
    .about("Takes `manage:roles`.")
    .in_organization()
    .takes(&[
        required("name", Shape::Text(1, 50, Format::Line), "No other role of the organization has it."),
        required("permissions", ENTRIES, PERMISSIONS),
        nullable("description", DESCRIPTION, "What it is for."),
    ])
    .example(r#"{"name":"Key keeper","permissions":["manage:api-keys"]}"#)
    .answers(&[answer(201, "OwnRole", "The role.")])
    .refuses(&[409]);

pub(super) const UPDATE_ROLE: Description =
    Description::person("updateRole", Tag::OcoreRoles, "Alter a role")
        .about(
            "Takes `manage:roles`. What is not named stays. In force when the answer has come, for \
             everybody who has it.",
        )
        .in_organization()
        .takes(&[
            optional("name", Shape::Text(1, 50, Format::Line), "No other role of the organization has it."),
            nullable("description", DESCRIPTION, "What it is for; null takes it away."),
            optional("permissions", ENTRIES, PERMISSIONS),
        ])
        .example(r#"{"description":"for the build servers"}"#)
        .answers(&[answer(200, "OwnRole", "The role as it is now.")])
        .refuses(&[404, 409]);

pub(super) const DELETE_ROLE: Description =
    Description::person("deleteRole", Tag::OcoreRoles, "Remove a role")
        .about("Takes `manage:roles`. Not while somebody has it (409).")
        .in_organization()
        .answers(&[done()])
        .refuses(&[404, 409]);

pub(super) const LIST_PERMISSIONS: Description =
    Description::person("listPermissions", Tag::OcoreRoles, "List the permissions that there are")
        .answers(&[answer(200, "PermissionList", "All permissions, by name.")]);

pub(super) const INVITE: Description = Description::person(
    "createInvitation",
    Tag::OcoreInvitations,
    "Invite somebody",
)
.about("Takes `manage:members`. Token and link are in the answer, and nowhere else; good once.")
.in_organization()
.takes(&[
    required(
        "role",
        TEXT,
        "The role that they get: a built-in name, or the name or id of a role of the organization's own.",
    ),
    nullable("email", EMAIL, "Good for this e-mail address only."),
    nullable(
        "expiresIn",
        Shape::Whole(1, Some(2_592_000)),
        "Seconds that it is good for: a week where nothing is said.",
    ),
])
.example(r#"{"role":"developer","email":"new@example.com"}"#)
.answers(&[answer(201, "InvitationWithToken", "The invitation, and its token.")])
.refuses(&[404]);

pub(super) const LIST_INVITATIONS: Description =
    Description::person("listInvitations", Tag::OcoreInvitations, "List the invitations that are good")
        .about("Takes `manage:members`.")
        .in_organization()
        .query(&[CURSOR, LIMIT])
        .answers(&[answer(200, "InvitationList", "A part of the list.")]);

pub(super) const REVOKE_INVITATION: Description =
    Description::person("deleteInvitation", Tag::OcoreInvitations, "Take an invitation back")
        .about("Takes `manage:members`.")
        .in_organization()
        .answers(&[done()])
        .refuses(&[404]);
