//! The OpenAPI document of both dialects: every endpoint described as data, next to the table of endpoints.
//!
//! What is described is held to what is done from two sides: readers of bodies and queries refuse to read what is not
//! described (`reading`), and the suite holds every answer that it gets against the document.

mod description;
mod document;
mod ocore;
mod ocriva;
mod reading;
mod records;
mod schema;

pub use document::document;

pub(in crate::control) use description::{Kind, Presence};
pub(in crate::control) use reading::Reading;

use crate::console::File;
use crate::dialect::endpoint::Operation;
use description::Description;
use std::sync::LazyLock;

static SERVED: LazyLock<File> = LazyLock::new(|| File::new("application/json", document().to_string()));

/// The document as it is served.
pub fn file() -> &'static File {
    &SERVED
}

/// How an operation is described. No wildcard: an endpoint without a description does not compile.
fn described(operation: Operation) -> &'static Description {
    match operation {
        Operation::LogIn => &ocriva::LOG_IN,
        Operation::CreateToken => &ocriva::CREATE_TOKEN,
        Operation::CreateProjectToken => &ocriva::CREATE_PROJECT_TOKEN,
        Operation::ListTokens => &ocriva::LIST_TOKENS,
        Operation::ShowToken => &ocriva::SHOW_TOKEN,
        Operation::UpdateToken => &ocriva::UPDATE_TOKEN,
        Operation::RegenerateToken => &ocriva::REGENERATE_TOKEN,
        Operation::DeleteToken => &ocriva::DELETE_TOKEN,
        Operation::Ocore(operation) => ocore::of(operation),
    }
}
