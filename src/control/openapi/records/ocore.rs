//! What answers of the `ocore` dialect are made of.

use super::super::description::*;
use super::super::shape::*;
use super::{BEARER, CREATED, CREATED_BY, EXPIRES, ID, LAST_USED, SECONDS, record};

/// The records.
pub(super) static RECORDS: &[Record] = &[
    record("Message", "That it is done.", Form::Fields(&[field("message", TEXT, "For people.")])),
    record(
        "User",
        "A person.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("email", TEXT, "Their e-mail address."),
            field("name", TEXT, "Their name."),
            field("totpEnabled", Shape::Flag, "Whether their logins ask for a second factor."),
        ]),
    ),
    record(
        "Session",
        "A session.",
        Form::Fields(&[
            field("user", Shape::Record("User"), "Who has logged in."),
            field("accessToken", WORD, "Goes into `Authorization: Bearer …`."),
            field("refreshToken", WORD, "For the next pair; good once."),
            field("tokenType", BEARER, "How the access token is sent."),
            field("expiresIn", SECONDS, "Seconds that the access token is good for."),
        ]),
    ),
    record(
        "Partial",
        "The first step of a login that takes two.",
        Form::Fields(&[
            field("partialToken", WORD, "For the second step."),
            field("requiresTOTP", Shape::Always(true), "A code is asked for."),
        ]),
    ),
    record(
        "KeptSession",
        "A session whose tokens are in cookies.",
        Form::Fields(&[
            field("user", Shape::Record("User"), "Who has logged in."),
            field("expiresIn", SECONDS, "Seconds that the access token is good for."),
        ]),
    ),
    record("SessionOrKept", "A session.", Form::Either(&["Session", "KeptSession"])),
    record("SessionOrPartial", "How far a login got.", Form::Either(&["Session", "Partial"])),
    record(
        "Enrolment",
        "What an authenticator is set up with; shown once.",
        Form::Fields(&[
            field("secret", WORD, "Base32."),
            field("otpauthUrl", WORD, "The same, for a QR code."),
        ]),
    ),
    record(
        "RecoveryCodes",
        "Codes for who has lost the authenticator; shown once.",
        Form::Fields(&[field("recoveryCodes", LIST, "Good once each.")]),
    ),
    record(
        "Me",
        "Who asks.",
        Form::Fields(&[
            field("user", Shape::Record("User"), "The account."),
            field("isServerAdmin", Shape::Flag, "Whether they look after the whole server."),
            field("organizations", Shape::List(&Shape::Record("Place")), "Where it belongs."),
        ]),
    ),
    record(
        "Place",
        "A place in an organization.",
        Form::Fields(&[
            field("id", ID, "The organization's."),
            field("slug", WORD, "For `X-Org-Slug`."),
            field("role", TEXT, "The name of one's role there."),
            field("permissions", LIST, "What one may do there."),
        ]),
    ),
    record(
        "OwnSession",
        "A session of one's own.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            CREATED,
            field("expiresAt", INSTANT, "When it is over, unless it is refreshed."),
            or_null("ipAddress", TEXT, "Where it was begun from."),
            or_null("userAgent", TEXT, "What it was begun by."),
            field("current", Shape::Flag, "Whether it is the one that asks."),
        ]),
    ),
    record("SessionList", "One's own sessions.", Form::Part(Shape::Record("OwnSession"))),
    record(
        "SignedUp",
        "An account that was made.",
        Form::Fields(&[field("user", Shape::Record("User"), "The account.")]),
    ),
    record(
        "Joined",
        "Where one belongs now.",
        Form::Fields(&[field("organizationId", ID, "The organization.")]),
    ),
    record("ApiKey", "An API key of the `ocore` dialect.", Form::Fields(&API_KEY)),
    record(
        "ApiKeyWithValue",
        "An API key with its value, which is shown once.",
        Form::With("ApiKey", &[field("key", WORD, "The value, `ocore_k_…`.")]),
    ),
    record(
        "AnyApiKey",
        "An API key of whatever organization.",
        Form::With("ApiKey", &[field("organizationId", ID, "Its organization.")]),
    ),
    record("ApiKeyList", "A part of a list of API keys.", Form::Part(Shape::Record("ApiKey"))),
    record("AnyApiKeyList", "A part of a list of API keys.", Form::Part(Shape::Record("AnyApiKey"))),
    record(
        "Member",
        "A member of an organization.",
        Form::Fields(&[
            field("id", ID, "The person's."),
            field("email", TEXT, "Their e-mail address."),
            field("name", TEXT, "Their name."),
            field("isActive", Shape::Flag, "Whether they can log in."),
            field("role", Shape::Record("RoleName"), "Their role."),
        ]),
    ),
    record("MemberList", "A part of a list of members.", Form::Part(Shape::Record("Member"))),
    record(
        "RoleName",
        "A role, by name.",
        Form::Fields(&[
            field("id", ID, "A built-in role is its own id."),
            field("name", TEXT, "What it is called."),
        ]),
    ),
    record(
        "BuiltInRole",
        "A role that every organization has.",
        Form::Fields(&[
            field("id", ID, "Its name."),
            field("name", TEXT, "What it is called."),
            or_null("description", TEXT, "None."),
            field("permissions", LIST, "What it grants."),
            field("isSystem", Shape::Always(true), "It can not be altered."),
        ]),
    ),
    record(
        "OwnRole",
        "A role that an organization made.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("name", TEXT, "What it is called."),
            or_null("description", TEXT, "What it is for."),
            field("permissions", LIST, "What it grants."),
            field("isSystem", Shape::Always(false), "It can be altered."),
            CREATED,
            field("updatedAt", INSTANT, "When it was last altered."),
        ]),
    ),
    record("Role", "A role.", Form::Either(&["BuiltInRole", "OwnRole"])),
    record("RoleList", "An organization's roles.", Form::Part(Shape::Record("Role"))),
    record("PermissionList", "The permissions that there are.", Form::Part(WORD)),
    record("Invitation", "An invitation.", Form::Fields(&INVITATION)),
    record(
        "InvitationWithToken",
        "An invitation with its token, which is shown once.",
        Form::With(
            "Invitation",
            &[
                field("token", WORD, "Good once."),
                field("link", WORD, "The same as a link, to be put behind the console's address."),
            ],
        ),
    ),
    record("InvitationList", "A part of a list of invitations.", Form::Part(Shape::Record("Invitation"))),
];

static API_KEY: [Field; 11] = [
    field("id", ID, "Opaque."),
    field("name", TEXT, "What it is called."),
    or_null("prefix", TEXT, "The first characters of its value."),
    field("permissions", LIST, "What it was granted."),
    or_null("scope", TEXT, "A word of the organization's own."),
    field("isActive", Shape::Flag, "Whether it is switched on."),
    sometimes("mcp", Shape::Family, "What came with it."),
    CREATED_BY,
    CREATED,
    EXPIRES,
    LAST_USED,
];

static INVITATION: [Field; 6] = [
    field("id", ID, "Opaque."),
    or_null("email", TEXT, "Whom it is for; anybody, where it is null."),
    field("role", Shape::Record("RoleName"), "The role that they get."),
    CREATED_BY,
    CREATED,
    field("expiresAt", INSTANT, "When it is over."),
];
