//! Where a body ends: lengths, transfer codings, chunks, trailers (RFC 9112, 6 and 7).

use super::Expect::{Forwarded, Last, Refused};
use super::{Vector, chunks, get_with, post_with, vector};

pub(super) fn vectors() -> Vec<Vector> {
    [lengths(), codings(), sizes(), trailers(), others()].into_iter().flatten().collect()
}

const CHUNKED: &str = "5\r\nhello\r\n0\r\n\r\n";

fn lengths() -> Vec<Vector> {
    let refused = [
        ("two lengths that differ", "Content-Length: 5\r\nContent-Length: 0\r\n"),
        ("two lengths that differ, the first is nought", "Content-Length: 0\r\nContent-Length: 5\r\n"),
        ("a list of one length", "Content-Length: 5, 5\r\n"),
        ("a list of two lengths", "Content-Length: 5, 6\r\n"),
        ("a list with a blank member", "Content-Length: 5,\r\n"),
        ("a plus", "Content-Length: +5\r\n"),
        ("a minus", "Content-Length: -5\r\n"),
        ("minus nought", "Content-Length: -0\r\n"),
        ("hexadecimal", "Content-Length: 0x5\r\n"),
        ("a letter behind", "Content-Length: 5a\r\n"),
        ("a blank within", "Content-Length: 5 5\r\n"),
        ("a fraction", "Content-Length: 5.0\r\n"),
        ("an exponent", "Content-Length: 5e0\r\n"),
        ("an underscore", "Content-Length: 0_5\r\n"),
        ("quotes", "Content-Length: \"5\"\r\n"),
        ("nothing", "Content-Length:\r\n"),
        ("a blank", "Content-Length:  \r\n"),
        ("2^64", "Content-Length: 18446744073709551616\r\n"),
        ("2^64 + 5", "Content-Length: 18446744073709551621\r\n"),
        ("forty digits", "Content-Length: 9999999999999999999999999999999999999999\r\n"),
        ("digits that are not ASCII", "Content-Length: \u{0665}\r\n"),
        ("a semicolon", "Content-Length: 5;x\r\n"),
        ("a blank before the colon", "Content-Length : 5\r\n"),
        ("a tab before the colon", "Content-Length\t: 5\r\n"),
        ("a NUL before the colon", "Content-Length\0: 5\r\n"),
        ("a vertical tab before the number", "Content-Length:\u{b}5\r\n"),
        ("a form feed before the number", "Content-Length:\u{c}5\r\n"),
        ("a non-breaking space before the number", "Content-Length:\u{a0}5\r\n"),
        ("on a folded line", "Content-Length:\r\n 5\r\n"),
        ("behind a bare LF", "X: y\nContent-Length: 5\r\n"),
        ("behind a bare CR", "X: y\rContent-Length: 5\r\n"),
        ("behind a NUL", "X: y\0Content-Length: 5\r\n"),
    ];
    let refused =
        refused.map(|(name, fields)| post_with(format!("length: {name}"), fields, "hello", Refused(400)));
    let forwarded = [
        ("plain", "Content-Length: 5\r\n"),
        ("leading zeros", "Content-Length: 0000000005\r\n"),
        ("blanks around", "Content-Length: \t 5 \t\r\n"),
        ("twice the same", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("twice the same in other spellings", "Content-Length: 5\r\ncontent-length: 05\r\n"),
        ("with a disguised second", "Content-Length: 5\r\nContent_Length: 0\r\n"),
        ("with another disguised second", "Content.Length: 0\r\nContent-Length: 5\r\n"),
        ("listed in Connection", "Content-Length: 5\r\nConnection: content-length\r\n"),
    ];
    let forwarded = forwarded
        .map(|(name, fields)| post_with(format!("length: {name}"), fields, "hello", Forwarded("hello")));
    let zero = "Content-Length: 0\r\n";
    let body = "GET /v1/openapi/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", body.len());
    let more = [
        post_with("length: none, and no body", "", "", Forwarded("")),
        post_with("length: nought", zero, "", Forwarded("")),
        get_with("length: nought on GET", zero, Forwarded("")),
        vector(
            "length: a body on GET",
            format!("GET {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}{length}\r\n{body}"),
            Forwarded(body),
        ),
        vector(
            "length: a body on DELETE",
            format!("DELETE {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}{length}\r\n{body}"),
            Forwarded(body),
        ),
        vector(
            "length: a body on HEAD",
            format!("HEAD {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}{length}\r\n{body}"),
            Forwarded(body),
        ),
        vector(
            "length: a body on OPTIONS",
            format!("OPTIONS {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}{length}\r\n{body}"),
            Forwarded(body),
        ),
        post_with(
            "length: an answer as a body",
            "Content-Length: 19\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            Forwarded("HTTP/1.1 200 OK\r\n\r\n"),
        ),
        post_with(
            "length: too long for this API",
            "Content-Length: 9223372036854775807\r\n",
            "hello",
            Refused(413),
        ),
        post_with("length: 2^64 - 1", "Content-Length: 18446744073709551615\r\n", "hello", Refused(413)),
    ];
    refused.into_iter().chain(forwarded).chain(more).collect()
}

