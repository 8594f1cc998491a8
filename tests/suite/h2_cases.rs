//! What RFC 9113 and RFC 7541 ask of a server, case by case, in raw frames at the gateway. Where the RFCs ask for an
//! error of a stream, one of the connection is as good (RFC 9113, 5.4.2), and an end without a word is what an error of
//! the connection may come down to (5.4.1).

use super::h2_frames::*;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::wait;
use serde_json::json;
use std::time::Duration;

const PATH: &str = "/v1/open/x";
const MOST_STREAMS: u32 = 20;
const SOON: Duration = Duration::from_secs(5);

const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

/// What has to come of the bytes.
#[derive(Debug, Clone, Copy)]
enum Want {
    /// An error of the connection with one of these codes.
    Connection(&'static [u32]),
    /// An error of the stream, or of the connection, with one of these codes.
    Stream(&'static [u32]),
    /// An answer with this status on stream 1 (0: any), and the connection goes on.
    Answer(u16),
    /// Nothing but that the connection goes on.
    Goes,
    /// An error for which the RFCs name this code, and the library that reads frames says no more than PROTOCOL_ERROR. The
    /// connection ends all the same, which is what protects the gateway; only a client's author is told less.
    Coarse(u32),
}
use Want::{Answer, Coarse, Connection, Goes, Stream};

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    want: Want,
}

fn case(name: &'static str, frames: &[Vec<u8>], want: Want) -> Case {
    Case { name, bytes: frames.concat(), want }
}

/// The fields of a good request with this method.
fn fields(method: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![(":method", method), (":scheme", "http"), (":path", PATH), (":authority", "gateway.test")]
}

fn with(method: &'static str, more: &[(&'static str, &'static str)]) -> Vec<u8> {
    block(&[&fields(method)[..], more].concat())
}

/// A whole `GET` on this stream.
fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &with("GET", &[]))
}

/// A `POST` whose body is still to come.
fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &with("POST", &[]))
}

/// A whole request with this field section.
fn whole(section: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, section)
}

fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, payload)
}

fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A `HEADERS` frame that its `CONTINUATION` has to follow, and the rest of its section.
fn begun(stream: u32) -> (Vec<u8>, Vec<u8>) {
    let section = with("GET", &[("x-long", "y")]);
    let (first, rest) = section.split_at(20);
    (frame(HEADERS, END_STREAM, stream, first), rest.to_vec())
}

