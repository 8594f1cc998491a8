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
    /// Lists an organization's keys.
    ListApiKeys,
    /// Makes a key.
    CreateApiKey,
    /// Shows one key.
    ShowApiKey,
    /// Alters one key; its value stays.
    UpdateApiKey,
    /// Removes a key.
    DeleteApiKey,
    /// Lists the keys of every organization.
    ListAllApiKeys,
    /// Removes a key of whatever organization.
    DeleteAnyApiKey,
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

const API_KEYS: &str = "/api/api-keys";
const API_KEY: &str = "/api/api-keys/{keyId}";

/// The endpoints.
pub static ENDPOINTS: [Endpoint; 11] = [
    at(Method::POST, "/api/auth/login", Operation::LogIn),
    at(Method::POST, "/api/auth/refresh", Operation::Refresh),
    at(Method::POST, "/api/auth/logout", Operation::LogOut),
    at(Method::GET, API_KEYS, Operation::ListApiKeys),
    at(Method::POST, API_KEYS, Operation::CreateApiKey),
    at(Method::GET, API_KEY, Operation::ShowApiKey),
    at(Method::PATCH, API_KEY, Operation::UpdateApiKey),
    at(Method::PUT, API_KEY, Operation::UpdateApiKey),
    at(Method::DELETE, API_KEY, Operation::DeleteApiKey),
    at(Method::GET, "/api/admin/api-keys", Operation::ListAllApiKeys),
    at(Method::DELETE, "/api/admin/api-keys/{keyId}", Operation::DeleteAnyApiKey),
];
