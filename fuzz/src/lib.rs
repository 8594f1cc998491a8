//! What the fuzzer tries: one function for each thing that reads bytes from outside. `docs/fuzzing.md` tells how to run
//! them, and how to add one.

mod memory;
mod targets;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {$(
        #[doc = concat!("See `src/targets/", stringify!($name), ".rs`.")]
        pub fn $name(data: &[u8]) {
            memory::bounded(data, targets::$name::check);
        }
    )*};
}

targets![
    answer,
    body,
    certificate,
    config,
    credential,
    cursor,
    dns,
    fixture,
    forwarded,
    head,
    json,
    jwt,
    log,
    multipart,
    path,
    proxy,
    query,
    traceparent,
    webhook,
];
