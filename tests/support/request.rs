//! A request to be sent exactly as written, with the conveniences the suite needs.

use super::fixture::random_hex;
use serde_json::Value;

/// One HTTP/1.1 request. Nothing is encoded, checked or put right.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// `x-test-tag`: a name by which the upstream's record of it is found.
    pub(crate) tag: String,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A Content-Length when there is a body.
    Length,
    /// Chunks of this many bytes.
    Chunked(usize),
    /// The test writes the header fields of the body itself.
    AsWritten,
}

/// A request with this method.
pub(crate) fn method(method: &str, target: &str) -> Request {
    Request {
        method: method.into(),
        target: target.into(),
        headers: Vec::new(),
        body: Vec::new(),
        tag: new_tag(),
        framing: Framing::Length,
    }
}

/// `GET target`
pub(crate) fn get(target: &str) -> Request {
    method("GET", target)
}

/// `POST target`
pub(crate) fn post(target: &str) -> Request {
    method("POST", target)
}

/// `PUT target`
pub(crate) fn put(target: &str) -> Request {
    method("PUT", target)
}

/// `PATCH target`
pub(crate) fn patch(target: &str) -> Request {
    method("PATCH", target)
}

/// `DELETE target`
pub(crate) fn delete(target: &str) -> Request {
    method("DELETE", target)
}

impl Clone for Request {
    /// A copy is another request, so it has a tag of its own.
    fn clone(&self) -> Self {
        Self {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            tag: new_tag(),
            framing: self.framing,
        }
    }
}

fn new_tag() -> String {
    format!("t-{}", random_hex(8))
}

impl Request {
    /// Adds a header line.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// `X-API-Key: key`
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("X-API-Key", key)
    }

    /// `Authorization: Bearer token`
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// `X-Org-Slug: slug`
    pub(crate) fn org(self, slug: &str) -> Self {
        self.header("X-Org-Slug", slug)
    }

    /// A JSON body.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// A body and its type.
    pub(crate) fn body(self, kind: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", kind).raw_body(bytes)
    }

    /// A body without a type.
    pub(crate) fn raw_body(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body = bytes.as_ref().to_vec();
        self
    }

    /// Sends the body in chunks of this many bytes.
    pub(crate) fn chunked(mut self, piece: usize) -> Self {
        self.framing = Framing::Chunked(piece);
        self
    }

    /// Leaves the header fields that frame the body to the test.
    pub(crate) fn unframed(mut self) -> Self {
        self.framing = Framing::AsWritten;
        self
    }

    /// Answers of the scripted upstream are chosen by this name.
    pub(crate) fn script(self, name: &str) -> Self {
        self.header("x-script", name)
    }

    /// The head as it goes over the wire.
    pub(crate) fn head(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            line("Host", host.as_bytes());
        }
        line("x-test-tag", self.tag.as_bytes());
        for (name, value) in &self.headers {
            line(name, value);
        }
        match self.framing {
            Framing::Length if !self.body.is_empty() => {
                line("Content-Length", self.body.len().to_string().as_bytes());
            }
            Framing::Length if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => {
                line("Content-Length", b"0");
            }
            Framing::Chunked(_) => line("Transfer-Encoding", b"chunked"),
            Framing::Length | Framing::AsWritten => {}
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// Head and body as they go over the wire.
    pub(crate) fn bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = self.head(host);
        let Framing::Chunked(piece) = self.framing else {
            bytes.extend_from_slice(&self.body);
            return bytes;
        };
        for chunk in self.body.chunks(piece.max(1)) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}