fn frames() -> Vec<Case> {
    let ping = |flags, stream, payload: &[u8]| frame(PING, flags, stream, payload);
    let large = vec![b'x'; 16 * 1024];
    let larger = vec![b'x'; 16 * 1024 + 1];
    let (start, rest) = begun(1);
    vec![
        case(
            "4.1 a frame of an unknown type is ignored",
            &[frame(0x16, 0, 0, b"12345678"), get(1)],
            Answer(200),
        ),
        case("4.1 flags that mean nothing are ignored", &[ping(0x16, 0, b"12345678"), get(1)], Answer(200)),
        case("4.1 the reserved bit is ignored", &[ping(0, 1 << 31, b"12345678"), get(1)], Answer(200)),
        case("4.2 a frame of 2^14 bytes", &[post(1), data(1, END_STREAM, &large)], Answer(200)),
        case("4.2 a DATA frame that is larger", &[post(1), data(1, END_STREAM, &larger)], Stream(&[SIZE])),
        case(
            "4.2 a HEADERS frame that is larger",
            &[frame(HEADERS, END_HEADERS, 1, &larger)],
            Connection(&[SIZE]),
        ),
        case(
            "4.2 a SETTINGS frame that is larger",
            &[frame(SETTINGS, 0, 0, &[0; 16_386])],
            Connection(&[SIZE]),
        ),
        case(
            "4.3 a field section that does not decode",
            &[whole(&[0xff, 0xff, 0xff, 0xff, 0xff])],
            Coarse(COMPRESSION),
        ),
        case(
            "4.3 PRIORITY within a field section",
            &[start.clone(), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])],
            Connection(&[PROTOCOL]),
        ),
        case(
            "4.3 HEADERS of another stream within a field section",
            &[start.clone(), get(3)],
            Connection(&[PROTOCOL]),
        ),
        case(
            "4.3 DATA within a field section",
            &[start.clone(), data(1, END_STREAM, b"x")],
            Connection(&[PROTOCOL]),
        ),
        case(
            "5.5 an unknown frame within a field section",
            &[start.clone(), frame(0x16, 0, 0, b"x")],
            Connection(&[PROTOCOL]),
        ),
        case("5.5 an unknown setting is ignored", &[settings(&[(0xff, 1)]), get(1)], Answer(200)),
        case("6.1 DATA on stream 0", &[data(0, 0, b"x")], Connection(&[PROTOCOL])),
        case(
            "6.1 DATA whose padding is as long as itself",
            &[post(1), frame(DATA, PADDED | END_STREAM, 1, &[5, b'x', 0, 0, 0])],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.1 DATA with padding",
            &[post(1), frame(DATA, PADDED | END_STREAM, 1, &[3, b'x', 0, 0, 0])],
            Answer(200),
        ),
        case(
            "6.1 DATA without room for its padding's length",
            &[post(1), frame(DATA, PADDED, 1, &[])],
            Connection(&[SIZE, PROTOCOL]),
        ),
        case(
            "6.2 HEADERS on stream 0",
            &[frame(HEADERS, END_HEADERS | END_STREAM, 0, &with("GET", &[]))],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.2 HEADERS whose padding is longer than itself",
            &[frame(
                HEADERS,
                END_HEADERS | END_STREAM | PADDED,
                1,
                &[&[255][..], &with("GET", &[])].concat(),
            )],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.2 HEADERS with padding",
            &[frame(
                HEADERS,
                END_HEADERS | END_STREAM | PADDED,
                1,
                &[&[2][..], &with("GET", &[]), &[0, 0]].concat(),
            )],
            Answer(200),
        ),
        case(
            "6.2 HEADERS with priority",
            &[frame(
                HEADERS,
                END_HEADERS | END_STREAM | WITH_PRIORITY,
                1,
                &[&[0, 0, 0, 0, 9][..], &with("GET", &[])].concat(),
            )],
            Answer(200),
        ),
        case(
            "6.2 HEADERS without room for their priority",
            &[frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, &[0, 0])],
            Connection(&[SIZE, PROTOCOL]),
        ),
        case("6.3 PRIORITY on stream 0", &[frame(PRIORITY, 0, 0, &[0, 0, 0, 0, 9])], Connection(&[PROTOCOL])),
        case("6.3 PRIORITY of another length", &[frame(PRIORITY, 0, 1, &[0, 0, 0, 9])], Coarse(SIZE)),
        case(
            "6.3 PRIORITY of an idle stream",
            &[frame(PRIORITY, 0, 5, &[0, 0, 0, 0, 9]), get(1)],
            Answer(200),
        ),
        case("6.4 RST_STREAM on stream 0", &[reset(0, 8)], Connection(&[PROTOCOL])),
        case("6.4 RST_STREAM of an idle stream", &[reset(1, 8)], Connection(&[PROTOCOL])),
        case(
            "6.4 RST_STREAM of another length",
            &[post(1), frame(RST_STREAM, 0, 1, &[0, 0, 0])],
            Coarse(SIZE),
        ),
        case(
            "6.5 SETTINGS ACK that says something",
            &[frame(SETTINGS, ACK, 0, &[0, 1, 0, 0, 0, 1])],
            Coarse(SIZE),
        ),
        case(
            "6.5 SETTINGS of a stream",
            &[frame(SETTINGS, 0, 1, &[0, 3, 0, 0, 0, 1])],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.5 SETTINGS of a length that is no multiple of six",
            &[frame(SETTINGS, 0, 0, &[0, 3, 0])],
            Coarse(SIZE),
        ),
        case("6.5.2 ENABLE_PUSH is 2", &[settings(&[(2, 2)])], Connection(&[PROTOCOL])),
        case("6.5.2 INITIAL_WINDOW_SIZE is 2^31", &[settings(&[(4, 1 << 31)])], Coarse(FLOW)),
        case(
            "6.5.2 INITIAL_WINDOW_SIZE is 2^31 - 1",
            &[settings(&[(4, (1 << 31) - 1)]), get(1)],
            Answer(200),
        ),
        case("6.5.2 MAX_FRAME_SIZE is too small", &[settings(&[(5, 16_383)])], Connection(&[PROTOCOL])),
        case("6.5.2 MAX_FRAME_SIZE is too large", &[settings(&[(5, 1 << 24)])], Connection(&[PROTOCOL])),
        case(
            "6.5.2 MAX_FRAME_SIZE is as large as it may be",
            &[settings(&[(5, (1 << 24) - 1)]), get(1)],
            Answer(200),
        ),
        case(
            "6.5.2 HEADER_TABLE_SIZE is nought, and very large",
            &[settings(&[(1, 0)]), settings(&[(1, u32::MAX)]), get(1)],
            Answer(200),
        ),
        case("6.5.2 MAX_CONCURRENT_STREAMS is nought", &[settings(&[(3, 0)]), get(1)], Answer(200)),
        case(
            "6.6 PUSH_PROMISE of a client",
            &[post(1), frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &with("GET", &[])].concat())],
            Connection(&[PROTOCOL]),
        ),
        case("6.7 PING of a stream", &[ping(0, 1, b"12345678")], Connection(&[PROTOCOL])),
        case("6.7 PING that is too short", &[ping(0, 0, b"123456")], Coarse(SIZE)),
        case("6.7 PING that is too long", &[ping(0, 0, b"123456789")], Coarse(SIZE)),
        case("6.7 PING ACK of nothing", &[ping(ACK, 0, b"invalid!"), get(1)], Answer(200)),
        case("6.8 GOAWAY of a stream", &[frame(GOAWAY, 0, 1, &[0; 8])], Connection(&[PROTOCOL])),
        case("6.8 GOAWAY that is too short", &[frame(GOAWAY, 0, 0, &[0; 7])], Connection(&[SIZE, PROTOCOL])),
        case("6.9 WINDOW_UPDATE by nought of the connection", &[window(0, 0)], Connection(&[PROTOCOL])),
        case("6.9 WINDOW_UPDATE by nought of a stream", &[post(1), window(1, 0)], Stream(&[PROTOCOL])),
        case("6.9 WINDOW_UPDATE of another length", &[frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1])], Coarse(SIZE)),
        case(
            "6.9.1 a window of the connection that is too large",
            &[window(0, (1 << 31) - 1), window(0, (1 << 31) - 1)],
            Connection(&[FLOW]),
        ),
        case(
            "6.9.1 a window of a stream that is too large",
            &[post(1), window(1, (1 << 31) - 1), window(1, (1 << 31) - 1)],
            Stream(&[FLOW]),
        ),
        case(
            "6.9.2 settings that make a window too large",
            &[post(1), window(1, (1 << 31) - 65_536), settings(&[(4, (1 << 31) - 1)])],
            Connection(&[FLOW]),
        ),
        case("6.10 CONTINUATION", &[start.clone(), frame(CONTINUATION, END_HEADERS, 1, &rest)], Answer(200)),
        case(
            "6.10 several CONTINUATIONs",
            &[
                start.clone(),
                frame(CONTINUATION, 0, 1, &rest[..5]),
                frame(CONTINUATION, 0, 1, &rest[5..9]),
                frame(CONTINUATION, END_HEADERS, 1, &rest[9..]),
            ],
            Answer(200),
        ),
        case(
            "6.10 a CONTINUATION without its end, then DATA",
            &[start.clone(), frame(CONTINUATION, 0, 1, &rest), data(1, 0, b"x")],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.10 CONTINUATION on stream 0",
            &[start.clone(), frame(CONTINUATION, END_HEADERS, 0, &rest)],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.10 CONTINUATION of another stream",
            &[start.clone(), frame(CONTINUATION, END_HEADERS, 3, &rest)],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.10 CONTINUATION behind whole HEADERS",
            &[post(1), frame(CONTINUATION, END_HEADERS, 1, &rest)],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.10 CONTINUATION behind the last one",
            &[
                start.clone(),
                frame(CONTINUATION, END_HEADERS, 1, &rest),
                frame(CONTINUATION, END_HEADERS, 1, &rest),
            ],
            Connection(&[PROTOCOL, CLOSED]),
        ),
        case(
            "6.10 CONTINUATION behind DATA",
            &[post(1), data(1, 0, b"x"), frame(CONTINUATION, END_HEADERS, 1, &rest)],
            Connection(&[PROTOCOL]),
        ),
        case(
            "6.10 CONTINUATION and nothing before it",
            &[frame(CONTINUATION, END_HEADERS, 1, &rest)],
            Connection(&[PROTOCOL]),
        ),
        case("7 RST_STREAM with an unknown code", &[post(1), reset(1, 0xff)], Goes),
    ]
}

