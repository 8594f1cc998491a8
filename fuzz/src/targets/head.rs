//! Heads of requests: read in one way only, whether the reader is strict or lax, and however much of it has come.

use bytes::BytesMut;
use portcullis::listen::fuzzing::{Head, head, may_be_complete};
use portcullis::pipeline::Early;
use portcullis::wire::{Framing, Scratch};

pub(crate) fn check(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    let Ok(Some((request, framing, keep))) = read(&mut buffer) else { return };
    let length = data.len() - buffer.len();
    let bytes = &data[..length];
    assert_eq!(&buffer[..], &data[length..], "what stands behind a head is left alone");
    assert!(may_be_complete(bytes, 0) && may_be_complete(bytes, length - 1));
    for cut in [length - 1, length / 2, length / 3] {
        assert!(
            matches!(read(&mut BytesMut::from(&bytes[..cut])), Ok(None)),
            "complete at {cut} of {length}"
        );
    }
    let fields: Vec<_> = request.fields.iter().map(|(name, value)| (name.as_str(), value.to_vec())).collect();
    let lines = lax(bytes);
    let (first, rest) = lines.split_first().expect("a request line");
    let words: Vec<&[u8]> = first.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else { panic!("{words:?}") };
    assert_eq!(method, request.method.as_str().as_bytes());
    assert!(matches!(version, b"HTTP/1.1" | b"HTTP/1.0"));
    if target.starts_with(b"/") {
        assert_eq!(target, request.target.clone().into_origin().as_bytes());
        assert!(request.target.path().starts_with('/') && !request.target.path().contains(['?', '#']));
    }
    let plainly: Vec<_> = rest.iter().map(|line| field(line)).collect();
    let ours: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    assert_eq!(ours, plainly);
    assert_eq!(framing, told(&plainly), "{plainly:?}");
    let closes =
        plainly.iter().any(|(name, value)| name == "connection" && value.eq_ignore_ascii_case(b"close"));
    assert!(!(keep && closes));
    again(method, target, version, &plainly, framing);
}

fn read(buffer: &mut BytesMut) -> Result<Option<Head>, Early> {
    head(buffer, &Scratch::default())
}

/// The lines of a head as the laxest of servers has them: any line feed ends one.
fn lax(head: &[u8]) -> Vec<&[u8]> {
    let lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect()
}

fn field(line: &[u8]) -> (String, Vec<u8>) {
    let at = line.iter().position(|&byte| byte == b':').expect("a colon in each field's line");
    let name = std::str::from_utf8(&line[..at]).expect("a field's name is a token");
    assert!(!name.contains([' ', '\t']), "a blank in {name:?}");
    (name.to_ascii_lowercase(), line[at + 1..].trim_ascii().to_vec())
}

/// How a body is delimited that these fields announce: by what any server might look at.
fn told(fields: &[(String, Vec<u8>)]) -> Framing {
    let values = |wanted: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| &value[..]).collect()
    };
    let (codings, lengths) = (values("transfer-encoding"), values("content-length"));
    match (&codings[..], &lengths[..]) {
        ([], []) => Framing::Ended,
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => {
            Framing::Chunked(portcullis::wire::Chunk::Size)
        }
        ([], [first, others @ ..]) => {
            let number =
                |text: &[u8]| -> u64 { std::str::from_utf8(text).unwrap().parse().expect("a length") };
            assert!(lengths.iter().all(|text| text.iter().all(u8::is_ascii_digit)));
            assert!(others.iter().all(|other| number(other) == number(first)), "two lengths");
            if number(first) == 0 { Framing::Ended } else { Framing::Length(number(first)) }
        }
        _ => panic!("{codings:?} beside {lengths:?} was accepted"),
    }
}

/// Written plainly, it is the same head.
fn again(method: &[u8], target: &[u8], version: &[u8], fields: &[(String, Vec<u8>)], framing: Framing) {
    let mut plain = [method, b" ", target, b" ", version, b"\r\n"].concat();
    for (name, value) in fields {
        plain.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    plain.extend_from_slice(b"\r\n");
    let (request, same, _) = read(&mut BytesMut::from(&plain[..])).ok().flatten().expect("a plain head");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    assert_eq!(request.fields.iter().map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>(), fields);
    assert_eq!(same, framing);
}
