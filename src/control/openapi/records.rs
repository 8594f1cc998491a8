//! What answers are made of: every record that `dialect::ocriva` and `dialect::ocore` write, described.

use super::description::*;

const fn record(name: &'static str, about: &'static str, form: Form) -> Record {
    Record { name, about, form }
}

const ID: Shape = WORD;
const BEARER: Shape = Shape::Choice(&["Bearer"]);
const SECONDS: Shape = Shape::Whole(0, None);
const CREATED: Field = field("createdAt", INSTANT, "When it was made.");
const UPDATED: Field = field("updatedAt", INSTANT, "When it was last altered.");
const EXPIRES: Field = or_null("expiresAt", INSTANT, "When it is over; null for never.");
const LAST_USED: Field = or_null("lastUsedAt", INSTANT, "When it was last used.");
const CREATED_BY: Field = or_null("createdBy", ID, "The id of who made it, where that is known.");

pub(super) static RECORDS: &[Record] = &[
    record(
        "OcrivaError",
        "What is wrong with a request, in the `ocriva` dialect.",
        Form::Fields(&[
            field("statusCode", Shape::Whole(400, Some(599)), "The status of the answer."),
            field("message", Shape::Record("Messages"), "What to know and to do."),
            field("error", TEXT, "The reason phrase of the status."),
        ]),
    ),
    record(
        "OcoreError",
        "What is wrong with a request, in the `ocore` dialect.",
        Form::Fields(&[field("error", Shape::Record("OcoreFault"), "The error.")]),
    ),
    record(
        "OcoreFault",
        "An error.",
        Form::Fields(&[
            field("code", TEXT, "Goes with the status, such as `validation_error` with 400."),
            field("message", TEXT, "What to know and to do."),
            field(
                "details",
                Shape::Record("OcoreDetails"),
                "What of the request is wrong, where something is.",
            ),
        ]),
    ),
    record(
        "OcoreDetails",
        "What of a request is wrong.",
        Form::Fields(&[
            sometimes("field", TEXT, "The member, parameter or header field."),
            sometimes("constraint", TEXT, "The rule that it breaks, in one word."),
        ]),
    ),
    record(
        "Problem",
        "What is wrong with a request (RFC 9457), where it belongs to no dialect.",
        Form::Fields(&[
            field("type", TEXT, "`about:blank`: the status says it."),
            field("title", TEXT, "The reason phrase of the status."),
            field("status", Shape::Whole(400, Some(599)), "The status of the answer."),
            field("detail", TEXT, "What to know and to do."),
        ]),
    ),
    record(
        "OcrivaSession",
        "A session, in the `ocriva` dialect.",
        Form::Fields(&[
            field("accessToken", WORD, "Goes into `Authorization: Bearer …`."),
            field("expiresIn", SECONDS, "Seconds that it is good for."),
            field("tokenType", BEARER, "How it is sent."),
            field("user", Shape::Record("OcrivaUser"), "Who has logged in."),
        ]),
    ),
    record(
        "OcrivaUser",
        "A person, in the `ocriva` dialect.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("email", TEXT, "Their e-mail address."),
            field("name", TEXT, "Their name."),
        ]),
    ),
    record("Token", "A key of the `ocriva` dialect.", Form::Fields(&TOKEN)),
    record(
        "TokenWithValue",
        "A key with its value, which is shown once.",
        Form::With("Token", &[field("token", WORD, "The value, `ocr_…`.")]),
    ),
    record("TokenPage", "A page of keys.", Form::Page("Token")),
    record(
        "Pagination",
        "Where a page is.",
        Form::Fields(&[
            field("page", Shape::Whole(1, None), "Its number, counted from 1."),
            field("limit", Shape::Whole(1, Some(100)), "Items on a page."),
            field("total", Shape::Whole(0, None), "Items on all pages."),
            field("pages", Shape::Whole(0, None), "Pages."),
        ]),
    ),
    record(
        "KeySession",
        "A token in the place of a key.",
        Form::Fields(&[
            field("accessToken", WORD, "Goes into `Authorization: Bearer …`."),
            field("expiresIn", SECONDS, "Seconds that it is good for."),
            field("tokenType", BEARER, "How it is sent."),
            field("tokenInfo", Shape::Record("KeyInfo"), "The key."),
        ]),
    ),
    record(
        "KeyInfo",
        "What a login tells of its key.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("name", TEXT, "What the key is called."),
            field("type", Shape::Choice(&["organization", "project"]), "What it opens."),
            field("organizationId", ID, "Its organization."),
            or_null("projectId", ID, "Its project, for the type `project`."),
            field("permissions", LIST, "What it may do."),
            field("scopes", LIST, "What it may do it with."),
            EXPIRES,
        ]),
    ),
    record(
        "Project",
        "A project.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("name", TEXT, "What it is called."),
            or_null("description", TEXT, "What it is for."),
            field("organizationId", ID, "Its organization."),
            field("isActive", Shape::Flag, "Whether it is active."),
            CREATED,
            field("updatedAt", INSTANT, "When it was last altered."),
        ]),
    ),
    record("ProjectList", "Projects.", Form::List("Project")),
    record(
        "SigningKeys",
        "A JSON Web Key Set (RFC 7517).",
        Form::Fields(&[field("keys", Shape::List(&Shape::Anything), "The keys.")]),
    ),
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
    record("Organization", "An organization.", Form::Fields(&ORGANIZATION)),
    record(
        "OrganizationList",
        "A part of a list of organizations.",
        Form::Part(Shape::Record("Organization")),
    ),
    record(
        "OwnOrganization",
        "An organization that one belongs to.",
        Form::With("Organization", &[field("role", Shape::Record("RoleName"), "One's role there.")]),
    ),
    record(
        "OwnOrganizationList",
        "A part of a list of organizations.",
        Form::Part(Shape::Record("OwnOrganization")),
    ),
    record(
        "OcoreProject",
        "A project of an organization.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("name", TEXT, "What it is called."),
            or_null("description", TEXT, "What it is for."),
            field("organizationId", ID, "Its organization."),
            field("isActive", Shape::Flag, "Inactive ones are left out of lists."),
            CREATED,
            UPDATED,
        ]),
    ),
    record("OcoreProjectList", "A part of a list of projects.", Form::Part(Shape::Record("OcoreProject"))),
    record(
        "Person",
        "A person, as the server's admins see them.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("email", TEXT, "Their e-mail address."),
            field("name", TEXT, "Their name."),
            field("isActive", Shape::Flag, "Whether they can log in."),
            field("isServerAdmin", Shape::Flag, "Whether they look after the whole server."),
            field("totpEnabled", Shape::Flag, "Whether a login takes a second factor."),
            field("organizations", Shape::List(&Shape::Record("Belonging")), "Where they belong."),
            CREATED,
        ]),
    ),
    record("PersonList", "A part of a list of people.", Form::Part(Shape::Record("Person"))),
    record(
        "Belonging",
        "A person's place in an organization.",
        Form::Fields(&[
            field("id", ID, "The organization's."),
            field("slug", TEXT, "What `X-Org-Slug` names it by."),
            field("role", Shape::Record("RoleName"), "Their role."),
        ]),
    ),
    record(
        "PasswordReset",
        "A token to choose a password by.",
        Form::Fields(&[
            field("token", WORD, "Shown once, good once."),
            field("expiresAt", INSTANT, "When it is over."),
        ]),
    ),
    record("InvitationList", "A part of a list of invitations.", Form::Part(Shape::Record("Invitation"))),
    record("Webhook", "A webhook endpoint, in the `ocriva` dialect.", Form::Fields(&WEBHOOK)),
    record("OcoreWebhook", "A webhook endpoint, in the `ocore` dialect.", Form::Fields(&OCORE_WEBHOOK)),
    record(
        "WebhookWithSecret",
        "An endpoint with its secret, which is shown once.",
        Form::With("Webhook", &[SIGNING]),
    ),
    record(
        "OcoreWebhookWithSecret",
        "An endpoint with its secret, which is shown once.",
        Form::With("OcoreWebhook", &[SIGNING]),
    ),
    record("WebhookPage", "A page of webhook endpoints.", Form::Page("Webhook")),
    record(
        "OcoreWebhookPart",
        "A part of a list of webhook endpoints.",
        Form::Part(Shape::Record("OcoreWebhook")),
    ),
    record("OcoreWebhookItems", "A page of webhook endpoints.", Form::Items("OcoreWebhook")),
    record(
        "OcoreWebhookList",
        "By cursor or by page.",
        Form::Either(&["OcoreWebhookPart", "OcoreWebhookItems"]),
    ),
    record("Delivery", "An event on its way to an endpoint.", Form::Fields(&DELIVERY)),
    record(
        "DeliveryDetails",
        "A delivery with what was sent and how often.",
        Form::With(
            "Delivery",
            &[
                field("event", Shape::Anything, "What is sent."),
                field("attemptLog", Shape::List(&Shape::Record("Attempt")), "How it was tried."),
            ],
        ),
    ),
    record(
        "Attempt",
        "One attempt at a delivery.",
        Form::Fields(&[
            field("at", INSTANT, "When it began."),
            field("durationMs", Shape::Whole(0, None), "How long it took, in milliseconds."),
            or_null(
                "responseStatus",
                Shape::Whole(0, Some(999)),
                "The status of the answer, where one came.",
            ),
            or_null("error", TEXT, "Why none came, or did not count."),
        ]),
    ),
    record("DeliveryPage", "A page of deliveries.", Form::Page("Delivery")),
    record("DeliveryPart", "A part of a list of deliveries.", Form::Part(Shape::Record("Delivery"))),
    record("DeliveryItems", "A page of deliveries.", Form::Items("Delivery")),
    record("DeliveryList", "By cursor or by page.", Form::Either(&["DeliveryPart", "DeliveryItems"])),
    record(
        "AuditEntry",
        "One thing that was done. Never with a secret in it.",
        Form::Fields(&[
            field("id", ID, "Grows."),
            field("action", TEXT, "Such as `api_token.created`."),
            field("resourceType", TEXT, "What it was done to."),
            field("resourceId", TEXT, "Its id."),
            or_null("resourceName", TEXT, "Its name then."),
            field(
                "actorType",
                Shape::Choice(&["user", "key", "operator", "anonymous", "system"]),
                "Who did it.",
            ),
            or_null("userId", TEXT, "Their id."),
            or_null("userName", TEXT, "Their e-mail address."),
            or_null("ipAddress", TEXT, "Where from."),
            or_null("userAgent", TEXT, "By what."),
            or_null("requestId", TEXT, "`X-Request-Id` of the answer."),
            or_null("beforeState", Shape::Anything, "What it was before."),
            or_null("afterState", Shape::Anything, "What it was after."),
            CREATED,
        ]),
    ),
    record("AuditEntries", "Entries of the audit log, newest first.", Form::List("AuditEntry")),
    record("AuditPage", "A page of the audit log.", Form::Page("AuditEntry")),
    record("AuditPart", "A part of the audit log.", Form::Part(Shape::Record("AuditEntry"))),
    record("AuditItems", "A page of the audit log.", Form::Items("AuditEntry")),
    record("AuditList", "By cursor or by page.", Form::Either(&["AuditPart", "AuditItems"])),
    record(
        "Operation",
        "What takes longer than a request.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field(
                "type",
                Shape::Choice(&["rotate_tokens", "export_audit", "export_usage", "delete_organization"]),
                "What is done.",
            ),
            field("status", Shape::Choice(&["pending", "running", "succeeded", "failed"]), "How far it is."),
            field("organizationId", ID, "Its organization."),
            or_null("projectId", ID, "The project, where it is for one only."),
            or_null("overlapSeconds", Shape::Whole(0, None), "How long old and new values both work."),
            or_null("format", Shape::Choice(&["csv", "json"]), "How its file is written."),
            field("done", Shape::Whole(0, None), "How much of it is done."),
            or_null("error", TEXT, "Why it failed."),
            CREATED_BY,
            CREATED,
            or_null("finishedAt", INSTANT, "When it ended."),
            or_null("resultAvailableUntil", INSTANT, "How long its result is there."),
        ]),
    ),
    record("OperationPage", "A page of operations.", Form::Page("Operation")),
    record("OperationPart", "A part of a list of operations.", Form::Part(Shape::Record("Operation"))),
    record("OperationItems", "A page of operations.", Form::Items("Operation")),
    record("OperationList", "By cursor or by page.", Form::Either(&["OperationPart", "OperationItems"])),
    record(
        "Exported",
        "What was exported: entries of the audit log, or what keys were used.",
        Form::Either(&["AuditEntries", "UsageEntries"]),
    ),
    record("UsageEntries", "Keys with their use.", Form::List("KeyUsage")),
    record(
        "KeyUsage",
        "A key with its use.",
        Form::Fields(&[
            field("id", ID, "Opaque."),
            field("name", TEXT, "What it is called."),
            field("type", Shape::Choice(&["organization", "project"]), "What it opens."),
            or_null("projectId", ID, "Its project, for the type `project`."),
            field("isActive", Shape::Flag, "Whether it is switched on."),
            field("usageCount", Shape::Whole(0, None), "How often it was used."),
            LAST_USED,
            CREATED,
            EXPIRES,
            or_null("tokenPrefix", TEXT, "The first characters of its value."),
        ]),
    ),
    record(
        "RotatedValues",
        "The new values of keys, which are shown once.",
        Form::Fields(&[field("data", Shape::List(&Shape::Record("RotatedValue")), "One for each key.")]),
    ),
    record(
        "RotatedValue",
        "The new value of a key.",
        Form::Fields(&[
            field("id", ID, "The key's."),
            field("name", TEXT, "What it is called."),
            or_null("projectId", ID, "Its project, where it is bound to one."),
            field("token", WORD, "The value."),
        ]),
    ),
];

