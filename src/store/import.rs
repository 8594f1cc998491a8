//! Fixtures (under construction).

/// What an import file holds.
#[derive(Debug)]
pub struct Fixture;

/// What an import did.
#[derive(Debug)]
pub struct Imported;