fn states() -> Vec<Case> {
    let (_, rest) = begun(1);
    let depends_on_itself = frame(
        HEADERS,
        END_HEADERS | END_STREAM | WITH_PRIORITY,
        1,
        &[&[0, 0, 0, 1, 9][..], &with("GET", &[])].concat(),
    );
    let many: Vec<Vec<u8>> = (0..MOST_STREAMS + 1).map(|n| post(2 * n + 1)).collect();
    vec![
        case("5.1 DATA of an idle stream", &[data(1, END_STREAM, b"x")], Connection(&[PROTOCOL])),
        case("5.1 WINDOW_UPDATE of an idle stream", &[window(1, 100)], Connection(&[PROTOCOL])),
        case(
            "5.1 DATA of a stream that is half closed",
            &[get(1), data(1, END_STREAM, b"x")],
            Coarse(CLOSED),
        ),
        case("5.1 HEADERS of a stream that is half closed", &[get(1), get(1)], Stream(&[CLOSED, PROTOCOL])),
        case(
            "5.1 CONTINUATION of a stream that is half closed",
            &[get(1), frame(CONTINUATION, END_HEADERS, 1, &rest)],
            Connection(&[CLOSED, PROTOCOL]),
        ),
        case(
            "5.1 DATA behind RST_STREAM",
            &[post(1), reset(1, 8), data(1, END_STREAM, b"x")],
            Stream(&[CLOSED]),
        ),
        case(
            "5.1 HEADERS behind RST_STREAM",
            &[post(1), reset(1, 8), frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x", "y")]))],
            Stream(&[CLOSED, PROTOCOL]),
        ),
        case(
            "5.1 CONTINUATION behind RST_STREAM",
            &[post(1), reset(1, 8), frame(CONTINUATION, END_HEADERS, 1, &rest)],
            Connection(&[CLOSED, PROTOCOL]),
        ),
        case("5.1 WINDOW_UPDATE behind RST_STREAM is ignored", &[post(1), reset(1, 8), window(1, 100)], Goes),
        case("5.1 RST_STREAM behind RST_STREAM is ignored", &[post(1), reset(1, 8), reset(1, 8)], Goes),
        case(
            "5.1 PRIORITY behind RST_STREAM is ignored",
            &[post(1), reset(1, 8), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])],
            Goes,
        ),
        case("5.1.1 an even number", &[get(2)], Connection(&[PROTOCOL])),
        case(
            "5.1.1 a number that is smaller than one before",
            &[get(5), get(3)],
            Connection(&[PROTOCOL, CLOSED]),
        ),
        case("5.1.1 numbers may be left out", &[get(1), get(1001)], Answer(200)),
        case("5.1.2 more streams than there may be", &many, Stream(&[PROTOCOL, REFUSED])),
        case("5.3.1 HEADERS that depend on themselves", &[depends_on_itself], Stream(&[PROTOCOL])),
        case(
            "5.3.1 PRIORITY that depends on itself",
            &[frame(PRIORITY, 0, 3, &[0, 0, 0, 3, 9]), get(1)],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1 a second HEADERS that does not end",
            &[post(1), frame(HEADERS, END_HEADERS, 1, &block(&[("x", "y")])), data(1, END_STREAM, b"x")],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1 trailers",
            &[post(1), data(1, 0, b"x"), frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x", "y")]))],
            Answer(200),
        ),
        case(
            "8.1 trailers with a pseudo-header field, which is dropped",
            &[
                post(1),
                data(1, 0, b"x"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[(":method", "GET")])),
            ],
            Answer(200),
        ),
        case(
            "8.1.1 a Content-Length that is too large",
            &[
                frame(HEADERS, END_HEADERS, 1, &with("POST", &[("content-length", "2")])),
                data(1, END_STREAM, b"x"),
            ],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1.1 a Content-Length that is too small",
            &[
                frame(HEADERS, END_HEADERS, 1, &with("POST", &[("content-length", "2")])),
                data(1, 0, b"xy"),
                data(1, END_STREAM, b"z"),
            ],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1.1 a Content-Length without a body",
            &[whole(&with("POST", &[("content-length", "2")]))],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1.1 a Content-Length that is none",
            &[
                frame(HEADERS, END_HEADERS, 1, &with("POST", &[("content-length", "x")])),
                data(1, END_STREAM, b"x"),
            ],
            Stream(&[PROTOCOL]),
        ),
        case(
            "8.1.1 a Content-Length that fits",
            &[
                frame(HEADERS, END_HEADERS, 1, &with("POST", &[("content-length", "3")])),
                data(1, 0, b"xy"),
                data(1, END_STREAM, b"z"),
            ],
            Answer(200),
        ),
    ]
}

