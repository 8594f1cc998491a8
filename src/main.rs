//! The `portcullis` program; everything is in the library.

fn main() {}
