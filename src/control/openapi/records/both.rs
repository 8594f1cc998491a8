//! What answers that both dialects have are made of.

use super::super::description::*;
use super::super::shape::*;
use super::{CREATED, CREATED_BY, EXPIRES, ID, LAST_USED, record};
use crate::store::history::Reason;

/// The records.
pub(super) static RECORDS: &[Record] = &[
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
                Shape::Choice(&[
                    "rotate_tokens",
                    "export_audit",
                    "export_usage",
                    "delete_organization",
                    "confirm_change",
                ]),
                "What is done.",
            ),
            field("status", Shape::Choice(&["pending", "running", "succeeded", "failed"]), "How far it is."),
            field("organizationId", ID, "Its organization."),
            or_null("projectId", ID, "The project, where it is for one only."),
            or_null("overlapSeconds", Shape::Whole(0, None), "How long old and new values both work."),
            or_null("format", Shape::Choice(&["csv", "json"]), "How its file is written."),
            or_null("tokenId", ID, "The key whose change is to be in force on every node."),
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
            or_null("name", TEXT, "What it is called; null when it was removed since."),
            or_null("projectId", ID, "Its project, where it is bound to one."),
            field("token", WORD, "The value."),
        ]),
    ),
    record(
        "Usage",
        "How keys were used.",
        Form::Fields(&[
            field("from", INSTANT, "From this instant on: the beginning of the first of `data`."),
            field("to", INSTANT, "Before this instant: the end of the last of `data`."),
            field("interval", Shape::Choice(&["hour", "day"]), "What `data` has (UTC)."),
            or_null(
                "keptSince",
                INSTANT,
                "Since when all of it is there; null where `store.history` is `none`, and nothing is counted.",
            ),
            field("totals", Shape::Record("UsageCounts"), "All of `data` together."),
            field(
                "data",
                Shape::List(&Shape::Record("UsagePart")),
                "Each hour or day, also where nothing was.",
            ),
        ]),
    ),
    record("UsageCounts", "What was counted in some time.", Form::Fields(&USAGE_COUNTS)),
    record(
        "UsagePart",
        "What was counted in an hour or a day.",
        Form::With("UsageCounts", &[field("start", INSTANT, "When it began.")]),
    ),
    record(
        "UsageRefusals",
        "Refusals of known keys for one reason.",
        Form::Fields(&[
            field("reason", Shape::Choice(&REASONS), "Why: `docs/control-api.md` says what each means."),
            field("count", Shape::Whole(1, None), "How many."),
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

const USAGE_COUNTS: [Field; 4] = [
    field("uses", Shape::Whole(0, None), "How often a key was shown and good: the growth of `usageCount`."),
    field("accepted", Shape::Whole(0, None), "How many requests were let through."),
    field("refused", Shape::Whole(0, None), "How many were refused, for whatever reason."),
    field(
        "refusals",
        Shape::List(&Shape::Record("UsageRefusals")),
        "The same for each reason that there was.",
    ),
];

/// The names of all reasons for which a known key is refused.
const REASONS: [&str; Reason::ALL.len()] = {
    let mut names = [""; Reason::ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = Reason::ALL[place].as_str();
        place += 1;
    }
    names
};
