//! The endpoints of the control side: a handler translates, the domain decides.
//!
//! The same handlers answer on the client listeners and on the admin listener.

mod audit;
mod authenticate;
mod body;
mod browser;
mod cookies;
mod history;
mod in_flight;
mod ocore;
mod ocriva;
mod operations;
mod query;
mod webhooks;

use super::domain::{Actor, By, Domain, DomainError, Origin, Violation};
use super::error::Refusal;
use super::sessions::Sessions;
use crate::config::{Config, Dialect};
use crate::dialect::endpoint::{Answered, Call, Operation, Parameters};
use crate::dialect::form::BadForm;
use crate::dialect::window::{BadWindow, Window};
use crate::token::{OrganizationId, UserId};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use in_flight::InFlight;
use query::Query;
use std::sync::Arc;

/// Files that one organization is handed at once, and calls of one person that are answered at once.
const FILES: u32 = 2;
const CALLS: u32 = 16;

static X_ORG_SLUG: HeaderName = HeaderName::from_static("x-org-slug");

/// What a handler has to say.
type Outcome = Result<Response<Bytes>, Refusal>;

/// The handlers.
#[derive(Debug)]
pub struct Api {
    domain: Arc<Domain>,
    sessions: Sessions,
    files: InFlight<OrganizationId>,
    calls: InFlight<UserId>,
}

/// One call on its way through its handler.
struct Request<'c> {
    call: &'c Call,
    parameters: Parameters,
}

impl Api {
    /// Handlers over these.
    pub fn new(domain: Arc<Domain>, sessions: Sessions) -> Self {
        Self { domain, sessions, files: InFlight::new(FILES), calls: InFlight::new(CALLS) }
    }

    /// The operations.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Goes by another configuration from now on.
    pub fn replace(&self, config: &Config) {
        self.sessions.replace(&config.jwt, config.accounts);
        self.domain.replace(config);
    }

    /// Answers a call. Whatever happens, there is an answer in the endpoint's dialect.
    pub async fn answer(&self, call: Call) -> Answered {
        let mut user = None;
        match self.handle(&call, &mut user).await {
            Ok(response) => Answered { response, user, refused: None },
            Err(refusal) => {
                let response = refusal.answer(call.endpoint.dialect, &call.request_id);
                Answered { response, user, refused: Some(refusal.code()) }
            }
        }
    }

    async fn handle(&self, call: &Call, user: &mut Option<UserId>) -> Result<Response<Bytes>, Refusal> {
        let parameters = call.endpoint.parameters(&call.path).ok_or(Refusal::Nothing)?;
        let request = Request { call, parameters };
        match call.endpoint.operation {
            Operation::LogIn => {
                browser::must_not_be_foreign(call)?;
                return ocriva::login::log_in(self, &request, user).await;
            }
            Operation::Ocore(operation) if operation.is_open() => {
                browser::must_not_be_foreign(call)?;
                return ocore::open(self, &request, operation, user).await;
            }
            _ => {}
        }
        let by = self.authenticated(&request).await?;
        *user = by.person().cloned();
        let _one = by.person().map(|person| self.calls.begin(person)).transpose()?;
        self.dispatch(&request, &by).await
    }

