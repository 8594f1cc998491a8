//! Field lines: line ends, names, values, what is the gateway's and no client's to say (RFC 9110, 5 to 7).

use super::Expect::{Answered, Forwarded, Refused};
use super::{Vector, get_with, post_with, vector};

pub(super) fn vectors() -> Vec<Vector> {
    [lines(), names(), identity(), hops(), sizes()].into_iter().flatten().collect()
}

fn lines() -> Vec<Vector> {
    let refused = [
        ("folded with a blank", "X: a\r\n b\r\n"),
        ("folded with a tab", "X: a\r\n\tb\r\n"),
        ("folded to nothing", "X: a\r\n \r\n"),
        ("ended by LF", "X: a\n"),
        ("ended by CR", "X: a\r"),
        ("ended by CR CR LF", "X: a\r\r\n"),
        ("a bare CR in a value", "X: a\rb\r\n"),
        ("a NUL in a value", "X: a\0b\r\n"),
        ("a control character in a value", "X: a\u{1}b\r\n"),
        ("an escape in a value", "X: a\u{1b}[31mb\r\n"),
        ("DEL in a value", "X: a\u{7f}b\r\n"),
        ("no colon", "X\r\n"),
        ("no name", ": a\r\n"),
    ];
    let refused = refused.map(|(name, fields)| get_with(format!("line: {name}"), fields, Refused(400)));
    let whole = |name: &str, text: &str, expect| vector(format!("line: {name}"), text, expect);
    let more = [
        whole("all end with LF", "GET {P} HTTP/1.1\nHost: a\n\n", Refused(400)),
        whole("the request line ends with LF", "GET {P} HTTP/1.1\nHost: a\r\n{K}\r\n", Refused(400)),
        whole("the empty line is LF", "GET {P} HTTP/1.1\r\nHost: a\r\n{K}\n", Refused(400)),
        whole("the request line ends with CR", "GET {P} HTTP/1.1\rHost: a\r\n{K}\r\n", Refused(400)),
        whole("a blank before the first field", "GET {P} HTTP/1.1\r\n Host: a\r\n{K}\r\n", Refused(400)),
        whole(
            "a tab before the first field",
            "GET {P} HTTP/1.1\r\n\tX: a\r\nHost: a\r\n{K}\r\n",
            Refused(400),
        ),
        whole("empty lines before", "\r\n\r\nGET {P} HTTP/1.1\r\nHost: a\r\n{K}\r\n", Forwarded("")),
        whole("an LF before", "\nGET {P} HTTP/1.1\r\nHost: a\r\n{K}\r\n", Refused(400)),
        whole("a blank before", " GET {P} HTTP/1.1\r\nHost: a\r\n{K}\r\n", Refused(400)),
        whole("a CR before", "\rGET {P} HTTP/1.1\r\nHost: a\r\n{K}\r\n", Refused(400)),
    ];
    let fine = [
        ("an empty value", "X:\r\n"),
        ("blanks and tabs around a value", "X: \t a \t\r\n"),
        ("a tab within a value", "X: a\tb\r\n"),
        ("a value that is not ASCII", "X: \u{e4}\u{f6}\r\n"),
        ("a field twice", "X: a\r\nX: b\r\n"),
    ];
    let fine = fine.map(|(name, fields)| get_with(format!("line: {name}"), fields, Forwarded("")));
    refused
        .into_iter()
        .chain(more)
        .chain(fine)
        .map(|vector| Vector { line: line_of(&vector), ..vector })
        .collect()
}

/// Where the method is not the first thing in the bytes.
fn line_of(vector: &Vector) -> Option<&'static str> {
    vector.bytes.starts_with(b"\r\n").then_some("GET {P}")
}

fn names() -> Vec<Vector> {
    let refused = [
        "X Y: a",
        "X\tY: a",
        "X : a",
        "X\t: a",
        "X\0: a",
        "X\u{1}: a",
        "X\u{7f}: a",
        "X\u{e4}: a",
        "X@Y: a",
        "X(Y): a",
        "X,Y: a",
        "X;Y: a",
        "X/Y: a",
        "X[Y]: a",
        "X{Y}: a",
        "X\"Y: a",
        "X=Y: a",
        "X\\Y: a",
        "X?Y: a",
        "X<Y: a",
    ];
    let refused =
        refused.map(|field| get_with(format!("name: {field:?}"), &format!("{field}\r\n"), Refused(400)));
    let fine = ["X!#$%&'*+.^_`|~9: a", "9: a", "_: a"];
    let fine = fine.map(|field| get_with(format!("name: {field:?}"), &format!("{field}\r\n"), Forwarded("")));
    refused.into_iter().chain(fine).collect()
}

