//! Every way in which the edge refuses a request: its status, the text for the caller, the code for log and metric.

use crate::dialect::Fault;
use crate::store::cache::LookupError;
use crate::store::history::Reason;
use crate::telemetry::metrics::AuthOutcome;
use crate::upstream::UpstreamError;
use http::{Method, StatusCode};

/// Why a request is not forwarded.
#[derive(Debug)]
pub enum Reject {
    /// The path means different things to different servers.
    AmbiguousPath,
    /// The request target is no path (`CONNECT`, `OPTIONS *`).
    NoPath,
    /// There is no `Host`, or more than one.
    Host,
    /// A method that no client may use here: `CONNECT`, or one that some servers would read as another.
    Method,
    /// `Connection` lists a field by which the request was judged, so that the upstream would not see it.
    Listed,
    /// A `%` in the query that no two hexadecimal digits follow.
    BadEscape,
    /// `projectId` is doubled, bracketed or disguised.
    ProjectNotSingle,
    /// A query parameter that decides where the request goes is doubled, bracketed or disguised.
    ParameterNotSingle,
    /// Query and body name different projects.
    ProjectsDiffer,
    /// A body that is to be read is not what it says, and why.
    BadBody(&'static str),
    /// No route has this path.
    NoRoute,
    /// The path has no such method; these are the ones it has.
    MethodNotAllowed(Vec<Method>),
    /// No credential at all.
    NoCredential,
    /// A credential of the wrong kind, or two that differ.
    UnusableCredential,
    /// No key has this value, or the JWT is not valid.
    UnknownKey,
    /// The key (or the person) is deactivated.
    Inactive,
    /// The key has expired.
    Expired,
    /// The key may not be used from this address.
    Address,
    /// The bucket is empty.
    Limited,
    /// Too many credentials that nobody has came from this address; whole seconds, at least 1, until one is looked at
    /// again.
    UnknownKeys {
        /// For `Retry-After`.
        retry_after_s: u64,
    },
    /// Where limits are counted for several nodes is away, and nothing with a limit is to be served without it.
    LimitsAway,
    /// An organization key has to name a project here.
    ProjectRequired,
    /// A project key has to name its project here.
    OwnProjectRequired,
    /// The project named is not the credential's to use, or does not exist.
    ForeignProject,
    /// The organization in the path is not the credential's.
    ForeignOrganization,
    /// `X-Org-Slug` names an organization that the caller has no part in, or that does not exist.
    ForeignSlug,
    /// The person belongs to several organizations (or none) and names none.
    SlugRequired,
    /// A permission of the route is missing.
    Permission,
    /// A scope of the route is missing.
    Scope,
    /// The body is larger than the API's `body_limit`.
    BodyTooLarge,
    /// Request line and header fields are larger than the listener's `header_size`.
    HeadTooLarge,
    /// The body's type or coding is not one that can be checked, and what is expected.
    UnsupportedMediaType(&'static str),
    /// An expectation other than `100-continue` (RFC 9110, 10.1.1).
    Expectation,
    /// The route does not go on in the protocol that was asked for.
    Upgrade,
    /// The upstream does not go on in it, or does not show that it does.
    NotSwitched,
    /// The client's body broke off.
    BodyBroke,
    /// The client's body came too slowly.
    BodySlow,
    /// More bodies are held for checking than there is room for.
    Crowded,
    /// The store could not be asked.
    Store(LookupError),
    /// The store has been out of reach for longer than `max_staleness`.
    StaleStore,
    /// The upstream gave no answer.
    Upstream(UpstreamError),
    /// Something of ours failed; its text goes to the log only.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// The one text of every 401: it does not tell which check failed.
const UNAUTHORIZED: &str = "The credential is missing, invalid, expired or does not match the requested project. \
    Send a valid API key or token.";

impl Reject {
    /// The status code of the answer.
    #[deny(clippy::wildcard_enum_match_arm)]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::AmbiguousPath
            | Self::NoPath
            | Self::Host
            | Self::Method
            | Self::Listed
            | Self::BadEscape
            | Self::ProjectNotSingle
            | Self::ParameterNotSingle
            | Self::ProjectsDiffer
            | Self::BadBody(_)
            | Self::ProjectRequired
            | Self::OwnProjectRequired
            | Self::SlugRequired
            | Self::BodyBroke => StatusCode::BAD_REQUEST,
            Self::BodySlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoCredential
            | Self::UnusableCredential
            | Self::UnknownKey
            | Self::Inactive
            | Self::Expired
            | Self::ForeignProject
            | Self::ForeignOrganization => StatusCode::UNAUTHORIZED,
            Self::Address | Self::ForeignSlug | Self::Permission | Self::Scope | Self::Upgrade => {
                StatusCode::FORBIDDEN
            }
            Self::Limited | Self::UnknownKeys { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::Store(_) | Self::StaleStore | Self::LimitsAway | Self::Crowded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Upstream(error) => upstream_status(error),
            Self::NotSwitched => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the caller is told.
    pub fn fault(&self) -> Fault<'_> {
        Fault { status: self.status(), message: self.message(), field: self.field() }
    }

    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::AmbiguousPath => {
                "The path contains '..', an encoded slash, a backslash or a control character. Send it without."
            }
            Self::NoPath => "The request target must be a path, such as /v1/openapi/projects.",
            Self::Host => "Send exactly one Host header, with a host name or address and nothing else.",
            Self::Method => "Send a method in capital letters, other than CONNECT.",
            Self::Listed => {
                "Send a Connection header that does not name fields of the content or the tenant."
            }
            Self::BadEscape => {
                "The query contains a '%' that is not followed by two hexadecimal digits. Encode it as %25."
            }
            Self::ProjectNotSingle => "projectId must be a single string",
            Self::ParameterNotSingle => {
                "A query parameter that this path depends on is there more than once, or in an unusual spelling. Send it \
                 once, spelled as documented."
            }
            Self::ProjectsDiffer => "projectId in the query and projectId in the body must be the same",
            Self::BadBody(why) | Self::UnsupportedMediaType(why) => why,
            Self::NoRoute => "There is nothing at this path. Check the path and its upper and lower case.",
            Self::MethodNotAllowed(_) => {
                "This path does not have this method. The Allow header lists those it has."
            }
            Self::NoCredential
            | Self::UnusableCredential
            | Self::UnknownKey
            | Self::Inactive
            | Self::Expired
            | Self::ForeignProject
            | Self::ForeignOrganization => UNAUTHORIZED,
            Self::Address => {
                "This key may not be used from this IP address. Ask the key's owner to allow it."
            }
            Self::Limited | Self::UnknownKeys { .. } => "Too many requests. Please slow down.",
            Self::ProjectRequired => "projectId is required for organization tokens",
            Self::OwnProjectRequired => "projectId is required here, and must be the token's own project",
            Self::ForeignSlug => "You have no access to the organization named in X-Org-Slug.",
            Self::SlugRequired => "Name the organization in the X-Org-Slug header.",
            Self::Permission => "The credential lacks a permission that this request needs.",
            Self::Scope => "The credential lacks a scope that this request needs.",
            Self::BodyTooLarge => "The request body is larger than this API accepts.",
            Self::HeadTooLarge => "The request line and header fields are larger than this server accepts.",
            Self::Expectation => "The only expectation that is met here is 100-continue.",
            Self::Upgrade => "This path does not serve WebSocket. Send an ordinary request.",
            Self::NotSwitched => "The service behind this API does not speak WebSocket at this path.",
            Self::BodyBroke => "The request body ended before it was complete.",
            Self::BodySlow => "The request body came too slowly. Send it again over a faster connection.",
            Self::Crowded => "Too many uploads are under way at the moment. Please try again shortly.",
            Self::Store(_) | Self::StaleStore => {
                "Keys can not be checked at the moment. Please try again shortly."
            }
            Self::LimitsAway => "Requests can not be counted at the moment. Please try again shortly.",
            Self::Upstream(UpstreamError::ResponseTimeout(_) | UpstreamError::ConnectTimeout(_)) => {
                "The service behind this API did not answer in time. Please try again."
            }
            Self::Upstream(UpstreamError::Full(_) | UpstreamError::QueueTimeout(_)) => {
                "The service behind this API has too many requests at the moment. Please try again shortly."
            }
            Self::Upstream(UpstreamError::NoneHealthy(_)) => {
                "The service behind this API is not available at the moment. Please try again shortly."
            }
            Self::Upstream(_) => "The service behind this API could not be reached. Please try again.",
            Self::Internal(_) => {
                "Something went wrong here. Quote the X-Request-Id of this answer when you report it."
            }
        }
    }

    fn field(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::SlugRequired => Some(("X-Org-Slug", "required")),
            Self::ProjectRequired | Self::OwnProjectRequired => Some(("projectId", "required")),
            Self::ProjectNotSingle => Some(("projectId", "single")),
            Self::ProjectsDiffer => Some(("projectId", "consistent")),
            Self::ParameterNotSingle => Some(("query", "single")),
            Self::BadBody(_) => Some(("body", "well-formed")),
            Self::UnsupportedMediaType(_) => Some(("Content-Type", "supported")),
            Self::AmbiguousPath => Some(("path", "unambiguous")),
            Self::Host => Some(("Host", "single")),
            Self::Listed => Some(("Connection", "hop-by-hop")),
            Self::BadEscape => Some(("query", "well-formed")),
            _ => None,
        }
    }

