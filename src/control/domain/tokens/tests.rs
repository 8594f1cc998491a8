//! The life of a key, in the domain.
