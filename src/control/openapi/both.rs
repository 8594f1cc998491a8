//! The endpoints that both dialects have, described: webhooks, the audit log, operations, how keys were used. Each in `ocriva`, then in
//! `ocore`.

use super::description::*;
use super::shape::*;
use super::tags::Tag;

const PAGE: Parameter = parameter("page", Shape::Whole(1, None), "The page, counted from 1.");
const LIMIT: Parameter = parameter(
    "limit",
    Shape::Whole(1, None),
    "How many at most: 20 where nothing is said, at most 100; more is taken for 100.",
);
const CURSOR: Parameter = parameter(
    "cursor",
    Shape::Text(0, ANY, Format::Cursor),
    "`next_cursor` of the part before, as it was given.",
);
const OCORE_PAGE: Parameter = parameter(
    "page",
    Shape::Whole(1, None),
    "Asks for a page by number, counted from 1, instead of by cursor.",
);
const PER_PAGE: Parameter =
    parameter("per_page", Shape::Whole(1, None), "As `limit`, where a page is asked for by number.");
const PAGES: &[Parameter] = &[PAGE, LIMIT];
const CURSORS: &[Parameter] = &[CURSOR, LIMIT, OCORE_PAGE, PER_PAGE];

// --- webhooks

const URL: &str = "`https`, and a public address, unless the configuration allows more.";
const EVENTS: &str = "Types of events, or `*` for all of them.";
const SIGNING: &str = "`whsec_` and the base64 of 24 to 64 bytes; made where none is given.";
const SWITCH: &str = "Whether anything is sent.";
const TYPES: Shape = Shape::Texts(1, ANY, ANY);
const MANAGE: &str = "Takes `manage:webhooks`.";

const OCRIVA_CREATE_WEBHOOK: Description =
    Description::person("createWebhook", Tag::OcrivaWebhooks, "Make a webhook endpoint")
        .about(
            "Takes `manage:webhooks`. `signingSecret` is in this answer, and nowhere else. A \
             `webhook.test` event is sent.",
        )
        .takes(&[
            required("url", TEXT, URL),
            required("events", TYPES, EVENTS),
            nullable("description", DESCRIPTION, "What it is for."),
            nullable("secret", TEXT, SIGNING),
            optional("isActive", Shape::Flag, SWITCH),
        ])
        .example(
            r#"{"url":"https://hooks.example.com/portcullis","events":["token.created","token.deleted"]}"#,
        )
        .answers(&[
            answer(201, "WebhookWithSecret", "The endpoint, and its secret.").with(&[Header::Location])
        ])
        .refuses(&[404, 409]);
pub(super) static CREATE_WEBHOOK: [Description; 2] = [
    OCRIVA_CREATE_WEBHOOK,
    OCRIVA_CREATE_WEBHOOK
        .in_ocore(Tag::OcoreWebhooks)
        .takes(&[
            required("url", TEXT, URL),
            required("events", TYPES, EVENTS),
            nullable("description", DESCRIPTION, "What it is for."),
            nullable("secret", TEXT, SIGNING),
            optional("active", Shape::Flag, SWITCH),
        ])
        .answers(&[
            answer(201, "OcoreWebhookWithSecret", "The endpoint, and its secret.").with(&[Header::Location])
        ]),
];

const OCRIVA_LIST_WEBHOOKS: Description =
    Description::person("listWebhooks", Tag::OcrivaWebhooks, "List webhook endpoints")
        .about("Takes `manage:webhooks`. The newest first.")
        .query(PAGES)
        .answers(&[answer(200, "WebhookPage", "A page of endpoints.")]);
pub(super) static LIST_WEBHOOKS: [Description; 2] = [
    OCRIVA_LIST_WEBHOOKS,
    OCRIVA_LIST_WEBHOOKS.in_ocore(Tag::OcoreWebhooks).query(CURSORS).answers(&[answer(
        200,
        "OcoreWebhookList",
        "A part of the list.",
    )]),
];

const OCRIVA_SHOW_WEBHOOK: Description =
    Description::person("getWebhook", Tag::OcrivaWebhooks, "Read a webhook endpoint")
        .about(MANAGE)
        .answers(&[answer(200, "Webhook", "The endpoint, without its secret.")])
        .refuses(&[404]);
