//! The control side: what runs beside the request path, on a runtime of its own.

pub mod health;
pub mod signing;
