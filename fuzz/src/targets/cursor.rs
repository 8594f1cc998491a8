//! Cursors and identifiers come back as what they were.

use super::text;
use portcullis::dialect::cursor;
use portcullis::store::management::Position;
use portcullis::token::TokenId;

pub(crate) fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(place) = cursor::position(text) {
        assert_eq!(cursor::position(&cursor::text(&place)), Some(place), "{text:?}");
    }
    let (id, others) = text.split_at(text.floor_char_boundary(text.len().min(36)));
    let created_ms = others.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let place = Position { created_ms, id: id.replace('\0', "") };
    assert_eq!(cursor::position(&cursor::text(&place)), Some(place), "of an id of ours");
    let (one, other) = (TokenId::from(id), TokenId::from(others));
    assert_eq!((&*one.text(), &*other.text()), (id, others));
    assert_eq!(one == other, id == others);
}
