//! The endpoints that the edge answers itself: it needs nothing of the control side for them.

use crate::config::Dialect;
use http::Method;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A key for a JWT.
    LogInWithKey,
    /// The projects of a key.
    ListProjects,
    /// The same, under the organization's path.
    ListOrganizationProjects,
    /// The public keys of the identities that backends get.
    ShowSigningKeys,
}

/// One endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose clients call it. What belongs to no API is of the dialect [`Dialect::Problem`].
    pub dialect: Dialect,
    /// Method. What takes GET takes HEAD as well.
    pub method: Method,
    /// Path, with `{name}` for a segment that may be anything.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
}

const fn ocriva(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocriva, method, path, operation }
}

const ORGANIZATION_PROJECTS: &str = "/api/v1/organizations/{organizationId}/projects";

/// Every endpoint.
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().chain([&SIGNING_KEYS])
}

/// The endpoints that APIs of their dialect have.
pub static ENDPOINTS: [Endpoint; 3] = [
    ocriva(Method::POST, "/v1/openapi/auth/login", Operation::LogInWithKey),
    ocriva(Method::GET, "/v1/openapi/projects", Operation::ListProjects),
    ocriva(Method::GET, ORGANIZATION_PROJECTS, Operation::ListOrganizationProjects),
];

/// The endpoint of no API.
pub static SIGNING_KEYS: Endpoint = Endpoint {
    dialect: Dialect::Problem,
    method: Method::GET,
    path: "/.well-known/jwks.json",
    operation: Operation::ShowSigningKeys,
};
