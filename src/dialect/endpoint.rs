//! The endpoints that the gateway serves on its control side: which there are in each dialect, and how one is called.
//!
//! Tables, from which the edge mounts them, the admin listener finds them, and tests know that none is forgotten: of each
//! dialect, of both ([`both`]), and of what the edge answers by itself ([`edge`]).

pub mod both;
pub mod edge;
pub mod ocore;

use super::form;
use crate::clock::Moment;
use crate::config::{BuiltinGroup, Dialect};
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use std::net::IpAddr;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// E-mail address and password for an access token.
    LogIn,
    /// Makes a key of the kind that the body names.
    CreateToken,
    /// Makes a key of the project in the path.
    CreateProjectToken,
    /// Lists keys.
    ListTokens,
    /// Shows one key.
    ShowToken,
    /// Alters one key; its value stays.
    UpdateToken,
    /// Gives a key a new value.
    RegenerateToken,
    /// Removes a key.
    DeleteToken,
    /// How one key was used, hour by hour.
    ShowTokenUsage,
    /// The same of all keys of an organization together.
    ShowUsage,
    /// Makes a webhook endpoint.
    CreateWebhook,
    /// Lists webhook endpoints.
    ListWebhooks,
    /// Shows one webhook endpoint.
    ShowWebhook,
    /// Alters one webhook endpoint.
    UpdateWebhook,
    /// Removes a webhook endpoint.
    DeleteWebhook,
    /// Sends a webhook endpoint the test event.
    TestWebhook,
    /// Lists deliveries of events.
    ListDeliveries,
    /// Shows one delivery with its attempts.
    ShowDelivery,
    /// Sends the event of a delivery once more.
    ReplayDelivery,
    /// Lists the audit log.
    ListAudit,
    /// The newest entries of the audit log as a file.
    ExportAudit,
    /// Begins an operation that takes longer than a request.
    StartOperation,
    /// Lists operations.
    ListOperations,
    /// Shows one operation.
    ShowOperation,
    /// The file of an export.
    DownloadResult,
    /// Hands out the new values of a rotation, once.
    CollectValues,
    /// One of the `ocore` dialect.
    Ocore(ocore::Operation),
}

/// One endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose clients call it: its answers are in their habit.
    pub dialect: Dialect,
    /// Method. What takes GET takes HEAD as well.
    pub method: Method,
    /// Path, with `{name}` for a segment that may be anything.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// Whether client listeners serve it too, without its [`group`](Self::group) being named. The admin listener serves all of
    /// them.
    pub at_edge: bool,
}

const fn ocriva(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocriva, method, path, operation, at_edge: true }
}

const fn ocore(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocore, method, path, operation, at_edge: true }
}

/// What has a path that is, on client listeners, the upstream's unless an API names its group in `builtin`.
const fn inside(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocore, method, path, operation, at_edge: false }
}

/// What only the admin listener serves: the path was no endpoint's before, and may be an upstream's.
const fn ocriva_inside(method: Method, path: &'static str, operation: Operation) -> Endpoint {
    Endpoint { dialect: Dialect::Ocriva, method, path, operation, at_edge: false }
}

/// The login whose path lies outside the usual prefixes: mounted with the first API of its dialect.
pub const BARE_LOGIN: &str = "/auth/login";

const TOKENS: &str = "/api/v1/organizations/{organizationId}/api-tokens";
const PROJECT_TOKENS: &str = "/api/v1/organizations/{organizationId}/projects/{projectId}/api-tokens";
const TOKEN: &str = "/api/v1/organizations/{organizationId}/api-tokens/{tokenId}";
const TOKEN_USAGE: &str = "/api/v1/organizations/{organizationId}/api-tokens/{tokenId}/usage";
const REGENERATE: &str = "/api/v1/organizations/{organizationId}/api-tokens/{tokenId}/regenerate";

/// Every endpoint, of every dialect.
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().chain(&ocore::ENDPOINTS).chain(&both::ENDPOINTS)
}

/// The endpoints of the `ocriva` dialect.
pub static ENDPOINTS: [Endpoint; 10] = [
    ocriva(Method::POST, "/v1/auth/login", Operation::LogIn),
    ocriva(Method::POST, BARE_LOGIN, Operation::LogIn),
    ocriva(Method::POST, TOKENS, Operation::CreateToken),
    ocriva(Method::POST, PROJECT_TOKENS, Operation::CreateProjectToken),
    ocriva(Method::GET, TOKENS, Operation::ListTokens),
    ocriva(Method::GET, TOKEN, Operation::ShowToken),
    ocriva(Method::PATCH, TOKEN, Operation::UpdateToken),
    ocriva(Method::POST, REGENERATE, Operation::RegenerateToken),
    ocriva(Method::DELETE, TOKEN, Operation::DeleteToken),
    ocriva(Method::GET, TOKEN_USAGE, Operation::ShowTokenUsage),
];

