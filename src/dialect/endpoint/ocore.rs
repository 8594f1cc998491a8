//! The endpoints of the `ocore` dialect (CONTRACT B).

use super::{Endpoint, Operation as Any};
use crate::config::Dialect;
use http::Method;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// E-mail address and password for a session.
    LogIn,
    /// A refresh token for its successor.
    Refresh,
    /// Ends the session.
    LogOut,
}

impl Operation {
    /// Whether it is for who is not logged in (any more).
    pub fn is_open(self) -> bool {
        matches!(self, Self::LogIn | Self::Refresh | Self::LogOut)
    }
}

const fn at(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocore, method, path, operation: Any::Ocore(operation) }
}

/// The endpoints.
pub static ENDPOINTS: [Endpoint; 3] = [
    at(Method::POST, "/api/auth/login", Operation::LogIn),
    at(Method::POST, "/api/auth/refresh", Operation::Refresh),
    at(Method::POST, "/api/auth/logout", Operation::LogOut),
];
