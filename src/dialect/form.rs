//! Queries as forms send them (`application/x-www-form-urlencoded`, WHATWG URL, 5.1), read strictly.

/// The query can not be read without a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadForm {
    /// A `%` that no two hexadecimal digits follow, bytes that are not UTF-8, or U+0000.
    Escape,
    /// A name comes twice, with different values. Which, is not said: a client may have put a secret there.
    Twice,
}

/// The pairs of a query, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a raw query.
    ///
    /// # Errors
    /// [`BadForm`]
    pub fn read(query: Option<&str>) -> Result<Self, BadForm> {
        let mut form = Self::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (text(name)?, text(value)?);
            match form.named(&name) {
                None => form.0.push((name, value)),
                Some(known) if known == value => {}
                Some(_) => return Err(BadForm::Twice),
            }
        }
        Ok(form)
    }

    /// The value of this name.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn text(raw: &str) -> Result<String, BadForm> {
    let (bytes, whole) = unescape(&raw.replace('+', " "));
    if !whole {
        return Err(BadForm::Escape);
    }
    // Not every store keeps U+0000, and no text of ours has it.
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or(BadForm::Escape)
}

/// A path's segment with its escapes undone; what is not UTF-8, or U+0000, becomes what no id holds.
pub(super) fn unescaped(segment: &str) -> String {
    String::from_utf8_lossy(&unescape(segment).0).replace('\0', "\u{fffd}")
}

/// Undoes escapes (RFC 3986, 2.1); false when a `%` stands for itself.
fn unescape(text: &str) -> (Vec<u8>, bool) {
    let (mut plain, mut whole, mut rest) = (Vec::with_capacity(text.len()), true, text.as_bytes());
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        rest = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high << 4 | low) as u8);
                &tail[2..]
            }
            _ => {
                whole &= *first != b'%';
                plain.push(*first);
                tail
            }
        };
    }
    (plain, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_a_form() {
        let form = Form::read(Some("a=1&b=x+y%20%E0%B8%81&c&a=1&&d=")).unwrap();
        let values = ["a", "b", "c", "d", "e"].map(|name| form.named(name));
        assert_eq!(values, [Some("1"), Some("x y ก"), Some(""), Some(""), None]);
        assert_eq!(Form::read(None), Ok(Form::default()));
    }

    #[test]
    fn what_takes_a_guess_is_refused() {
        assert_eq!(Form::read(Some("a=%")), Err(BadForm::Escape));
        assert_eq!(Form::read(Some("a=%4")), Err(BadForm::Escape));
        assert_eq!(Form::read(Some("a=%ff")), Err(BadForm::Escape));
        assert_eq!(Form::read(Some("a=1&%61=2")), Err(BadForm::Twice));
    }
}