/// What a path and method lead to.
#[derive(Debug)]
pub enum Found {
    /// This endpoint.
    Endpoint(&'static Endpoint),
    /// Nothing at this path.
    Nothing,
    /// The path has other methods: these. The dialect is the path's.
    Methods(Dialect, Vec<Method>),
}

/// Finds an endpoint. A path that is spelt out wins over one with variable segments.
pub fn find(method: &Method, path: &str) -> Found {
    let variables = |endpoint: &Endpoint| endpoint.parameters(path).map(|parameters| parameters.0.len());
    let Some(fewest) = all().filter_map(variables).min() else { return Found::Nothing };
    let at_path: Vec<&'static Endpoint> =
        all().filter(|endpoint| variables(endpoint) == Some(fewest)).collect();
    let Some(first) = at_path.first() else { return Found::Nothing };
    if let Some(endpoint) = at_path.iter().find(|endpoint| endpoint.takes(method)) {
        return Found::Endpoint(endpoint);
    }
    let mut methods: Vec<Method> = at_path.iter().map(|endpoint| endpoint.method.clone()).collect();
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    Found::Methods(first.dialect, methods)
}

impl Endpoint {
    /// The group by which an API names it, where its path is the upstream's unless that is done.
    pub fn group(&self) -> Option<BuiltinGroup> {
        if self.at_edge {
            return None;
        }
        let first = self.path.strip_prefix("/api/")?.split('/').next()?;
        match first {
            "org" | "user" => Some(BuiltinGroup::Organizations),
            "members" | "invite-links" => Some(BuiltinGroup::Members),
            "roles" | "permissions" => Some(BuiltinGroup::Roles),
            "projects" => Some(BuiltinGroup::Projects),
            "audit-logs" => Some(BuiltinGroup::AuditLog),
            "webhook-endpoints" | "webhook-deliveries" => Some(BuiltinGroup::Webhooks),
            // What the server's admins have stays inside.
            _ => None,
        }
    }

    fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    /// The path's variable segments, escapes undone; `None` when the path is another one.
    pub fn parameters(&self, path: &str) -> Option<Parameters> {
        let mut found = Vec::new();
        let mut segments = segments(path);
        for wanted in self::segments(self.path) {
            let segment = segments.next()?;
            match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => found.push((name, form::unescaped(segment))),
                None if wanted == segment => {}
                None => return None,
            }
        }
        segments.next().is_none().then_some(Parameters(found))
    }
}

/// A closing slash adds no segment.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The variable segments of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// The segment of this name; empty when the endpoint has none of it.
    pub fn named(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// What a call came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A client listener, or a terminal.
    Client,
    /// The admin listener, and whether it has TLS: browsers have the console from there.
    Admin {
        /// Whether it has TLS.
        tls: bool,
    },
}

/// A call of an endpoint: a whole request, its body read.
#[derive(Debug)]
pub struct Call {
    /// By what it came.
    pub via: Via,
    /// Which.
    pub endpoint: &'static Endpoint,
    /// The path as it was matched.
    pub path: String,
    /// The raw query.
    pub query: Option<String>,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; within [`BODY_MOST`].
    pub body: Bytes,
    /// The client's address.
    pub client: IpAddr,
    /// The id under which the request is answered and logged.
    pub request_id: String,
    /// When the request's head was complete.
    pub now: Moment,
}

/// Most bytes of a call's body.
pub const BODY_MOST: u64 = 64 * 1024;

/// The answer to a call; for the log, who asked and why they were refused.
#[derive(Debug)]
pub struct Answered {
    /// The whole answer.
    pub response: Response<Bytes>,
    /// The person, when one is known.
    pub user: Option<crate::token::UserId>,
    /// A short name for why it was refused, when it was.
    pub refused: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> String {
        match find(&method, path) {
            Found::Endpoint(endpoint) => format!("{:?}", endpoint.operation),
            Found::Nothing => "nothing".to_owned(),
            Found::Methods(_, methods) => methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn paths_lead_to_their_endpoints() {
        assert_eq!(found(Method::POST, "/v1/auth/login"), "LogIn");
        assert_eq!(found(Method::HEAD, "/api/v1/organizations/o/api-tokens"), "ListTokens");
        assert_eq!(found(Method::PUT, "/api/v1/organizations/o/api-tokens"), "POST GET HEAD");
        assert_eq!(found(Method::PATCH, "/api/v1/organizations/o/api-tokens/t/"), "UpdateToken");
        assert_eq!(found(Method::GET, "/api/v1/organizations/o/api-tokens/t/regenerate"), "POST");
        assert_eq!(found(Method::GET, "/api/v1/organizations/o/api-tokens/t/other"), "nothing");
        assert_eq!(found(Method::GET, "/"), "nothing");
        assert_eq!(found(Method::DELETE, "/api/members/u1"), "Ocore(RemoveMember)");
        assert_eq!(found(Method::DELETE, "/api/members/leave"), "POST");
    }

    #[test]
    fn parameters_are_what_the_path_says() {
        let endpoint = &ENDPOINTS[5];
        let parameters = endpoint.parameters("/api/v1/organizations/68da%20g/api-tokens/t%E0%B8%81").unwrap();
        assert_eq!((parameters.named("organizationId"), parameters.named("tokenId")), ("68da g", "tก"));
        assert_eq!(parameters.named("projectId"), "");
    }
}
