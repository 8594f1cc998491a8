//! What the configuration says of routes: which requests, what they must hold, and who answers.

use super::{Conditions, Edits, HostPattern, Mirror, Mode, Redirect, Rewrite, Split};
use std::sync::Arc;
use std::time::Duration;

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path pattern as written; also the `route` label in metrics.
    pub path: Arc<str>,
    /// The pattern's segments.
    pub pattern: Vec<Segment>,
    /// Methods in upper case; empty means all.
    pub methods: Vec<http::Method>,
    /// Hosts; empty means those of its API.
    pub hosts: Vec<HostPattern>,
    /// What the request must be like besides.
    pub conditions: Conditions,
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
    /// The path that an upstream gets, where it is not the one that was matched.
    pub rewrite: Option<Rewrite>,
    /// Alterations of what upstreams get, after those of the API.
    pub request_headers: Edits,
    /// Alterations of answers, after those of the API.
    pub response_headers: Edits,
    /// From the request's last byte to the answer's head, where it is not what the upstream has.
    pub timeout: Option<Duration>,
    /// Bytes of a request body, where they are not what the API has.
    pub body_limit: Option<u64>,
    /// Who gets a copy.
    pub mirror: Option<Mirror>,
    /// Where it stands in the file, from 1; `None` when it does not come from one.
    pub line: Option<usize>,
}

impl Route {
    /// A route with nothing but this.
    pub fn plain(path: &str, pattern: Vec<Segment>, methods: Vec<http::Method>, target: Target) -> Self {
        Self {
            path: path.into(),
            pattern,
            methods,
            hosts: Vec::new(),
            conditions: Conditions::default(),
            open: false,
            project: None,
            upgrade: Vec::new(),
            require: Require::default(),
            target,
            rewrite: None,
            request_headers: Edits::default(),
            response_headers: Edits::default(),
            timeout: None,
            body_limit: None,
            mirror: None,
            line: None,
        }
    }
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
    /// Whether a request that names none, and has to, is refused or only recorded. Naming another's is always refused.
    pub mode: Mode,
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
    /// One of some upstreams.
    Split(Split),
    /// The gateway, with this.
    Respond(Respond),
    /// The gateway, which sends the client elsewhere.
    Redirect(Redirect),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// Status code, 200 to 599.
    pub status: http::StatusCode,
    /// Body; `application/json` when it parses as JSON, else `text/plain; charset=utf-8`.
    pub body: Arc<str>,
}