    /// Answers a call by whoever has the configuration file and the store: no credential is asked for, and everything
    /// may be done that is not somebody's own account's.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn operate(&self, call: &Call) -> Result<Response<Bytes>, Refusal> {
        let parameters = call.endpoint.parameters(&call.path).ok_or(Refusal::Nothing)?;
        let by = By { actor: Actor::Operator, origin: Origin::default(), now: call.now };
        self.dispatch(&Request { call, parameters }, &by).await
    }

    async fn dispatch(&self, request: &Request<'_>, by: &By) -> Result<Response<Bytes>, Refusal> {
        let call = request.call;
        match call.endpoint.operation {
            Operation::LogIn => Err(Refusal::Nothing),
            Operation::CreateToken | Operation::CreateProjectToken => {
                ocriva::tokens::create(self, request, by).await
            }
            Operation::ListTokens => ocriva::tokens::list(self, request, by).await,
            Operation::ShowToken => ocriva::tokens::show(self, request, by).await,
            Operation::UpdateToken => ocriva::tokens::update(self, request, by).await,
            Operation::RegenerateToken => ocriva::tokens::regenerate(self, request, by).await,
            Operation::DeleteToken => ocriva::tokens::delete(self, request, by).await,
            Operation::CreateWebhook => webhooks::create(self, request, by).await,
            Operation::ListWebhooks => webhooks::list(self, request, by).await,
            Operation::ShowWebhook => webhooks::show(self, request, by).await,
            Operation::UpdateWebhook => webhooks::update(self, request, by).await,
            Operation::DeleteWebhook => webhooks::delete(self, request, by).await,
            Operation::TestWebhook => webhooks::test(self, request, by).await,
            Operation::ListDeliveries => webhooks::deliveries(self, request, by).await,
            Operation::ShowDelivery => webhooks::delivery(self, request, by).await,
            Operation::StartOperation => operations::start(self, request, by).await,
            Operation::ListOperations => operations::list(self, request, by).await,
            Operation::ShowOperation => operations::show(self, request, by).await,
            Operation::DownloadResult => operations::download(self, request, by).await,
            Operation::CollectValues => operations::collect(self, request, by).await,
            Operation::ListAudit => audit::list(self, request, by).await,
            Operation::ExportAudit => audit::export(self, request, by).await,
            Operation::ShowTokenUsage => history::of_token(self, request, by).await,
            Operation::ShowUsage => history::of_organization(self, request, by).await,
            Operation::ReplayDelivery => webhooks::replay(self, request, by).await,
            Operation::Ocore(operation) => ocore::answer(self, request, operation, by).await,
        }
    }

    async fn authenticated(&self, request: &Request<'_>) -> Result<By, Refusal> {
        let actor: Actor = authenticate::actor(&self.sessions, request.call).await?;
        Ok(By { actor, origin: request.origin(), now: request.call.now })
    }
}

impl Request<'_> {
    fn dialect(&self) -> Dialect {
        self.call.endpoint.dialect
    }

    fn named(&self, parameter: &str) -> &str {
        self.parameters.named(parameter)
    }

    /// The organization that is meant: by the path, or by `X-Org-Slug`.
    async fn organization(&self, api: &Api, by: &By) -> Result<OrganizationId, Refusal> {
        if self.dialect() != Dialect::Ocore {
            return Ok(self.named("organizationId").into());
        }
        let mut slugs = self.call.headers.get_all(&X_ORG_SLUG).iter();
        let slug = slugs.next().map(|value| value.to_str().map_or("", str::trim));
        if slugs.any(|other| other.to_str().map(str::trim).ok() != slug) {
            let message = "X-Org-Slug must be given once";
            return Err(DomainError::from(Violation::new("X-Org-Slug", "single", message)).into());
        }
        Ok(api.domain.organization_meant(by, slug).await?)
    }

    fn query(&self) -> Result<Query, Refusal> {
        let read = Query::read(self.call).map_err(|bad| match bad {
            BadForm::Escape => {
                Violation::new("query", "format", "The query has a '%' that does not stand for a character.")
            }
            BadForm::Twice => Violation::new("query", "single", "Give each parameter of the query once."),
        });
        Ok(read.map_err(DomainError::from)?)
    }

    /// The part of a list that a query asks for.
    fn window(&self, query: &Query) -> Result<Window, Refusal> {
        let read = Window::read(self.dialect(), |name| query.named(name));
        let wrong = |BadWindow(field, constraint, message)| Violation::new(field, constraint, message);
        Ok(read.map_err(|bad| DomainError::from(wrong(bad)))?)
    }

    /// The part of a list that is asked for, where nothing else can be asked.
    fn only_window(&self) -> Result<Window, Refusal> {
        let query = self.query()?;
        let window = self.window(&query)?;
        query.done();
        Ok(window)
    }

    /// Says where the thing that was made is: below the path that made it.
    fn created(&self, id: &str, mut response: Response<Bytes>) -> Response<Bytes> {
        let location = format!("{}/{id}", self.call.path.trim_end_matches('/'));
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    fn origin(&self) -> Origin {
        let agent = self.call.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Origin {
            address: Some(self.call.client),
            // Long enough for every browser; the log is no place for novels.
            user_agent: agent.map(|text| text.chars().take(300).collect()),
            request_id: Some(self.call.request_id.clone()),
        }
    }
}

fn json(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A file to be kept, as CSV or else as JSON; `disposition` has its name.
fn attachment(body: Bytes, csv: bool, disposition: &'static str) -> Response<Bytes> {
    let kind = if csv { "text/csv; charset=utf-8" } else { "application/json" };
    let mut response = empty(StatusCode::OK);
    *response.body_mut() = body;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

/// What is said here is for whoever asked, and only for now.
fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
