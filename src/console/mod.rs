//! The front end: files that were built from `console/` at the top and are part of the program, and how they are served.
//!
//! It knows nothing of what the files are for. Without a built front end there is a page that says how to build one.

mod file;

pub use file::File;

use std::collections::HashMap;
use std::sync::LazyLock;

/// A file of `console/dist`.
struct Built {
    /// Its path there.
    name: &'static str,
    plain: &'static [u8],
    /// The same in gzip, where that is smaller.
    gzip: Option<&'static [u8]>,
}

// The table `FILES`, by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/console.rs"));

const NOT_BUILT: &str = include_str!("not_built.html");

/// By request path.
static SERVED: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let mut served: HashMap<String, File> = FILES.iter().map(served).collect();
    served.entry("/docs".to_owned()).or_insert_with(|| File::new("text/html; charset=utf-8", NOT_BUILT));
    served
});

/// The file that this path leads to.
pub fn find(path: &str) -> Option<&'static File> {
    SERVED.get(path.strip_suffix('/').filter(|it| !it.is_empty()).unwrap_or(path))
}

/// Its request path, and what is served there.
fn served(built: &Built) -> (String, File) {
    let name = built.name;
    let file = File::new(content_type(name), built.plain);
    let file = built.gzip.map_or(file.clone(), |gzip| file.with_gzip(gzip));
    // The build puts a hash of the content into the names of these.
    let file = if name.starts_with("assets/") { file.immutable() } else { file };
    let path = match name.strip_suffix("index.html") {
        Some(folder) => format!("/{}", folder.trim_end_matches('/')),
        None => format!("/{name}"),
    };
    (path, file)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_reference_whether_it_was_built_or_not() {
        assert!(find("/docs").is_some());
        assert!(find("/docs/").is_some());
        assert!(find("/docs/other").is_none());
        assert!(find("/").is_none() || FILES.iter().any(|built| built.name == "index.html"));
    }

    #[test]
    fn names_become_paths() {
        let path = |name| served(&Built { name, plain: b"", gzip: None }).0;
        assert_eq!(path("docs/index.html"), "/docs");
        assert_eq!(path("index.html"), "/");
        assert_eq!(path("assets/docs-1a2b.js"), "/assets/docs-1a2b.js");
    }
}