    /// A short name for the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AmbiguousPath => "ambiguous_path",
            Self::NoPath => "no_path",
            Self::Host => "host",
            Self::Method => "method",
            Self::Listed => "listed",
            Self::BadEscape => "bad_escape",
            Self::ProjectNotSingle => "project_not_single",
            Self::ParameterNotSingle => "parameter_not_single",
            Self::ProjectsDiffer => "projects_differ",
            Self::BadBody(_) => "bad_body",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NoCredential => "no_credential",
            Self::UnusableCredential => "unusable_credential",
            Self::UnknownKey => "unknown_key",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Limited => "limited",
            Self::UnknownKeys { .. } => "unknown_keys",
            Self::LimitsAway => "limits_away",
            Self::ProjectRequired => "project_required",
            Self::OwnProjectRequired => "own_project_required",
            Self::ForeignProject => "foreign_project",
            Self::ForeignOrganization => "foreign_organization",
            Self::ForeignSlug => "foreign_slug",
            Self::SlugRequired => "slug_required",
            Self::Permission => "permission",
            Self::Scope => "scope",
            Self::BodyTooLarge => "body_too_large",
            Self::HeadTooLarge => "head_too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Expectation => "expectation",
            Self::Upgrade => "upgrade",
            Self::NotSwitched => "not_switched",
            Self::BodyBroke => "body_broke",
            Self::BodySlow => "body_slow",
            Self::Crowded => "crowded",
            Self::Store(_) => "store",
            Self::StaleStore => "stale_store",
            Self::Upstream(UpstreamError::Full(_)) => "upstream_full",
            Self::Upstream(UpstreamError::QueueTimeout(_)) => "upstream_queue_timeout",
            Self::Upstream(UpstreamError::NoneHealthy(_)) => "upstream_unhealthy",
            Self::Upstream(_) => "upstream",
            Self::Internal(_) => "internal",
        }
    }

    /// The metric's outcome, where a credential was refused.
    pub fn auth_outcome(&self) -> Option<AuthOutcome> {
        Some(match self {
            Self::NoCredential => AuthOutcome::Missing,
            Self::UnusableCredential | Self::UnknownKey => AuthOutcome::Unknown,
            Self::Inactive => AuthOutcome::Inactive,
            Self::Expired => AuthOutcome::Expired,
            Self::Address => AuthOutcome::Address,
            Self::Scope | Self::ForeignProject | Self::ForeignOrganization | Self::ForeignSlug => {
                AuthOutcome::Scope
            }
            Self::Permission => AuthOutcome::Permission,
            Self::Store(_) | Self::StaleStore => AuthOutcome::StaleStore,
            _ => return None,
        })
    }

    /// As what it is written into a key's history. What comes back from an upstream is none: the request was let through.
    #[deny(clippy::wildcard_enum_match_arm)]
    pub fn reason(&self) -> Option<Reason> {
        Some(match self {
            Self::Inactive => Reason::Inactive,
            Self::Expired => Reason::Expired,
            Self::Address => Reason::Address,
            // Said of a known key, it is one that this API's clients do not use.
            Self::UnknownKey | Self::UnusableCredential => Reason::Family,
            Self::Limited => Reason::Limited,
            Self::LimitsAway => Reason::LimitsAway,
            Self::ProjectRequired | Self::OwnProjectRequired => Reason::ProjectRequired,
            Self::ForeignProject => Reason::ForeignProject,
            Self::ForeignOrganization | Self::ForeignSlug | Self::SlugRequired => Reason::ForeignOrganization,
            Self::Permission => Reason::Permission,
            Self::Scope => Reason::Scope,
            Self::BodyTooLarge => Reason::BodyTooLarge,
            Self::BodyBroke | Self::BodySlow => Reason::BodyIncomplete,
            Self::UnsupportedMediaType(_) => Reason::MediaType,
            Self::AmbiguousPath
            | Self::NoPath
            | Self::Host
            | Self::Method
            | Self::Listed
            | Self::BadEscape
            | Self::ProjectNotSingle
            | Self::ParameterNotSingle
            | Self::ProjectsDiffer
            | Self::BadBody(_)
            | Self::NoRoute
            | Self::MethodNotAllowed(_)
            | Self::HeadTooLarge
            | Self::Expectation
            | Self::Upgrade => Reason::BadRequest,
            Self::Crowded | Self::Store(_) | Self::StaleStore | Self::Internal(_) => Reason::Unavailable,
            Self::NoCredential | Self::UnknownKeys { .. } | Self::NotSwitched | Self::Upstream(_) => {
                return None;
            }
        })
    }

    /// The cause that the log gets, where there is one.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Upstream(error) => Some(error),
            Self::Internal(error) => Some(&**error),
            _ => None,
        }
    }

    /// Seconds for `Retry-After`, where an answer has it and the limit does not write it.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::UnknownKeys { retry_after_s } => Some(*retry_after_s),
            Self::LimitsAway | Self::Store(_) | Self::StaleStore => Some(1),
            Self::Upstream(UpstreamError::Full(_) | UpstreamError::QueueTimeout(_)) => Some(1),
            Self::Upstream(UpstreamError::NoneHealthy(_)) => Some(5),
            _ => None,
        }
    }

    /// Whether the connection closes after the answer: the rest of the body is not worth reading, or what comes next is
    /// more likely an attack than a request.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge
                | Self::BodyBroke
                | Self::BodySlow
                | Self::Crowded
                | Self::HeadTooLarge
                | Self::Host
                | Self::Method
                | Self::NoPath
                | Self::Listed
        )
    }
}

fn upstream_status(error: &UpstreamError) -> StatusCode {
    match error {
        UpstreamError::ResponseTimeout(_) | UpstreamError::ConnectTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
        UpstreamError::Connect { .. }
        | UpstreamError::Broke { .. }
        | UpstreamError::Unresolved(_)
        | UpstreamError::NoHttp1(_) => StatusCode::BAD_GATEWAY,
        UpstreamError::Full(_) | UpstreamError::QueueTimeout(_) | UpstreamError::NoneHealthy(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
