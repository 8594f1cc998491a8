//! One call of the control API, as a command asks for it: the same to a store and to a server.

use http::Method;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A call.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    /// What goes into `X-Org-Slug`.
    pub(super) slug: Option<String>,
    pub(super) body: Option<Value>,
}

impl Ask {
    /// A call of this path, whose segments are escaped already.
    pub(in crate::cli) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: String::new(), slug: None, body: None }
    }

    pub(in crate::cli) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(in crate::cli) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(in crate::cli) fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(in crate::cli) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// With this parameter, where it has a value.
    pub(in crate::cli) fn query(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            let separator = if self.query.is_empty() { "" } else { "&" };
            // Writing to a string does not fail.
            let _ = write!(self.query, "{separator}{name}={}", escaped(value.as_ref()));
        }
        self
    }

    /// In the organization of this slug.
    pub(in crate::cli) fn of(mut self, slug: &str) -> Self {
        self.slug = Some(slug.to_owned());
        self
    }

    /// With this body.
    pub(in crate::cli) fn json(mut self, body: Body) -> Self {
        self.body = Some(Value::Object(body.0));
        self
    }
}

/// The members of a body; those that were not given are left out.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Body(Map<String, Value>);

impl Body {
    /// With this member, where there is one.
    pub(in crate::cli) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// With this list, where it is not empty.
    pub(in crate::cli) fn list(self, name: &str, list: Vec<String>) -> Self {
        self.with(name, (!list.is_empty()).then_some(list))
    }

    /// With this text, where it is given; an empty one takes away what is there.
    pub(in crate::cli) fn text_or_none(self, name: &str, text: Option<String>) -> Self {
        self.with(name, text.map(|text| if text.is_empty() { Value::Null } else { text.into() }))
    }
}

/// A text as one segment of a path, or one value of a query.
pub(in crate::cli) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_path_stays_one_segment() {
        assert_eq!(escaped("a/b?c=ก &.."), "a%2Fb%3Fc%3D%E0%B8%81%20%26..");
        let ask = Ask::get("/x").query("a", Some("1&2")).query("b", None::<&str>).query("c", Some("é"));
        assert_eq!(ask.query, "a=1%262&c=%C3%A9");
    }
}