fn messages() -> Vec<Case> {
    let one = |name, section: Vec<u8>, want| case(name, &[whole(&section)], want);
    let more = |name, field: (&'static str, &'static str), want| one(name, with("GET", &[field]), want);
    let less = |name, left: &str, want| {
        let fields: Vec<_> = fields("GET").into_iter().filter(|(name, _)| *name != left).collect();
        one(name, block(&fields), want)
    };
    let bad = Stream(&[PROTOCOL]);
    let authority = |authority: &'static str| {
        block(&[(":method", "GET"), (":scheme", "http"), (":path", PATH), (":authority", authority)])
    };
    let path = |path: &'static str| {
        block(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "gateway.test")])
    };
    vec![
        one("8 GET", with("GET", &[]), Answer(200)),
        one("8 HEAD", with("HEAD", &[]), Answer(200)),
        case("8 POST", &[post(1), data(1, END_STREAM, b"test")], Answer(200)),
        case(
            "8 POST with empty frames",
            &[post(1), data(1, 0, b""), data(1, 0, b"x"), data(1, END_STREAM, b"")],
            Answer(200),
        ),
        more("8.2.1 a name in capitals", ("X-TEST", "ok"), bad),
        more("8.2.1 a name with a blank", ("x test", "ok"), bad),
        more("8.2.1 a name with a colon", ("x:test", "ok"), bad),
        more("8.2.1 a name with a control character", ("x\u{1}", "ok"), bad),
        more("8.2.1 a name that is not ASCII", ("x\u{e4}", "ok"), bad),
        more("8.2.1 no name", ("", "ok"), bad),
        more("8.2.1 a value with NUL", ("x-test", "a\0b"), bad),
        more("8.2.1 a value with CR", ("x-test", "a\rb"), bad),
        more("8.2.1 a value with LF", ("x-test", "a\nb"), bad),
        more("8.2.1 a value with CRLF and a field", ("x-test", "a\r\nx-gateway-scopes: evil"), bad),
        more("8.2.2 Connection", ("connection", "close"), bad),
        more("8.2.2 Keep-Alive", ("keep-alive", "timeout=1"), bad),
        more("8.2.2 Proxy-Connection", ("proxy-connection", "keep-alive"), bad),
        more("8.2.2 Transfer-Encoding", ("transfer-encoding", "chunked"), bad),
        more("8.2.2 Upgrade", ("upgrade", "h2c"), bad),
        more("8.2.2 TE of something else", ("te", "trailers, deflate;q=0.5"), bad),
        more("8.2.2 TE of trailers", ("te", "trailers"), Answer(200)),
        more("8.3 an unknown pseudo-header field", (":test", "ok"), bad),
        more("8.3 a pseudo-header field of answers", (":status", "200"), bad),
        one(
            "8.3 a pseudo-header field behind another",
            block(&[
                ("x-test", "ok"),
                (":method", "GET"),
                (":scheme", "http"),
                (":path", PATH),
                (":authority", "a"),
            ]),
            bad,
        ),
        more("8.3 :method twice", (":method", "GET"), bad),
        more("8.3 :scheme twice", (":scheme", "http"), bad),
        more("8.3 :path twice", (":path", PATH), bad),
        more("8.3 :authority twice", (":authority", "gateway.test"), bad),
        less("8.3.1 no :method", ":method", bad),
        less("8.3.1 no :scheme", ":scheme", bad),
        less("8.3.1 no :path", ":path", bad),
        one("8.3.1 an empty :path", path(""), bad),
        one("8.3.1 a :path with a blank", path("/v1/open/x y"), Stream(&[PROTOCOL])),
        one("8.3.1 a :path with a line end", path("/v1/open/x HTTP/1.1\r\nx: y"), bad),
        one("8.3.1 a :path that begins elsewhere", path("v1/open/x"), Stream(&[PROTOCOL])),
        one("8.3.1 an :authority with a credential", authority("evil@gateway.test"), Answer(400)),
        one("8.3.1 an :authority with a blank", authority("a b"), bad),
        one("8.3.1 an :authority with a line end", authority("a\r\nx: y"), bad),
        more("8.3.1 a Host that differs from :authority", ("host", "other.test"), Answer(400)),
        more("8.3.1 a Host that is :authority", ("host", "gateway.test"), Answer(200)),
        one(
            "8.3.1 a method with a blank",
            block(&[(":method", "GET /x"), (":scheme", "http"), (":path", PATH), (":authority", "a")]),
            bad,
        ),
        one(
            "8.3.1 a method in small letters",
            block(&[(":method", "get"), (":scheme", "http"), (":path", PATH), (":authority", "a")]),
            Answer(400),
        ),
        one("8.5 CONNECT without :authority", block(&[(":method", "CONNECT")]), Answer(400)),
        one(
            "8.5 CONNECT with :path",
            block(&[(":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "a:1")]),
            bad,
        ),
        more("RFC 8441, 4 :protocol without CONNECT", (":protocol", "websocket"), bad),
    ]
}

fn compression() -> Vec<Case> {
    let one =
        |name, tail: &[u8], want| case(name, &[whole(&[with("GET", &[]), tail.to_vec()].concat())], want);
    let bad = Coarse(COMPRESSION);
    let first =
        |name, head: &[u8], want| case(name, &[whole(&[head.to_vec(), with("GET", &[])].concat())], want);
    // Fields that are indexed, and the rest from the table.
    let mut indexed = vec![0x40, 1, b'x', 1, b'y'];
    indexed.extend([0xbe; 3]);
    vec![
        one("7541, 2.3.3 an index behind the tables", &[0x80 | 70], bad),
        one("7541, 2.3.3 a name's index behind the tables", &[0x7e, 3, b'a', b'b', b'c'], bad),
        one("7541, 6.1 index nought", &[0x80], bad),
        one("7541, 6.3 a size update that is too large", &[0x3f, 0xff, 0xff, 0xff, 0x07], bad),
        first("7541, 4.2 a size update first", &[0x20], Answer(200)),
        first("7541, 6.3 a first size update that is too large", &[0x3f, 0xff, 0xff, 0x03], bad),
        one("7541, 4.2 a size update behind a field", &[0x20], bad),
        one(
            "7541, 5.1 an integer that is too large",
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            bad,
        ),
        one("7541, 5.1 an integer without end", &[0xff, 0xff], bad),
        one("7541, 5.2 a string that is cut off", &[0x00, 5, b'x'], bad),
        one("7541, 5.2 a value that is cut off", &[0x00, 1, b'x', 9, b'y'], bad),
        one(
            "7541, 5.2 a Huffman string with more than seven bits of padding",
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff],
            bad,
        ),
        one(
            "7541, 5.2 a Huffman string padded with noughts",
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x83, 0x49, 0x50, 0x90],
            bad,
        ),
        one(
            "7541, 5.2 a Huffman string with EOS",
            &[0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0x49, 0x51, 0xff, 0xff, 0xff, 0xfa, 0x7f],
            bad,
        ),
        one("7541, 6.2.1 a field that is indexed and used", &indexed, Answer(200)),
        one("7541, 6.2.3 a field that is never indexed", &[0x10, 1, b'x', 1, b'y'], Answer(200)),
    ]
}

