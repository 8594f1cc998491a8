//! An entry under each of its names, which it holds itself: an index of a million keys has no second copy of them.

use super::Entry;
use crate::token::{Digest, TokenId};
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

macro_rules! named {
    ($(#[$doc:meta] $name:ident: $field:ident, $key:ty),+ $(,)?) => {$(
        #[$doc]
        #[derive(Debug)]
        pub(super) struct $name(pub(super) Arc<Entry>);

        impl Borrow<$key> for $name {
            fn borrow(&self) -> &$key {
                self.0.record.$field.borrow()
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                <Self as Borrow<$key>>::borrow(self).hash(state);
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.record.$field == other.0.record.$field
            }
        }

        impl Eq for $name {}
    )+};
}

named! {
    /// By the SHA-256 of its value.
    ByDigest: digest, Digest,
    /// By its id.
    ById: id, TokenId,
}
