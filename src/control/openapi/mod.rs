//! The OpenAPI document of both dialects: every endpoint described as data, next to the table of endpoints.
//!
//! What is described is held to what is done from two sides: readers of bodies and queries refuse to read what is not
//! described (`reading`), and the suite holds every answer that it gets against the document.

mod both;
mod components;
mod description;
mod document;
mod ocore;
mod ocriva;
mod reading;
mod records;
mod schema;
mod shape;
mod tags;

pub use document::document;

pub(in crate::control) use reading::Reading;
pub(in crate::control) use shape::{Kind, Presence};

use crate::config::Dialect;
use crate::console::File;
use crate::dialect::endpoint::{Endpoint, Operation};
use description::Description;
use std::sync::LazyLock;

static SERVED: LazyLock<File> = LazyLock::new(|| File::new("application/json", document().to_string()));

/// The document as it is served.
pub fn file() -> &'static File {
    &SERVED
}

/// How an endpoint is described. No wildcard: one without a description does not compile.
fn described(endpoint: &Endpoint) -> &'static Description {
    match endpoint.operation {
        Operation::LogIn => &ocriva::LOG_IN,
        Operation::CreateToken => &ocriva::CREATE_TOKEN,
        Operation::CreateProjectToken => &ocriva::CREATE_PROJECT_TOKEN,
        Operation::ListTokens => &ocriva::LIST_TOKENS,
        Operation::ShowToken => &ocriva::SHOW_TOKEN,
        Operation::UpdateToken => &ocriva::UPDATE_TOKEN,
        Operation::RegenerateToken => &ocriva::REGENERATE_TOKEN,
        Operation::DeleteToken => &ocriva::DELETE_TOKEN,
        Operation::ShowTokenUsage => &ocriva::SHOW_TOKEN_USAGE,
        Operation::ShowUsage => both(endpoint, &both::SHOW_USAGE),
        Operation::CreateWebhook => both(endpoint, &both::CREATE_WEBHOOK),
        Operation::ListWebhooks => both(endpoint, &both::LIST_WEBHOOKS),
        Operation::ShowWebhook => both(endpoint, &both::SHOW_WEBHOOK),
        Operation::UpdateWebhook => both(endpoint, &both::UPDATE_WEBHOOK),
        Operation::DeleteWebhook => both(endpoint, &both::DELETE_WEBHOOK),
        Operation::TestWebhook => both(endpoint, &both::TEST_WEBHOOK),
        Operation::ListDeliveries => both(endpoint, &both::LIST_DELIVERIES),
        Operation::ShowDelivery => both(endpoint, &both::SHOW_DELIVERY),
        Operation::ReplayDelivery => both(endpoint, &both::REPLAY_DELIVERY),
        Operation::ListAudit => both(endpoint, &both::LIST_AUDIT),
        Operation::ExportAudit => both(endpoint, &both::EXPORT_AUDIT),
        Operation::StartOperation => both(endpoint, &both::START_OPERATION),
        Operation::ListOperations => both(endpoint, &both::LIST_OPERATIONS),
        Operation::ShowOperation => both(endpoint, &both::SHOW_OPERATION),
        Operation::DownloadResult => both(endpoint, &both::DOWNLOAD_RESULT),
        Operation::CollectValues => both(endpoint, &both::COLLECT_VALUES),
        Operation::Ocore(operation) => ocore::of(operation),
    }
}

/// The description in the dialect of the endpoint.
fn both(endpoint: &Endpoint, [ocriva, ocore]: &'static [Description; 2]) -> &'static Description {
    match endpoint.dialect {
        Dialect::Ocriva | Dialect::Problem => ocriva,
        Dialect::Ocore => ocore,
    }
}
