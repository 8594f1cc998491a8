//! dialect (under construction)
