//! How keys were used, hour by hour: what is counted, in which words, and what a store gives back of it.
//!
//! Uses are counted by the journal and come here as they are added up. What a known key is refused for is counted by the
//! workers ([`Refusals`]): it is rarer, and no request that is let through pays for it.

mod refusals;

pub use refusals::{Pending, Refusals};

use crate::token::{OrganizationId, TokenId};

/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;
/// Hours of a day.
pub const DAY_HOURS: u64 = 24;

/// Why a known key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It is deactivated.
    Inactive,
    /// Its time is over.
    Expired,
    /// It may not be used from this address.
    Address,
    /// It is of another family than the API's clients use.
    Family,
    /// Its limit was used up.
    Limited,
    /// Requests could not be counted, and nobody is let through without.
    LimitsAway,
    /// It had to name a project and named none.
    ProjectRequired,
    /// It named a project that is not its to use.
    ForeignProject,
    /// It named an organization that is not its own.
    ForeignOrganization,
    /// The route takes a permission that it lacks.
    Permission,
    /// The route takes a scope that it lacks.
    Scope,
    /// The body was larger than the API accepts.
    BodyTooLarge,
    /// The body broke off, or came too slowly.
    BodyIncomplete,
    /// The body's type or coding can not be checked.
    MediaType,
    /// The request was not well-formed, or named two things where one is needed.
    BadRequest,
    /// The gateway could not go on, for no fault of the client's.
    Unavailable,
}

impl Reason {
    /// Every one. Its place, counted from 1, is its number in the store: what is new goes to the end.
    pub const ALL: [Self; 16] = [
        Self::Inactive,
        Self::Expired,
        Self::Address,
        Self::Family,
        Self::Limited,
        Self::LimitsAway,
        Self::ProjectRequired,
        Self::ForeignProject,
        Self::ForeignOrganization,
        Self::Permission,
        Self::Scope,
        Self::BodyTooLarge,
        Self::BodyIncomplete,
        Self::MediaType,
        Self::BadRequest,
        Self::Unavailable,
    ];

    /// Its name in answers. Where one code of the access log says the same, it is that.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Family => "family",
            Self::Limited => "limited",
            Self::LimitsAway => "limits_away",
            Self::ProjectRequired => "project_required",
            Self::ForeignProject => "foreign_project",
            Self::ForeignOrganization => "foreign_organization",
            Self::Permission => "permission",
            Self::Scope => "scope",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyIncomplete => "body_incomplete",
            Self::MediaType => "media_type",
            Self::BadRequest => "bad_request",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether a use was counted before the refusal: whoever gets as far has shown a key that is good.
    pub fn is_after_use(self) -> bool {
        !matches!(
            self,
            Self::Inactive | Self::Expired | Self::Address | Self::Family | Self::Limited | Self::LimitsAway
        )
    }

    pub(super) fn number(self) -> u8 {
        self as u8 + 1
    }

    pub(super) fn numbered(number: u64) -> Option<Self> {
        usize::try_from(number).ok()?.checked_sub(1).and_then(|place| Self::ALL.get(place)).copied()
    }
}

/// Refusals of one key for one reason in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// [`TokenRecord::row`](super::TokenRecord::row)
    pub row: u64,
    /// Hours since 1970.
    pub hour: u64,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
}

/// Whose history is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One key's.
    Token(TokenId),
    /// What all keys of an organization have counted, those that are gone included.
    Organization(OrganizationId),
}

/// What was counted of one thing in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// Hours since 1970.
    pub hour: u64,
    /// Refusals for this reason; `None` for uses.
    pub reason: Option<Reason>,
    /// How many; at least 1.
    pub count: u64,
}

/// A part of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Since when everything is there, milliseconds since 1970; `None` where no history is kept.
    pub kept_since_ms: Option<u64>,
    /// What was counted in the hours asked for, as far as it is kept; in no order.
    pub counted: Vec<Counted>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_known_by_their_numbers() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason.number()), place + 1);
            assert_eq!(Reason::numbered(reason.number().into()), Some(reason));
        }
        assert_eq!((Reason::numbered(0), Reason::numbered(17)), (None, None));
    }
}
