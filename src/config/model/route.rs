//! What the configuration says of routes: which requests, what they must hold, and who answers.

use super::Mode;
use std::sync::Arc;

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path pattern as written; also the `route` label in metrics.
    pub path: Arc<str>,
    /// The pattern's segments.
    pub pattern: Vec<Segment>,
    /// Methods in upper case; empty means all.
    pub methods: Vec<http::Method>,
    /// Whether a credential is needed. `auth: none` opens the route.
    pub open: bool,
    /// Where the request names its project, and whether it must.
    pub project: Option<ProjectRule>,
    /// What the credential must hold.
    pub require: Require,
    /// Protocols that the client may go on in (`Upgrade`), in lower case. Default none.
    pub upgrade: Vec<Arc<str>>,
    /// Who answers.
    pub target: Target,
    /// Where it stands in the file, from 1; `None` when it does not come from one.
    pub line: Option<usize>,
}

/// One segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, in the normal form of paths.
    Literal(Arc<str>),
    /// `{name}`: any one segment.
    Parameter(Arc<str>),
    /// A closing `**`: any number of segments, none included.
    Rest,
}

/// Where a request names its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRule {
    /// The place, besides the query, which is always read.
    pub place: ProjectPlace,
    /// Who must name it. `required`, default `organization`.
    pub required: ProjectRequired,
    /// Whether a project key's own project is added to the query when the request names none. `inject`, default true
    /// for `in: query`, and not allowed elsewhere.
    pub inject: bool,
}

/// A place for `projectId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectPlace {
    /// The query only.
    Query,
    /// A member of the JSON body's top object.
    Json,
    /// A field of the multipart body.
    Multipart,
}

/// Who must name a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectRequired {
    /// Organization keys; a project key's is inferred.
    Organization,
    /// Every key.
    Always,
    /// Nobody; it is only checked.
    Never,
}

/// What a credential must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Require {
    /// Permissions, all of them.
    pub permissions: Vec<Arc<str>>,
    /// Scopes, all of them.
    pub scopes: Vec<Arc<str>>,
    /// Refuse, or only record.
    pub mode: Mode,
}

/// Who answers a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The upstream at this index of [`Config::upstreams`].
    Upstream(usize),
    /// The gateway, with this.
    Respond(Respond),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// Status code, 200 to 599.
    pub status: http::StatusCode,
    /// Body; `application/json` when it parses as JSON, else `text/plain; charset=utf-8`.
    pub body: Arc<str>,
}
