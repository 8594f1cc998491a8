//! Portcullis: an edge gateway for APIs that are opened by key.
//!
//! `ARCHITECTURE.md` tells the life of a request; the modules below stand in the order in which they may
//! use each other (downward only), which `tests/suite/architecture.rs` holds.

pub mod app;
pub mod cli;
pub mod deadline;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod dialect;
pub mod limiter;
pub mod listen;
pub mod pipeline;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod upstream;
