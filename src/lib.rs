//! Portcullis: an edge gateway for APIs that are opened by key.
//!
//! `ARCHITECTURE.md` tells the life of a request. Which module may use which is held by
//! `tests/suite/architecture.rs`: from the command line down to the clock, never up.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod control;
pub mod deadline;
pub mod demo;
pub mod dialect;
pub mod limiter;
pub mod limits;
pub mod listen;
pub mod pipeline;
pub mod prefetch;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod upstream;
pub mod wire;
