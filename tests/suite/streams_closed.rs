//! Closed
