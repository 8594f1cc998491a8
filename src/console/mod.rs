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

/// The pages of the console, which all are one file: what is shown is found out by the program in it, `console/src/app`, which has
/// the same list. `:name` is a segment that may be anything.
pub const PAGES: &[&str] = &[
    "/",
    "/sign-in",
    "/forgot-password",
    "/reset-password",
    "/invite",
    "/account",
    "/gateway",
    "/o/:organization",
    "/o/:organization/api-tokens",
    "/o/:organization/api-tokens/new",
    "/o/:organization/api-tokens/:token",
    "/o/:organization/api-tokens/:token/edit",
    "/o/:organization/api-keys",
    "/o/:organization/api-keys/new",
    "/o/:organization/api-keys/:key",
    "/o/:organization/projects",
    "/o/:organization/projects/new",
    "/o/:organization/projects/:project",
    "/o/:organization/projects/:project/api-tokens",
    "/o/:organization/members",
    "/o/:organization/invitations",
    "/o/:organization/roles",
    "/o/:organization/roles/new",
    "/o/:organization/roles/:role",
    "/o/:organization/webhooks",
    "/o/:organization/webhooks/new",
    "/o/:organization/webhooks/:endpoint",
    "/o/:organization/webhook-deliveries/:delivery",
    "/o/:organization/audit-log",
    "/o/:organization/operations",
    "/o/:organization/operations/new",
    "/o/:organization/operations/:operation",
    "/o/:organization/settings",
    "/people",
    "/people/new",
    "/people/:person",
];

/// By request path.
static SERVED: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let mut served: HashMap<String, File> = FILES.iter().map(served).collect();
    for page in ["/", "/docs"] {
        served.entry(page.to_owned()).or_insert_with(|| File::page(NOT_BUILT));
    }
    served
});

/// The file that this path leads to.
pub fn find(path: &str) -> Option<&'static File> {
    let path = path.strip_suffix('/').filter(|it| !it.is_empty()).unwrap_or(path);
    SERVED.get(path).or_else(|| SERVED.get("/").filter(|_| PAGES.iter().any(|page| is_at(page, path))))
}

/// Whether a page is at this path.
fn is_at(page: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (page.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == found => {}
            (Some(wanted), Some(found)) if wanted.starts_with(':') && !found.is_empty() => {}
            _ => return false,
        }
    }
}

/// Its request path, and what is served there.
fn served(built: &Built) -> (String, File) {
    let name = built.name;
    let file = match content_type(name) {
        // Swagger UI has its icons in `data:`.
        HTML if name.starts_with("docs/") => File::page(built.plain).with_images_in_data(),
        HTML => File::page(built.plain),
        other => File::new(other, built.plain),
    };
    let file = built.gzip.map_or(file.clone(), |gzip| file.with_gzip(gzip));
    // The build puts a hash of the content into the names of these.
    let file = if name.starts_with("assets/") { file.immutable() } else { file };
    let path = match name.strip_suffix("index.html") {
        Some(folder) => format!("/{}", folder.trim_end_matches('/')),
        None => format!("/{name}"),
    };
    (path, file)
}

const HTML: &str = "text/html; charset=utf-8";

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => HTML,
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
    }

    #[test]
    fn every_page_of_the_console_is_one_file_and_nothing_else_is_a_page() {
        let console = find("/").expect("the console, or how it is built");
        for page in PAGES {
            let path = page.replace(":organization", "my-org").replace(':', "any-");
            assert!(std::ptr::eq(find(&path).expect(&path), console), "{path}");
            assert!(find(&format!("{path}/")).is_some(), "{path}/");
            assert!(find(&format!("{path}//")).is_none(), "{path}//");
        }
        for path in [
            "/o",
            "/o//api-tokens",
            "/o/my-org/nothing",
            "/o/my-org/projects/p/q/r",
            "/x",
            "/api",
            "/index.html/x",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn names_become_paths() {
        let path = |name| served(&Built { name, plain: b"", gzip: None }).0;
        assert_eq!(path("docs/index.html"), "/docs");
        assert_eq!(path("index.html"), "/");
        assert_eq!(path("assets/docs-1a2b.js"), "/assets/docs-1a2b.js");
    }
}