const SIGNING: Field = field("signingSecret", WORD, "What deliveries are signed with.");

const fn webhook(switch: &'static str) -> [Field; 12] {
    [
        field("id", ID, "Opaque."),
        field("organizationId", ID, "Its organization."),
        field("url", TEXT, "Where events are sent."),
        or_null("description", TEXT, "What it is for."),
        field("events", LIST, "Which types of events; `*` for all of them."),
        field(switch, Shape::Flag, "Whether anything is sent."),
        field("secret", Shape::Always(true), "That it has one."),
        or_null("failingSince", INSTANT, "Since when nothing got there."),
        or_null("disabledAt", INSTANT, "When it was switched off, because nothing had got there for a day."),
        CREATED_BY,
        CREATED,
        field("updatedAt", INSTANT, "When it was last altered."),
    ]
}

static WEBHOOK: [Field; 12] = webhook("isActive");
static OCORE_WEBHOOK: [Field; 12] = webhook("active");

static DELIVERY: [Field; 11] = [
    field("id", ID, "Opaque."),
    field("eventId", ID, "`webhook-id`."),
    field("eventType", TEXT, "Such as `token.created`."),
    field("endpointId", ID, "Where it goes."),
    field("status", Shape::Choice(&["pending", "delivered", "failed"]), "How far it is."),
    field("attempts", Shape::Whole(0, None), "How often it was tried."),
    or_null("responseStatus", Shape::Whole(0, Some(999)), "The status of the last answer, where one came."),
    or_null("error", TEXT, "Why the last attempt failed."),
    CREATED,
    or_null("nextAttemptAt", INSTANT, "When it is tried again."),
    or_null("finishedAt", INSTANT, "When it was delivered or given up."),
];