/// None of these may reach an upstream from a client, however a server of the CGI kind folds names.
fn identity() -> Vec<Vector> {
    [
        "X-Gateway-Token-Id",
        "x-gateway-token-id",
        "X_Gateway_Token_Id",
        "X-Gateway_Token-Id",
        "X.Gateway.Token.Id",
        "X!Gateway!Token!Id",
        "X~Gateway-Token~Id",
        "X_GATEWAY_ORGANIZATION_ID",
        "X-Gateway-Permissions",
        "X_Gateway_Scopes",
        "X-Gateway-Anything",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X_Forwarded_Proto",
        "X-Forwarded-Anything",
        "Forwarded",
        "X-Real-Ip",
        "X_Real_Ip",
        "X-Request-Id",
        "X_Request_Id",
        "X-HTTP-Method-Override",
        "X_HTTP_Method_Override",
        "X-Method-Override",
        "X-Original-URL",
        "X_Original_Url",
        "X-Rewrite-Url",
        "Cookie",
        "Proxy-Authorization",
        "Proxy_Authorization",
        "X_Org_Slug",
        "Content_Type",
        "Content.Encoding",
        "X_API_Key",
        "Host_",
        "Upgrade",
        "HTTP2-Settings",
        "Proxy-Connection",
        "Keep-Alive",
    ]
    .into_iter()
    // Not a disguise of anything, and here to show that the others are not simply all dropped.
    .filter(|name| *name != "Host_")
    .map(|name| get_with(format!("identity: {name}"), &format!("{name}: evil\r\n"), Forwarded("")))
    .collect()
}

fn hops() -> Vec<Vector> {
    let mut vectors = vec![
        get_with("hop: lists a field", "Connection: x-hop\r\nX-Hop: evil\r\n", Forwarded("")),
        get_with(
            "hop: lists fields on two lines",
            "Connection: x-a\r\nConnection: x-b\r\nX-A: evil\r\nX-B: evil\r\n",
            Forwarded(""),
        ),
        get_with("hop: lists in other case", "Connection: X-HOP\r\nx-hop: evil\r\n", Forwarded("")),
        get_with(
            "hop: lists among blanks and commas",
            "Connection: ,, x-hop ,\r\nX-Hop: evil\r\n",
            Forwarded(""),
        ),
        get_with(
            "hop: h2c",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            Forwarded(""),
        ),
        post_with(
            "hop: h2c with a body",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n",
            "hello",
            Forwarded("hello"),
        ),
        get_with("hop: TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", Forwarded("")),
        get_with("hop: keep-alive in capitals", "Connection: KEEP-ALIVE\r\n", Forwarded("")),
    ];
    for name in
        ["authorization", "x-api-key", "x-gateway-token-id", "x-forwarded-for", "host", "x-request-id", "te"]
    {
        vectors.push(get_with(
            format!("hop: lists {name}"),
            &format!("Connection: {name}\r\n"),
            Forwarded(""),
        ));
    }
    for name in ["content-type", "Content-Encoding", "x-org-slug", "close, content-type"] {
        let fields = format!("Connection: {name}\r\nContent-Length: 5\r\n");
        vectors.push(post_with(format!("hop: lists {name}"), &fields, "hello", Refused(400)));
    }
    for close in ["close", "Close", "x, close", "keep-alive, close", "close\r\nConnection: keep-alive"] {
        let fields = format!("Connection: {close}\r\n");
        vectors.push(get_with(format!("hop: {close:?}"), &fields, super::Expect::Last("")));
    }
    vectors
}

fn sizes() -> Vec<Vector> {
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    let value = |length: usize| format!("X: {}\r\n", "y".repeat(length));
    vec![
        get_with("size: many fields", &fields(90), Forwarded("")),
        get_with("size: too many fields", &fields(101), Refused(431)),
        get_with("size: far too many fields", &fields(5000), Refused(431)),
        get_with("size: a long value", &value(16 * 1024), Forwarded("")),
        get_with("size: a value that is too long", &value(40 * 1024), Refused(431)),
        get_with("size: a value that is far too long", &value(200 * 1024), Refused(431)),
        get_with("size: a name that is too long", &format!("{}: y\r\n", "x".repeat(70 * 1024)), Refused(431)),
        vector(
            "size: a target that is too long",
            format!("GET {{P}}?{} HTTP/1.1\r\nHost: a\r\n{{K}}\r\n", "x".repeat(200 * 1024)),
            Refused(414),
        ),
        vector(
            "size: a method that is too long",
            format!("{} {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}\r\n", "X".repeat(200 * 1024)),
            Refused(414),
        ),
        get_with("size: a key that nobody has", "Authorization: Bearer x\r\n", Answered(401)),
    ]
}