/// What came of a case.
fn outcome(raw: &mut Raw, case: &Case) -> Result<(), String> {
    let mut seen: Vec<Frame> = Vec::new();
    let start = wait::now();
    while let Some(left) = SOON.checked_sub(wait::now().since(start)) {
        let next = raw.next(left);
        let ended = next.is_none();
        seen.extend(next);
        let error = seen.iter().find(|frame| frame.kind == GOAWAY || frame.kind == RST_STREAM);
        let ponged = seen
            .iter()
            .any(|frame| frame.kind == PING && frame.flags & ACK != 0 && frame.payload == b"sentinel");
        let answer = seen.iter().find(|frame| frame.kind == HEADERS && frame.stream == 1);
        let answered = seen.iter().any(|frame| frame.stream == 1 && frame.ends());
        match (case.want, error) {
            (Connection(codes), Some(frame)) if frame.kind == GOAWAY && codes.contains(&frame.code()) => {
                return Ok(());
            }
            (Coarse(code), Some(frame))
                if frame.kind == GOAWAY && [code, PROTOCOL].contains(&frame.code()) =>
            {
                return Ok(());
            }
            (Stream(codes), Some(frame)) if codes.contains(&frame.code()) => return Ok(()),
            (Connection(_) | Stream(_) | Coarse(_), None) if ended && raw.is_closed() => return Ok(()),
            (Answer(status), None) if answered && ponged => {
                let came = answer.map_or(0, Frame::status);
                return if came == status { Ok(()) } else { Err(format!("the status is {came}: {seen:?}")) };
            }
            // A reset without an error may follow a whole answer (RFC 9113, 8.1).
            (Answer(_), Some(frame)) if frame.kind == RST_STREAM && frame.code() == 0 => {}
            (Goes, None) if ponged => return Ok(()),
            (_, Some(frame)) => return Err(format!("{frame:?}")),
            _ => {}
        }
        if ended {
            break;
        }
    }
    Err(format!("closed: {}, frames: {seen:?}", raw.is_closed()))
}

