//! The path that an upstream gets, where it is not the one that was matched. What comes out is in the normal form: it is
//! made of segments of a path that is, and of segments of the configuration that were brought into it.

use super::route::first_segment;
use crate::config::{Piece, Rewrite, Template};
use http::HeaderValue;

/// The new path.
pub(super) fn path(rewrite: &Rewrite, path: &str) -> String {
    match rewrite {
        // The pattern begins with these literals, so that the path does.
        Rewrite::Strip(prefix) => match path.strip_prefix(&**prefix).unwrap_or(path) {
            "" => "/".to_owned(),
            rest => rest.to_owned(),
        },
        Rewrite::Path(template) => fill(template, path),
    }
}

/// A template, filled with a path in the normal form.
pub(super) fn fill(template: &Template, path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    for piece in &template.0 {
        match piece {
            Piece::Literal(text) => {
                out.push('/');
                out.push_str(text);
            }
            Piece::Segment(at) => {
                out.push('/');
                out.push_str(first_segment(behind(path, *at)).map_or("", |(segment, _)| segment));
            }
            Piece::Rest(from) => out.push_str(behind(path, *from)),
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

/// What follows that many segments.
fn behind(path: &str, segments: usize) -> &str {
    (0..segments).fold(path, |path, _| first_segment(path).map_or("", |(_, rest)| rest))
}

/// `X-Forwarded-Prefix`: what an upstream has to put before its own paths, so that they are the client's.
pub(super) fn forwarded_prefix(rewrite: Option<&Rewrite>) -> Option<HeaderValue> {
    match rewrite {
        Some(Rewrite::Strip(prefix)) => HeaderValue::from_str(prefix).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::path::normalise;

    fn strip(prefix: &str, from: &str) -> String {
        path(&Rewrite::Strip(prefix.into()), from)
    }

    #[test]
    fn stripping_leaves_a_path() {
        assert_eq!(strip("/v1", "/v1/a/b"), "/a/b");
        assert_eq!(strip("/v1", "/v1/a/"), "/a/");
        assert_eq!(strip("/v1", "/v1"), "/");
        assert_eq!(strip("/v1", "/v1/"), "/");
        assert_eq!(strip("/v1/a", "/v1/a/%2A"), "/%2A");
    }

    #[test]
    fn a_template_is_filled_with_whole_segments() {
        let literal = |text: &str| Piece::Literal(text.into());
        let filled = |pieces: Vec<Piece>, from: &str| fill(&Template(pieces), from);
        assert_eq!(
            filled(vec![literal("in"), Piece::Segment(1), Piece::Rest(2)], "/v1/7/a/b/"),
            "/in/7/a/b/"
        );
        assert_eq!(filled(vec![literal("in"), Piece::Rest(1)], "/v1"), "/in");
        assert_eq!(filled(vec![literal("in"), Piece::Rest(1)], "/v1/"), "/in/");
        assert_eq!(filled(vec![Piece::Rest(1)], "/v1"), "/");
        assert_eq!(filled(vec![Piece::Rest(0)], "/a/b"), "/a/b");
        assert_eq!(filled(vec![], "/a/b"), "/");
        assert_eq!(filled(vec![Piece::Segment(1), Piece::Segment(0)], "/a/b"), "/b/a");
    }

    #[test]
    fn what_comes_out_is_in_the_normal_form() {
        for from in ["/v1/a;x=1/b", "/v1/%2A/..b/", "/v1", "/v1/", "/v1/a%25b"] {
            let from = normalise(from).unwrap();
            for rewrite in [
                Rewrite::Strip("/v1".into()),
                Rewrite::Path(Template(vec![Piece::Literal("x".into()), Piece::Rest(1)])),
            ] {
                let to = path(&rewrite, &from);
                assert_eq!(normalise(&to).as_deref(), Ok(&*to), "{from}");
            }
        }
    }
}