static TOKEN: [Field; 17] = [
    field("id", ID, "Opaque."),
    field("name", TEXT, "What it is called."),
    or_null("description", TEXT, "What it is for."),
    field("type", Shape::Choice(&["organization", "project"]), "What it opens."),
    field("organizationId", ID, "Its organization."),
    or_null("projectId", ID, "Its project, for the type `project`."),
    field("permissions", LIST, "What it may do."),
    field("scopes", LIST, "What it may do it with."),
    EXPIRES,
    field("isActive", Shape::Flag, "Whether it is switched on; it may have expired all the same."),
    field("ipWhitelist", LIST, "Where it may be used from; anywhere, where nothing is named."),
    field("usageCount", Shape::Whole(0, None), "How often it was used."),
    LAST_USED,
    or_null("tokenPrefix", TEXT, "The first characters of its value."),
    CREATED_BY,
    CREATED,
    field("updatedAt", INSTANT, "When it was last altered."),
];

static ORGANIZATION: [Field; 5] = [
    field("id", ID, "Opaque."),
    field("slug", TEXT, "What `X-Org-Slug` names it by."),
    field("name", TEXT, "What it is called."),
    CREATED,
    UPDATED,
];

static API_KEY: [Field; 10] = [
    field("id", ID, "Opaque."),
    field("name", TEXT, "What it is called."),
    or_null("prefix", TEXT, "The first characters of its value."),
    field("permissions", LIST, "What it was granted."),
    or_null("scope", TEXT, "A word of the organization's own."),
    field("isActive", Shape::Flag, "Whether it is switched on."),
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
