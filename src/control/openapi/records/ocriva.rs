//! What answers of the `ocriva` dialect are made of, and those of the edge.

use super::super::description::*;
use super::super::shape::*;
use super::{BEARER, CREATED, CREATED_BY, EXPIRES, ID, LAST_USED, SECONDS, record};

/// The records.
pub(super) static RECORDS: &[Record] = &[
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
