//! What refusals are made of.

use super::super::description::*;
use super::super::shape::*;
use super::record;

/// The records.
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
];
