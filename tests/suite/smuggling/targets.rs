//! Request lines, targets, versions and hosts (RFC 9112, 2 and 3).

use super::Expect::{self, Answered, Forwarded, Last, Refused};
use super::{Vector, vector};

pub(super) fn vectors() -> Vec<Vector> {
    [lines(), versions(), methods(), forms(), hosts(), pipelines()].into_iter().flatten().collect()
}

/// A request with this request line and good fields.
fn line(text: &str, expect: Expect) -> Vector {
    vector(format!("request line: {text:?}"), format!("{text}\r\nHost: gateway.test\r\n{{K}}\r\n"), expect)
}

fn lines() -> Vec<Vector> {
    let refused = [
        "GET  {P} HTTP/1.1",
        "GET {P}  HTTP/1.1",
        "GET\t{P} HTTP/1.1",
        "GET {P}\tHTTP/1.1",
        "GET {P} HTTP/1.1 ",
        "GET {P} HTTP/1.1\t",
        "GET\u{b}{P} HTTP/1.1",
        "GET {P} HTTP/1.1 GET {P} HTTP/1.1",
        "GET {P} /x HTTP/1.1",
        "GET {P}\0 HTTP/1.1",
        "GET {P}\u{1} HTTP/1.1",
        "GET {P}\u{7f} HTTP/1.1",
        "GET {P}#x HTTP/1.1",
        "GET {P}?a#b HTTP/1.1",
        "G\u{e4}T {P} HTTP/1.1",
        "GE(T {P} HTTP/1.1",
        "{P} HTTP/1.1",
        "GET HTTP/1.1",
        "GET",
        "GET {P}\r HTTP/1.1",
    ];
    refused.into_iter().map(|text| line(text, Refused(400))).collect()
}

fn versions() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for text in ["HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"] {
        vectors.push(line(&format!("GET {{P}} {text}"), Refused(505)));
    }
    for text in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1",
        "HTTP/2",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/1.1.1",
        "HTTP/01.1",
        "HTTP/1,1",
        "HTTP 1.1",
        "HTTP/-1.1",
        "HTTP/ 1.1",
        "HTTPS/1.1",
        "ICY/1.1",
        "HTTP/1.\u{0661}",
        "XHTTP/1.1",
    ] {
        vectors.push(line(&format!("GET {{P}} {text}"), Refused(400)));
    }
    vectors.push(vector("version: 0.9", "GET {P}\r\n\r\n", Refused(400)));
    vectors.push(line("PRI {P} HTTP/2.0", Refused(505)));
    vectors
}

fn methods() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for method in ["get", "Get", "gET", "post", "pATCH", "x", "trACE"] {
        vectors.push(line(&format!("{method} {{P}} HTTP/1.1"), Refused(400)));
    }
    vectors.push(line("TRACE {P} HTTP/1.1", Answered(405)));
    vectors.push(line("CONNECT {P} HTTP/1.1", Refused(400)));
    vectors.push(line("CONNECT gateway.test:443 HTTP/1.1", Refused(400)));
    vectors.push(line("PROPFIND {P} HTTP/1.1", Forwarded("")));
    vectors.push(line("M-SEARCH {P} HTTP/1.1", Forwarded("")));
    vectors
}

