//! The configuration: read from YAML, compiled into types that can only hold valid values.
//!
//! [`Config`] is what the rest of the program sees. Each module takes its own section.

mod check;
pub mod compile;
pub mod diff;
mod document;
mod json_schema;
mod load;
mod mask;
mod model;
mod problem;
mod reference;
mod schema;
mod section;
mod substitute;
mod suggest;
mod tls;
mod units;
mod url;
pub mod watch;
mod yaml;

pub use crate::token::signer::SigningAlgorithm;
pub(crate) use document::{Document, Value};
pub use json_schema::json_schema;
pub use load::{LoadError, Loaded};
pub use model::*;
pub use problem::{Code, Problem, Problems};
pub use reference::key_reference;
pub(crate) use section::Section;
pub(crate) use substitute::Variables;
use tls::tls_problem;
pub use url::HttpUrl;
