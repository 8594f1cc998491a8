//! Just enough of `multipart/form-data` (RFC 7578) for the sample backend to say what it received.

/// One field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The field's name.
    pub(super) name: &'a str,
    /// The file's name, when the field is a file.
    pub(super) file_name: Option<&'a str>,
    /// The bytes of the field or file.
    pub(super) value: &'a [u8],
}

/// The boundary that a `Content-Type` names.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    named
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"'))
}

/// The form's parts in order; `None` when it does not end with its closing boundary.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let (opening, between) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let mut rest = body.strip_prefix(opening.as_bytes())?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, between.as_bytes())?;
        parts.extend(part(&rest[..end]));
        rest = &rest[end + between.len()..];
    }
    Some(parts)
}

fn part(text: &[u8]) -> Option<Part<'_>> {
    let end = find(text, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&text[..end]).ok()?;
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, disposition) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let parameter = |name| {
        let mut pairs = disposition.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
    };
    Some(Part { name: parameter("name")?, file_name: parameter("filename"), value: &text[end + 4..] })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\nContent-Type: t/t\r\n\r\n1\r\n2\r\n\
                     --x\r\ncontent-disposition: form-data; name=\"b\"\r\n\r\n\r\n--x--\r\n";
        let boundary = boundary("multipart/form-data; charset=utf-8; boundary=\"x\"").unwrap();
        assert_eq!(
            parts(body, boundary).unwrap(),
            [
                Part { name: "a", file_name: Some("f"), value: b"1\r\n2" },
                Part { name: "b", file_name: None, value: b"" },
            ]
        );
        assert_eq!(parts(&body[..body.len() - 6], boundary), None);
    }
}