#[test]
fn rfc_9113_and_rfc_7541_case_by_case() {
    let upstream = Upstream::http();
    let (gateway, _) =
        super::hostile_http1::with_tls(&upstream.url(), json!({ "max_streams": MOST_STREAMS }));
    let cases: Vec<Case> = [frames(), states(), messages(), compression()].into_iter().flatten().collect();
    assert!(cases.len() >= 140, "{} cases", cases.len());
    let mut failed = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let raw = match number % 3 {
            0 => Raw::tls(gateway.tls.expect("TLS")),
            _ => Raw::plain(gateway.address),
        };
        let mut raw = raw.greet(&[]);
        raw.write(&[&case.bytes[..], &frame(PING, 0, 0, b"sentinel")].concat());
        if let Err(why) = outcome(&mut raw, case) {
            failed.push(format!(
                "{} ({:?}): {}",
                case.name,
                case.want,
                why.chars().take(700).collect::<String>()
            ));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
    let evil = |record: &crate::support::upstream::Record| format!("{record:?}").contains("evil");
    assert!(!upstream.all().iter().any(evil), "something got through");
}

#[test]
fn a_connection_begins_as_section_3_4_says() {
    let upstream = Upstream::http();
    let (gateway, _) = super::hostile_http1::with_tls(&upstream.url(), json!({ "header_timeout": "500ms" }));
    let tls = gateway.tls.expect("TLS");
    // No preface at all, half of one, and one that goes wrong: over TLS, where nothing else can be meant.
    for start in [
        &b"INVALID CONNECTION PREFACE\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut raw = Raw::tls(tls);
        raw.write(start);
        while raw.next(SOON).is_some() {}
        assert!(raw.is_closed(), "{start:?}");
    }
    // Without TLS, what is no preface is HTTP/1.1, and no good one.
    let mut raw = Raw::plain(gateway.address);
    raw.write(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    while raw.next(SOON).is_some() {}
    assert!(raw.is_closed() && raw.rest().starts_with(b"HTTP/1.1 505 "), "{:?}", raw.rest());
    // The server's first frame is SETTINGS, and it acknowledges the client's.
    let mut raw = Raw::plain(gateway.address).greet(&[(3, 100)]);
    let first = raw.next(SOON).expect("a frame");
    assert_eq!((first.kind, first.flags, first.stream), (SETTINGS, 0, 0));
    let acknowledged = std::iter::from_fn(|| raw.next(SOON)).find(|frame| frame.kind == SETTINGS);
    assert_eq!(acknowledged.map(|frame| frame.flags), Some(ACK));
}

#[test]
fn windows_are_kept_as_section_6_9_says() {
    let upstream = Upstream::http();
    let (gateway, _) = super::hostile_http1::with_tls(&upstream.url(), json!({}));
    // One byte at a time, then no window at all, then one that was negative for a while (6.9.2).
    let mut raw = Raw::plain(gateway.address).greet(&[(4, 1)]);
    raw.write(&get(1));
    let mut body: Vec<u8> = Vec::new();
    let mut bytes = |raw: &mut Raw, limit| {
        let frame = std::iter::from_fn(|| raw.next(limit))
            .find(|frame| frame.kind == DATA && !frame.payload.is_empty());
        frame.map(|frame| {
            body.extend(&frame.payload);
            frame.payload.len()
        })
    };
    assert_eq!(bytes(&mut raw, SOON), Some(1));
    raw.write(&window(1, 2));
    assert_eq!(bytes(&mut raw, SOON), Some(2));
    raw.write(&settings(&[(4, 0)]));
    raw.write(&window(1, 1));
    assert_eq!(bytes(&mut raw, Duration::from_millis(300)), None, "its window is nought");
    raw.write(&settings(&[(4, 2), (4, 4)]));
    assert_eq!(bytes(&mut raw, SOON), Some(4), "of two values in one frame the last counts");
    raw.write(&window(1, 100));
    assert_eq!(bytes(&mut raw, SOON), Some(4));
    assert_eq!(body, br#"{"ok":true}"#);
    // A PING comes back as it went.
    raw.write(&frame(PING, 0, 0, b"8 octets"));
    let pong = std::iter::from_fn(|| raw.next(SOON)).find(|frame| frame.kind == PING && frame.flags == ACK);
    assert_eq!(pong.expect("a pong").payload, b"8 octets");
}

#[test]
fn an_error_of_the_connection_ends_it() {
    let (upstream, calm) = (Upstream::http(), CALM);
    let (gateway, _) = super::hostile_http1::with_tls(&upstream.url(), json!({}));
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    raw.write(&frame(PING, 0, 0, b"short"));
    let goaway = std::iter::from_fn(|| raw.next(SOON)).find(|frame| frame.kind == GOAWAY);
    assert_ne!(goaway.expect("a GOAWAY").code(), calm);
    while raw.next(SOON).is_some() {}
    assert!(raw.is_closed());
}

#[test]
fn a_listener_without_limits_of_its_own_takes_128_streams() {
    let upstream = Upstream::http();
    let (gateway, _) = crate::support::world::with_one_key(&Settings::usual(&upstream.url()));
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let first = raw.next(SOON).expect("a frame");
    let values: Vec<&[u8]> = first.payload.chunks(6).collect();
    assert!(values.contains(&&[0, 3, 0, 0, 0, 128][..]), "{values:?}");
}
