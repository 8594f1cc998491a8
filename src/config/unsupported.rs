//! What the configuration specifies and this version does not do. Such keys are refused: a key that is accepted and
//! does nothing is worse than none. A feature that arrives takes its line out of here, and nothing else.

/// A key, or some values of it.
pub(crate) struct Unsupported {
    /// The key, with `[]` for any item and `*` for any name.
    pub(crate) path: &'static str,
    /// Only values that start so; every value when empty.
    pub(crate) value: &'static str,
    /// Completes "this version … yet".
    pub(crate) what: &'static str,
    /// What to do until then.
    pub(crate) instead: &'static str,
}

/// Everything that is refused.
pub(crate) const UNSUPPORTED: &[Unsupported] = &[
    value("store.url", "postgres://", "has no PostgreSQL store", "use `sqlite://data/portcullis.db`"),
    value("store.url", "postgresql://", "has no PostgreSQL store", "use `sqlite://data/portcullis.db`"),
    key(
        "telemetry.traces",
        "does not export traces",
        "remove it; `traceparent` is passed on to upstreams all the same",
    ),
];

const fn key(path: &'static str, what: &'static str, instead: &'static str) -> Unsupported {
    value(path, "", what, instead)
}

const fn value(
    path: &'static str,
    value: &'static str,
    what: &'static str,
    instead: &'static str,
) -> Unsupported {
    Unsupported { path, value, what, instead }
}