pub(super) static SHOW_WEBHOOK: [Description; 2] = [
    OCRIVA_SHOW_WEBHOOK,
    OCRIVA_SHOW_WEBHOOK.in_ocore(Tag::OcoreWebhooks).answers(&[answer(
        200,
        "OcoreWebhook",
        "The endpoint, without its secret.",
    )]),
];

const OCRIVA_UPDATE_WEBHOOK: Description =
    Description::person("updateWebhook", Tag::OcrivaWebhooks, "Alter a webhook endpoint")
        .about(
            "Takes `manage:webhooks`. What is not named stays. Switching it on also ends a switching \
             off for failures.",
        )
        .takes(&[
            optional("url", TEXT, URL),
            optional("events", TYPES, EVENTS),
            nullable("description", DESCRIPTION, "What it is for; null takes it away."),
            optional("secret", TEXT, "`whsec_` and the base64 of 24 to 64 bytes."),
            optional("isActive", Shape::Flag, SWITCH),
        ])
        .example(r#"{"description":"for the chat"}"#)
        .answers(&[answer(200, "Webhook", "The endpoint as it is now.")])
        .refuses(&[404, 409]);
pub(super) static UPDATE_WEBHOOK: [Description; 2] = [
    OCRIVA_UPDATE_WEBHOOK,
    OCRIVA_UPDATE_WEBHOOK
        .in_ocore(Tag::OcoreWebhooks)
        .takes(&[
            optional("url", TEXT, URL),
            optional("events", TYPES, EVENTS),
            nullable("description", DESCRIPTION, "What it is for; null takes it away."),
            optional("secret", TEXT, "`whsec_` and the base64 of 24 to 64 bytes."),
            optional("active", Shape::Flag, SWITCH),
        ])
        .answers(&[answer(200, "OcoreWebhook", "The endpoint as it is now.")]),
];

const OCRIVA_DELETE_WEBHOOK: Description =
    Description::person("deleteWebhook", Tag::OcrivaWebhooks, "Remove a webhook endpoint")
        .about(MANAGE)
        .answers(&[nothing("The endpoint is removed.")])
        .refuses(&[404, 409]);
pub(super) static DELETE_WEBHOOK: [Description; 2] = [
    OCRIVA_DELETE_WEBHOOK,
    OCRIVA_DELETE_WEBHOOK.in_ocore(Tag::OcoreWebhooks).answers(&[answer(200, "Message", "Done.")]),
];

const OCRIVA_TEST_WEBHOOK: Description =
    Description::person("testWebhook", Tag::OcrivaWebhooks, "Send the test event")
        .about(MANAGE)
        .answers(&[answer(202, "Delivery", "The delivery, which is still to be made.")])
        .refuses(&[404, 409]);
pub(super) static TEST_WEBHOOK: [Description; 2] =
    [OCRIVA_TEST_WEBHOOK, OCRIVA_TEST_WEBHOOK.in_ocore(Tag::OcoreWebhooks)];

const STATES: Shape = Shape::Choice(&["pending", "delivered", "failed"]);
const OF_STATE: Parameter = parameter("status", STATES, "Deliveries that are so far.");

const OCRIVA_LIST_DELIVERIES: Description =
    Description::person("listDeliveries", Tag::OcrivaWebhooks, "List deliveries of events")
        .about("Takes `manage:webhooks`. The newest first.")
        .query(&[OF_STATE, parameter("endpointId", TEXT, "Deliveries to this endpoint."), PAGE, LIMIT])
        .answers(&[answer(200, "DeliveryPage", "A page of deliveries.")]);
pub(super) static LIST_DELIVERIES: [Description; 2] = [
    OCRIVA_LIST_DELIVERIES,
    OCRIVA_LIST_DELIVERIES
        .in_ocore(Tag::OcoreWebhooks)
        .query(&[
            OF_STATE,
            parameter("endpoint_id", TEXT, "Deliveries to this endpoint."),
            CURSOR,
            LIMIT,
            OCORE_PAGE,
            PER_PAGE,
        ])
        .answers(&[answer(200, "DeliveryList", "A part of the list.")]),
];

const OCRIVA_SHOW_DELIVERY: Description =
    Description::person("getDelivery", Tag::OcrivaWebhooks, "Read a delivery")
        .about(MANAGE)
        .answers(&[answer(200, "DeliveryDetails", "The delivery, its event, and how it was tried.")])
        .refuses(&[404]);
pub(super) static SHOW_DELIVERY: [Description; 2] =
    [OCRIVA_SHOW_DELIVERY, OCRIVA_SHOW_DELIVERY.in_ocore(Tag::OcoreWebhooks)];

const OCRIVA_REPLAY_DELIVERY: Description = Description::person(
    "replayDelivery",
    Tag::OcrivaWebhooks,
    "Send the event of a delivery once more",
)
.about("Takes `manage:webhooks`. Under the same `webhook-id`. Not while the endpoint is switched off (409).")
.answers(&[answer(202, "Delivery", "The new delivery, which is still to be made.")])
.refuses(&[404, 409]);
pub(super) static REPLAY_DELIVERY: [Description; 2] =
    [OCRIVA_REPLAY_DELIVERY, OCRIVA_REPLAY_DELIVERY.in_ocore(Tag::OcoreWebhooks)];

// --- audit log

const ACTION: Parameter = parameter("action", TEXT, "Such as `api_token.created`.");
const KIND: &str = "What an action is done to: `api_token` of `api_token.created`.";
const ENTITY: &str = "The id of what it was done to.";
const ACTOR: &str = "The id of who did it.";
const FROM: &str = "From this instant on, or the beginning of this day in UTC.";
const UNTIL: &str = "Before this instant, or until the end of this day in UTC.";
const FILE_FORMAT: Parameter =
    parameter("format", Shape::Choice(&["json", "csv"]), "How; `json` where nothing is said.");

const OCRIVA_LIST_AUDIT: Description =
    Description::person("listAuditLog", Tag::OcrivaAudit, "Read the audit log")
        .about("Takes `manage:audit-logs`. The newest first.")
        .query(&[
            ACTION,
            parameter("resourceType", TEXT, KIND),
            parameter("resourceId", TEXT, ENTITY),
            parameter("userId", TEXT, ACTOR),
            parameter("startDate", TEXT, FROM),
            parameter("endDate", TEXT, UNTIL),
            PAGE,
            LIMIT,
        ])
        .answers(&[answer(200, "AuditPage", "A page of entries.")]);
pub(super) static LIST_AUDIT: [Description; 2] = [
    OCRIVA_LIST_AUDIT,
    OCRIVA_LIST_AUDIT
        .in_ocore(Tag::OcoreAudit)
        .query(&[
            ACTION,
            parameter("resource_type", TEXT, KIND),
            parameter("resource_id", TEXT, ENTITY),
            parameter("user_id", TEXT, ACTOR),
            parameter("start_date", TEXT, FROM),
            parameter("end_date", TEXT, UNTIL),
            CURSOR,
            LIMIT,
            OCORE_PAGE,
            PER_PAGE,
        ])
        .answers(&[answer(200, "AuditList", "A part of the list.")]),
];

const OCRIVA_EXPORT_AUDIT: Description =
    Description::person("exportAuditLog", Tag::OcrivaAudit, "The audit log as a file")
        .about("Takes `manage:audit-logs`. The newest 10,000 entries; more takes an operation.")
        .query(&[
            FILE_FORMAT,
            ACTION,
            parameter("resourceType", TEXT, KIND),
            parameter("resourceId", TEXT, ENTITY),
            parameter("userId", TEXT, ACTOR),
            parameter("startDate", TEXT, FROM),
            parameter("endDate", TEXT, UNTIL),
        ])
        .answers(&[answer(200, "AuditEntries", "The file.").with(&[Header::Disposition]).or_csv()]);
pub(super) static EXPORT_AUDIT: [Description; 2] = [
    OCRIVA_EXPORT_AUDIT,
    OCRIVA_EXPORT_AUDIT.in_ocore(Tag::OcoreAudit).query(&[
        FILE_FORMAT,
        ACTION,
        parameter("resource_type", TEXT, KIND),
        parameter("resource_id", TEXT, ENTITY),
        parameter("user_id", TEXT, ACTOR),
        parameter("start_date", TEXT, FROM),
        parameter("end_date", TEXT, UNTIL),
    ]),
];

// --- operations

const KINDS: Shape = Shape::Choice(&["rotate_tokens", "export_audit", "export_usage", "delete_organization"]);

const OCRIVA_START_OPERATION: Description =
    Description::person("startOperation", Tag::OcrivaOperations, "Begin what takes longer than a request")
        .about(
            "Takes `manage:operations`, and what doing it by hand takes. It goes on after a restart; one of a kind is under way \
             in an organization (409 for another).",
        )
        .takes(&[
            required("type", KINDS, "What is to be done."),
            nullable("projectId", TEXT, "`rotate_tokens`: keys of this project only."),
            optional("overlapSeconds", Shape::Whole(0, None), "`rotate_tokens`: how long old and new \
                 values both work; a day where nothing is said, at most 30 days."),
            nullable("format", TEXT, "Exports: `csv` or `json`; `csv` where nothing is said."),
            nullable("startDate", TEXT, "`export_audit`: from this instant or day on."),
            nullable("endDate", TEXT, "`export_audit`: before this instant, or until the end of this day."),
            nullable("confirm", TEXT, "`delete_organization`: the slug of the organization."),
        ])
        .example(r#"{"type":"export_usage","format":"json"}"#)
        .answers(&[answer(202, "Operation", "The operation. `Location` says where it can be asked for.")
            .with(&[Header::Location, Header::RetryAfter])])
        .refuses(&[404, 409]);
pub(super) static START_OPERATION: [Description; 2] =
    [OCRIVA_START_OPERATION, OCRIVA_START_OPERATION.in_ocore(Tag::OcoreOperations)];

const OCRIVA_LIST_OPERATIONS: Description =
    Description::person("listOperations", Tag::OcrivaOperations, "List operations")
        .about("Takes `manage:operations`. The newest first.")
        .query(PAGES)
        .answers(&[answer(200, "OperationPage", "A page of operations.")]);
pub(super) static LIST_OPERATIONS: [Description; 2] = [
    OCRIVA_LIST_OPERATIONS,
    OCRIVA_LIST_OPERATIONS.in_ocore(Tag::OcoreOperations).query(CURSORS).answers(&[answer(
        200,
        "OperationList",
        "A part of the list.",
    )]),
];

const OCRIVA_SHOW_OPERATION: Description =
    Description::person("getOperation", Tag::OcrivaOperations, "Read how far an operation is")
        .about("Takes `manage:operations`, or having begun it.")
        .answers(&[answer(200, "Operation", "The operation.")])
        .refuses(&[404]);
pub(super) static SHOW_OPERATION: [Description; 2] =
    [OCRIVA_SHOW_OPERATION, OCRIVA_SHOW_OPERATION.in_ocore(Tag::OcoreOperations)];

const OCRIVA_DOWNLOAD_RESULT: Description =
    Description::person("getOperationResult", Tag::OcrivaOperations, "The file of an export")
        .about("There for a week. 409 while the operation is not finished, and when it has no file.")
        .answers(&[answer(200, "Exported", "The file.").with(&[Header::Disposition]).or_csv()])
        .refuses(&[404, 409]);
pub(super) static DOWNLOAD_RESULT: [Description; 2] =
    [OCRIVA_DOWNLOAD_RESULT, OCRIVA_DOWNLOAD_RESULT.in_ocore(Tag::OcoreOperations)];

const OCRIVA_COLLECT_VALUES: Description =
    Description::person("collectOperationResult", Tag::OcrivaOperations, "The new values of a rotation")
        .about("**Once**, for whoever began it. There for a week.")
        .answers(&[answer(200, "RotatedValues", "The values, and never again.")])
        .refuses(&[404, 409]);
pub(super) static COLLECT_VALUES: [Description; 2] =
    [OCRIVA_COLLECT_VALUES, OCRIVA_COLLECT_VALUES.in_ocore(Tag::OcoreOperations)];

// --- how keys were used

pub(super) const USED: &[Parameter] = &[
    parameter(
        "from",
        TEXT,
        "From the hour or day of this instant, or the beginning of this day, on; 24 hours where nothing is said. 90 days at \
         most.",
    ),
    parameter("to", TEXT, "Before this instant, or until the end of this day; now where nothing is said."),
    parameter(
        "interval",
        Shape::Choice(&["hour", "day"]),
        "Whether `data` has hours or days (UTC); hours up to 8 days where nothing is said.",
    ),
];

const OCRIVA_SHOW_USAGE: Description =
    Description::person("getUsage", Tag::OcrivaTokens, "How all keys of an organization were used")
        .about(
            "Takes `view:usage`. What keys have counted that are gone is in it. A second or so old, more where very many keys \
             are in use.",
        )
        .query(USED)
        .answers(&[answer(200, "Usage", "Uses and refusals, hour by hour or day by day.")]);
pub(super) static SHOW_USAGE: [Description; 2] =
    [OCRIVA_SHOW_USAGE, OCRIVA_SHOW_USAGE.in_ocore(Tag::OcoreApiKeys)];
