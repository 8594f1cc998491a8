//! The control side: what runs beside the request path, on a runtime of its own.

pub mod acme;
pub mod domain;
pub mod edge;
pub mod error;
pub mod health;
pub mod http;
pub mod openapi;
pub mod operations;
mod post;
pub mod sessions;
pub mod signing;
pub mod traces;
pub mod webhooks;