fn forms() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let absolute = |target: &str, host: &str, expect| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{{K}}\r\n");
        Vector { line: Some("GET {P}"), ..vector(format!("target: {target}, {host}"), text, expect) }
    };
    vectors.push(absolute("http://gateway.test{P}", "gateway.test", Forwarded("")));
    vectors.push(absolute("http://gateway.test{P}", "other.test", Forwarded("")));
    vectors.push(absolute("HTTP://GATEWAY.test:80{P}", "gateway.test", Forwarded("")));
    vectors.push(absolute("https://gateway.test{P}", "gateway.test", Forwarded("")));
    vectors.push(absolute("http://evil:evil@gateway.test{P}", "gateway.test", Forwarded("")));
    vectors.push(absolute("ftp://gateway.test{P}", "gateway.test", Refused(400)));
    vectors.push(absolute("file://gateway.test{P}", "gateway.test", Refused(400)));
    vectors.push(absolute("http://{P}", "gateway.test", Refused(400)));
    vectors.push(absolute("http:{P}", "gateway.test", Refused(400)));
    vectors.push(absolute("http://a b{P}", "gateway.test", Refused(400)));
    for target in ["*", "gateway.test", "gateway.test:80", "v1/openapi/x", "?x", "%2fv1", "[::1]:80"] {
        vectors.push(line(&format!("GET {target} HTTP/1.1"), Refused(400)));
    }
    vectors.push(line("OPTIONS * HTTP/1.1", Refused(400)));
    for path in ["/../x", "/%2e%2e/x", "/%2fx", "/x%00", "/x%0d%0aX:%20y", "/..;/x", "\\x"] {
        vectors.push(line(&format!("GET {{P}}{path} HTTP/1.1"), Answered(400)));
    }
    vectors
}

fn hosts() -> Vec<Vector> {
    let host = |lines: &str, expect| {
        vector(format!("host: {lines:?}"), format!("GET {{P}} HTTP/1.1\r\n{lines}{{K}}\r\n"), expect)
    };
    let mut vectors = vec![
        host("", Refused(400)),
        host("Host: gateway.test\r\nHost: gateway.test\r\n", Refused(400)),
        host("Host: gateway.test\r\nhost: other.test\r\n", Refused(400)),
        host("Host : gateway.test\r\n", Refused(400)),
        host("Host: gateway.test\r\nHost_: x\r\n", Forwarded("")),
        host("Host_: x\r\n", Refused(400)),
    ];
    for bad in [
        "",
        " ",
        "a b",
        "a,b",
        "a, a",
        "a@b",
        "user:x@a",
        "a/b",
        "http://a",
        "a:80:80",
        "a:x",
        "a:-1",
        "a:999999",
        ":80",
        "[::1",
        "::1",
        "[::1]x",
        "[g::1]",
        "a?b",
        "a#b",
        "a\\b",
        "a%00",
        "a;b",
        "\u{e4}.test",
        "\"a\"",
        "a\tb",
    ] {
        vectors.push(host(&format!("Host: {bad}\r\n"), Refused(400)));
    }
    for good in
        ["a", "a:80", "a:", "127.0.0.1:8080", "[::1]:80", "A.TEST", "xn--nxasmq6b.test", "a_b.test", "a."]
    {
        vectors.push(host(&format!("Host: {good}\r\n"), Forwarded("")));
    }
    vectors.push(vector("host: HTTP/1.0 needs none", "GET {P} HTTP/1.0\r\n{K}\r\n", Last("")));
    vectors.push(vector(
        "host: HTTP/1.0 with a bad one",
        "GET {P} HTTP/1.0\r\nHost: a b\r\n{K}\r\n",
        Refused(400),
    ));
    vectors.push(vector(
        "host: none beside an absolute target",
        "GET http://a{P} HTTP/1.1\r\n{K}\r\n",
        Refused(400),
    ));
    vectors
}

/// What stands behind a request that ends the connection is not read.
fn pipelines() -> Vec<Vector> {
    let inner = "GET /v1/openapi/smuggled HTTP/1.1\r\nHost: a\r\nX-Gateway-Scopes: evil\r\n\r\n";
    vec![
        vector(
            "pipeline: behind close",
            format!("GET {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}Connection: close\r\n\r\n{inner}"),
            Last(""),
        ),
        vector(
            "pipeline: behind a body that is too short",
            format!(
                "POST {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}Content-Length: 5\r\nConnection: close\r\n\r\nhello{inner}"
            ),
            Last("hello"),
        ),
        vector(
            "pipeline: behind a bad head",
            format!("GET {{P}} HTTP/1.1\r\nbad\r\n\r\n{inner}"),
            Refused(400),
        ),
        vector(
            "pipeline: behind a bad chunk",
            format!("POST {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}Transfer-Encoding: chunked\r\n\r\nzz\r\n{inner}"),
            Refused(400),
        ),
    ]
}