fn codings() -> Vec<Vector> {
    let refused = [
        ("and a length", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("and a length behind it", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ("and the length nought", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
        ("and a length that is none", "Transfer-Encoding: chunked\r\nContent-Length: x\r\n"),
        ("identity and a length", "Transfer-Encoding: identity\r\nContent-Length: 5\r\n"),
        ("nothing and a length", "Transfer-Encoding:\r\nContent-Length: 5\r\n"),
        ("xchunked", "Transfer-Encoding: xchunked\r\n"),
        ("chunkedx", "Transfer-Encoding: chunkedx\r\n"),
        ("chunke", "Transfer-Encoding: chunke\r\n"),
        ("twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("twice in a list", "Transfer-Encoding: chunked, chunked\r\n"),
        ("not the last", "Transfer-Encoding: chunked, identity\r\n"),
        ("not the last, on two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("not the first", "Transfer-Encoding: identity, chunked\r\n"),
        ("gzip", "Transfer-Encoding: gzip\r\n"),
        ("gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n"),
        ("gzip and chunked on two lines", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        ("identity", "Transfer-Encoding: identity\r\n"),
        ("quoted", "Transfer-Encoding: \"chunked\"\r\n"),
        ("in single quotes", "Transfer-Encoding: 'chunked'\r\n"),
        ("with a parameter", "Transfer-Encoding: chunked;q=1\r\n"),
        ("with a comma behind", "Transfer-Encoding: chunked,\r\n"),
        ("with a comma before", "Transfer-Encoding: ,chunked\r\n"),
        ("with a semicolon behind", "Transfer-Encoding: chunked;\r\n"),
        ("with a vertical tab before", "Transfer-Encoding:\u{b}chunked\r\n"),
        ("with a vertical tab behind", "Transfer-Encoding: chunked\u{b}\r\n"),
        ("with a form feed before", "Transfer-Encoding: \u{c}chunked\r\n"),
        ("with a NUL behind", "Transfer-Encoding: chunked\0\r\n"),
        ("with a bare CR behind", "Transfer-Encoding: chunked\r\r\n"),
        ("with a non-breaking space", "Transfer-Encoding:\u{a0}chunked\r\n"),
        ("with a letter that only looks so", "Transfer-Encoding: chun\u{212a}ed\r\n"),
        ("nothing", "Transfer-Encoding:\r\n"),
        ("a blank before the colon", "Transfer-Encoding : chunked\r\n"),
        ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
        ("a CR before the colon", "Transfer-Encoding\r: chunked\r\n"),
        ("a line end before the colon", "Transfer-Encoding\r\n: chunked\r\n"),
        ("folded", "Transfer-Encoding:\r\n chunked\r\n"),
        ("folded with a tab", "Transfer-Encoding:\r\n\tchunked\r\n"),
        ("folded behind another field", "X: y\r\n Transfer-Encoding: chunked\r\n"),
        ("behind a bare LF", "X: y\nTransfer-Encoding: chunked\r\n"),
        ("behind a bare CR", "X: y\rTransfer-Encoding: chunked\r\n"),
        ("behind a NUL", "X: y\0Transfer-Encoding: chunked\r\n"),
        ("behind a blank", " Transfer-Encoding: chunked\r\n"),
        ("its line ends with LF", "Transfer-Encoding: chunked\n"),
        ("without a colon", "Transfer-Encoding chunked\r\n"),
    ];
    let refused =
        refused.map(|(name, fields)| post_with(format!("coding: {name}"), fields, CHUNKED, Refused(400)));
    let forwarded = [
        ("plain", "Transfer-Encoding: chunked\r\n"),
        ("in capitals", "TRANSFER-ENCODING: CHUNKED\r\n"),
        ("in mixed case", "tRANSFER-eNCODING: cHuNkEd\r\n"),
        ("without a blank", "Transfer-Encoding:chunked\r\n"),
        ("with a tab before", "Transfer-Encoding:\tchunked\r\n"),
        ("with blanks behind", "Transfer-Encoding: chunked \t\r\n"),
        ("with a disguised length", "Content_Length: 3\r\nTransfer-Encoding: chunked\r\n"),
        ("listed in Connection", "Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n"),
        ("with a coding of the content", "Transfer-Encoding: chunked\r\nContent-Encoding: chunked\r\n"),
    ];
    let forwarded = forwarded
        .map(|(name, fields)| post_with(format!("coding: {name}"), fields, CHUNKED, Forwarded("hello")));
    let old = |fields: &str, behind: &str, expect| {
        vector(
            format!("coding: HTTP/1.0, {fields:?}"),
            format!("POST {{P}} HTTP/1.0\r\nHost: a\r\n{{K}}{fields}\r\n{behind}"),
            expect,
        )
    };
    let more = [
        old("Transfer-Encoding: chunked\r\n", CHUNKED, Refused(400)),
        old("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", CHUNKED, Refused(400)),
        old("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "hello", Refused(400)),
        old("Content-Length: 5\r\n", "hello", Last("hello")),
        old("Content-Length: 5\r\nConnection: keep-alive\r\n", "hello", Forwarded("hello")),
        old("", "", Last("")),
        post_with(
            "coding: disguised, beside a length",
            "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n",
            "hello",
            Forwarded("hello"),
        ),
        post_with(
            "coding: disguised with a dot, beside a length",
            "Transfer.Encoding: chunked\r\nContent-Length: 5\r\n",
            "hello",
            Forwarded("hello"),
        ),
        post_with(
            "coding: of the content only",
            "Content-Encoding: chunked\r\nContent-Length: 5\r\n",
            "hello",
            Forwarded("hello"),
        ),
        post_with("coding: TE is none", "TE: chunked\r\nContent-Length: 5\r\n", "hello", Forwarded("hello")),
        vector(
            "coding: on GET",
            format!("GET {{P}} HTTP/1.1\r\nHost: a\r\n{{K}}Transfer-Encoding: chunked\r\n\r\n{CHUNKED}"),
            Forwarded("hello"),
        ),
    ];
    refused.into_iter().chain(forwarded).chain(more).collect()
}

fn sizes() -> Vec<Vector> {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(10_000));
    let endless = "5;".to_owned() + &"x".repeat(10_000);
    let refused = [
        ("negative", "-5\r\nhello\r\n0\r\n\r\n"),
        ("with a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("empty", "\r\nhello\r\n0\r\n\r\n"),
        ("a blank before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("a tab before", "\t5\r\nhello\r\n0\r\n\r\n"),
        ("a blank within", "5 0\r\nhello\r\n0\r\n\r\n"),
        ("no hexadecimal", "g\r\nhello\r\n0\r\n\r\n"),
        ("2^64", "10000000000000000\r\nhello\r\n0\r\n\r\n"),
        ("2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("more zeros than a size has", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("thousands of zeros", &("0".repeat(5000) + "5\r\nhello\r\n0\r\n\r\n")),
        ("a fraction", "5.0\r\nhello\r\n0\r\n\r\n"),
        ("an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
        ("ended by LF", "5\nhello\r\n0\r\n\r\n"),
        ("ended by CR", "5\rhello\r\n0\r\n\r\n"),
        ("ended by CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n"),
        ("a NUL behind", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("a vertical tab behind", "5\u{b}\r\nhello\r\n0\r\n\r\n"),
        ("a form feed before an extension", "5\u{c};x\r\nhello\r\n0\r\n\r\n"),
        ("an extension with LF", "5;x\nhello\r\n0\r\n\r\n"),
        ("an extension with LF in quotes", "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n"),
        ("an extension with CR", "5;x\ry\r\nhello\r\n0\r\n\r\n"),
        ("an extension with NUL", "5;x\0y\r\nhello\r\n0\r\n\r\n"),
        ("an extension that is too long", &long),
        ("an extension without end", &endless),
        ("a comma for a semicolon", "5,x\r\nhello\r\n0\r\n\r\n"),
        ("less than there is", "4\r\nhello\r\n0\r\n\r\n"),
        ("no line end behind the chunk", "5\r\nhello0\r\n\r\n"),
        ("LF behind the chunk", "5\r\nhello\n0\r\n\r\n"),
        ("CR behind the chunk", "5\r\nhello\r0\r\n\r\n"),
        ("two line ends behind the chunk", "5\r\nhello\r\n\r\n0\r\n\r\n"),
        ("the last ended by LF", "5\r\nhello\r\n0\n\r\n"),
        ("the last with LF behind", "5\r\nhello\r\n0\r\n\n"),
        ("the last negative", "5\r\nhello\r\n-0\r\n\r\n"),
        ("a request where a size should be", "GET /v1/openapi/smuggled HTTP/1.1\r\n\r\n"),
    ];
    let refused = refused.map(|(name, body)| chunks(format!("chunk: {name}"), body, Refused(400)));
    let forwarded = [
        ("a name as an extension", "5;x\r\nhello\r\n0\r\n\r\n"),
        ("an extension with a value", "5;x=y\r\nhello\r\n0;z\r\n\r\n"),
        ("an extension with a quoted value", "5;x=\"a;b\"\r\nhello\r\n0\r\n\r\n"),
        ("blanks before an extension", "5 \t;x\r\nhello\r\n0\r\n\r\n"),
        ("blanks behind", "5  \r\nhello\r\n0\r\n\r\n"),
        ("leading zeros", "0005\r\nhello\r\n000\r\n\r\n"),
        ("small and capital letters", "00000a\r\nhellohello\r\n0\r\n\r\n"),
        ("capital letters", "0A\r\nhellohello\r\n0\r\n\r\n"),
        ("one byte each", "1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n"),
    ];
    let forwarded = forwarded.map(|(name, body)| {
        let whole = if body.contains("hellohello") { "hellohello" } else { "hello" };
        chunks(format!("chunk: {name}"), body, Forwarded(whole))
    });
    let more = [
        chunks("chunk: none but the last", "0\r\n\r\n", Forwarded("")),
        chunks(
            "chunk: a whole message within",
            "14\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n0\r\n\r\n",
            Refused(400),
        ),
        chunks("chunk: a last one within", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", Forwarded("0\r\n\r\n")),
    ];
    refused.into_iter().chain(forwarded).chain(more).collect()
}

fn trailers() -> Vec<Vector> {
    let section = |fields: &str| format!("5\r\nhello\r\n0\r\n{fields}\r\n");
    let dropped = [
        "Content-Length: 3",
        "Content_Length: 3",
        "Transfer-Encoding: chunked",
        "Host: evil",
        "Authorization: Bearer evil",
        "X-API-Key: evil",
        "Cookie: evil",
        "Content-Type: evil/evil",
        "X-Gateway-Token-Id: evil",
        "X_Gateway_Token_Id: evil",
        "X-Forwarded-For: evil",
        "X-Request-Id: evil",
        "Connection: evil",
        "X-Org-Slug: evil",
    ];
    let dropped = dropped.map(|field| {
        chunks(format!("trailer: {field}"), &section(&format!("{field}\r\n")), Forwarded("hello"))
    });
    let refused = [
        ("folded", "X: a\r\n b\r\n"),
        ("ended by LF", "X: a\n"),
        ("with a bare CR", "X: a\rb\r\n"),
        ("with a NUL", "X: a\0b\r\n"),
        ("with a blank before the colon", "X : a\r\n"),
        ("without a colon", "X\r\n"),
        ("without a name", ": a\r\n"),
        ("with a blank before the name", " X: a\r\n"),
        ("a request", "GET /v1/openapi/smuggled HTTP/1.1\r\n"),
    ];
    let refused =
        refused.map(|(name, fields)| chunks(format!("trailer: {name}"), &section(fields), Refused(400)));
    let many = "X: y\r\n".repeat(101);
    let large = format!("X: {}\r\n", "y".repeat(20_000));
    let more = [
        chunks("trailer: plain", &section("X-Digest: 1\r\n"), Forwarded("hello")),
        chunks("trailer: too many", &section(&many), Refused(400)),
        chunks("trailer: too large", &section(&large), Refused(400)),
    ];
    dropped.into_iter().chain(refused).chain(more).collect()
}

fn others() -> Vec<Vector> {
    let expect = |value: &str, expect| {
        post_with(
            format!("expect: {value:?}"),
            &format!("Expect: {value}\r\nContent-Length: 5\r\n"),
            "hello",
            expect,
        )
    };
    vec![
        expect("100-continue", Forwarded("hello")),
        expect("100-Continue", Forwarded("hello")),
        expect("200-ok", super::Expect::Answered(417)),
        expect("100-continue, 100-continue", super::Expect::Answered(417)),
        expect("", super::Expect::Answered(417)),
        post_with(
            "expect: twice, one unknown",
            "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n",
            "hello",
            Refused(417),
        ),
    ]
}
