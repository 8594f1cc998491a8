//! Parts of lists, newest first: pages in `ocriva`, cursors in `ocore`.

use crate::config::Dialect;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Older than what has this number; `None` from the newest on.
    pub before: Option<u64>,
    /// How many come before it.
    pub offset: u64,
    /// How many are in it at most.
    pub limit: u32,
    page: Option<u64>,
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `{data, pagination}`
    Pages,
    /// `{data, next_cursor, has_more}`
    Cursor,
    /// `{items, page, perPage, total}`, where an `ocore` client names a page.
    Items,
}

/// Items of a list where nothing else is asked.
pub const USUAL: u32 = 20;
/// Items of a list at most: more is taken for this.
pub const MOST: u32 = 100;

/// What of a query can not be: the name of the parameter, the rule, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWindow(pub &'static str, pub &'static str, pub String);

impl Window {
    /// Reads what a query says of the part; `named` gives a parameter's value.
    ///
    /// # Errors
    /// [`BadWindow`]
    pub fn read<'q>(
        dialect: Dialect,
        named: impl Fn(&'static str) -> Option<&'q str>,
    ) -> Result<Self, BadWindow> {
        let number = |name: &'static str| match named(name).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(number)) if number > 0 => Ok(Some(number)),
            Some(_) => Err(BadWindow(name, "minimum", format!("{name} must be a whole number from 1"))),
        };
        // Also what is not gone by has to be what it is said to be.
        let (page, limit) = (number("page")?, number("limit")?);
        let (style, before, limit) = match dialect {
            Dialect::Ocriva | Dialect::Problem => (Style::Pages, None, limit),
            Dialect::Ocore => {
                let before = named("cursor").filter(|it| !it.is_empty()).map(read_cursor).transpose()?;
                let per_page = number("per_page")?;
                if page.is_some() || per_page.is_some() {
                    (Style::Items, None, per_page)
                } else {
                    (Style::Cursor, before, limit)
                }
            }
        };
        let limit = limit.map_or(USUAL, |limit| u32::try_from(limit).unwrap_or(MOST).min(MOST));
        let offset = (page.unwrap_or(1) - 1).saturating_mul(limit.into());
        Ok(Self { before, offset, limit, page, style })
    }

    /// How many to read: one more than is shown, where it has to be known whether there are more.
    pub fn to_read(&self) -> u32 {
        self.limit + u32::from(self.style == Style::Cursor)
    }

    /// The list's answer. Each item comes with the number that a cursor names it by.
    pub fn render(&self, mut items: Vec<(u64, Value)>, total: u64) -> String {
        let more = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        let last = items.last().map(|(number, _)| *number);
        let data: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
        let page = self.page.unwrap_or(1);
        match self.style {
            Style::Pages => {
                let pages = total.div_ceil(self.limit.into());
                let pagination = json!({ "page": page, "limit": self.limit, "total": total, "pages": pages });
                json!({ "data": data, "pagination": pagination })
            }
            Style::Items => json!({ "items": data, "page": page, "perPage": self.limit, "total": total }),
            Style::Cursor => {
                let next = last.filter(|_| more).map(cursor);
                json!({ "data": data, "next_cursor": next, "has_more": more })
            }
        }
        .to_string()
    }
}

fn cursor(number: u64) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "id": number.to_string() }).to_string())
}

fn read_cursor(text: &str) -> Result<u64, BadWindow> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        value.get("id")?.as_str()?.parse().ok()
    };
    read()
        .ok_or_else(|| BadWindow("cursor", "format", "cursor is not one that this list has given".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::*;

    fn window(dialect: Dialect, query: &str) -> Result<Window, BadWindow> {
        let form = Form::read(Some(query)).unwrap();
        Window::read(dialect, |name| form.named(name))
    }

    #[test]
    fn pages_are_counted_from_one_and_bounded() {
        let second = window(Dialect::Ocriva, "page=2&limit=1000").unwrap();
        assert_eq!((second.offset, second.limit, second.to_read()), (100, 100, 100));
        let text = second.render(vec![(7, json!("x"))], 101);
        assert_eq!(text, r#"{"data":["x"],"pagination":{"page":2,"limit":100,"total":101,"pages":2}}"#);
        for bad in ["page=0", "limit=0", "page=x", "limit=-1"] {
            assert!(window(Dialect::Ocriva, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_leads_to_what_comes_after() {
        let first = window(Dialect::Ocore, "limit=2").unwrap();
        assert_eq!(first.to_read(), 3);
        let text = first.render(vec![(9, json!(9)), (8, json!(8)), (7, json!(7))], 5);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&answer["data"], &answer["has_more"]), (&json!([9, 8]), &json!(true)));
        let next = format!("limit=2&cursor={}", answer["next_cursor"].as_str().unwrap());
        assert_eq!(window(Dialect::Ocore, &next).unwrap().before, Some(8));
        let last = window(Dialect::Ocore, &next).unwrap().render(vec![(7, json!(7))], 5);
        assert_eq!(last, r#"{"data":[7],"next_cursor":null,"has_more":false}"#);
        for bad in ["cursor=x", "cursor=e30", "limit=0", "page=1&limit=x", "page=1&cursor=x", "per_page=0"] {
            assert!(window(Dialect::Ocore, bad).is_err(), "{bad}");
        }
    }
}
