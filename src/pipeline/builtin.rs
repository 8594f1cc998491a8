//! The endpoints of the key side that the gateway answers itself, behind the same gates as everything else.

use super::authenticate::{self, Known};
use super::credential::Credential;
use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::route::{Builtin, Routed};
use super::{Peer, Snapshot, Stranger, Worker, limit, project_body};
use crate::config::Respond;
use crate::dialect::ocriva;
use crate::store::cache::Entry;
use crate::token::jwt::KeyFacts;
use crate::token::{KeyFamily, Reach, Secret, ShownKey};
use crate::wire::{Fields, Inbound};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::time::Duration;

/// Most bytes of a login's body.
const LOGIN_MOST: u64 = 16 * 1024;
/// Longest wait for a login's body: whoever sends it has shown nothing yet.
const LOGIN_WAIT: Duration = Duration::from_secs(10);
/// Longest life of a JWT made from a key, in seconds.
const LIFE_S: u64 = 3600;

const LOGIN_BODY: &str = "Send a JSON object with the key in it: {\"token\": \"ocr_…\"}.";

/// Answers an endpoint that needs a grant.
pub(super) fn answer(
    builtin: Builtin,
    snapshot: &Snapshot,
    known: &Known,
) -> Result<Response<Payload>, Reject> {
    match (builtin, known) {
        (Builtin::Jwks, _) => {
            let mut response = json(StatusCode::OK, snapshot.ring.load().jwks().to_owned());
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            Ok(response)
        }
        (Builtin::Projects, Known::Key(entry)) => Ok(json(StatusCode::OK, projects(entry))),
        // People's own endpoints are beside the edge; a login has its own way, below.
        (Builtin::Projects | Builtin::Login | Builtin::Control(_), _) => Err(Reject::UnusableCredential),
    }
}

/// A project key's own project, active or not; an organization key's active ones.
fn projects(entry: &Entry) -> String {
    let view = entry.organization();
    let organization = &view.organization;
    let own = |project: &&crate::store::Project| match &entry.record.terms.reach {
        Reach::Project(id) => project.id == *id,
        Reach::Organization => project.active,
    };
    ocriva::projects(organization, organization.projects.iter().filter(own))
}

/// `POST /v1/openapi/auth/login`: a key for a short-lived JWT. The key is in the body; header credentials are not
/// looked at. It goes through the gates of any request with that key.
///
/// # Errors
/// 400 for the body; what the gates refuse.
pub(super) async fn login(
    worker: &Worker,
    snapshot: &Snapshot,
    peer: &Peer,
    routed: &Routed<'_>,
    fields: &Fields,
    body: Inbound,
    trail: &mut Trail,
) -> Result<Response<Payload>, Reject> {
    login_head(fields)?;
    let presented = worker.deadlines.within(LOGIN_WAIT, presented(body)).await;
    let key = presented.map_err(|_| Reject::BodyBroke)??;
    let now = trail.at();
    let credential = Credential::Shown { key: Some(ShownKey::new(key.expose())), jwt: None };
    let stranger = Stranger::new(snapshot, routed, peer, fields, trail);
    let known = authenticate::identify(worker, snapshot, routed, credential, stranger, now).await?;
    let admitted = limit::gate(worker, snapshot, known, routed.api, now, trail).await?;
    let caller = authenticate::verify(admitted, routed, peer.client(fields), now, trail)?;
    trail.accepted();
    let Known::Key(entry) = caller.known() else { return Err(Reject::UnusableCredential) };
    let record = &entry.record;
    // A key that is in memory is good for a login also while the store does not answer: its name is only told.
    let name = worker.shared.tokens.name(&record.id).await.unwrap_or_default();
    let facts = KeyFacts {
        id: &record.id.text(),
        version: record.version(),
        organization: record.terms.organization.as_str(),
        project: record.terms.reach.project().map(|id| id.as_str()),
        expires_ms: record.expires_ms(),
    };
    let issued =
        snapshot.client_tokens.for_key(facts, now, LIFE_S).map_err(|e| Reject::Internal(Box::new(e)))?;
    let answer = ocriva::login(issued.token.expose(), issued.expires_in, record, &name);
    let mut response = json(StatusCode::OK, answer);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What a login's head has to be like, so that its body is read.
///
/// # Errors
/// 400, 413 or 415.
pub(super) fn login_head(fields: &Fields) -> Result<(), Reject> {
    project_body::bounded(fields, LOGIN_MOST)?;
    if project_body::is_json_type(fields)? { Ok(()) } else { Err(Reject::UnsupportedMediaType(LOGIN_BODY)) }
}

/// The key in a login's body.
async fn presented(body: Inbound) -> Result<Secret, Reject> {
    #[derive(serde::Deserialize)]
    struct Login {
        token: String,
    }
    let limited = http_body_util::Limited::new(body, LOGIN_MOST as usize);
    let body = limited.collect().await.map_err(|error| {
        let long = error.is::<http_body_util::LengthLimitError>();
        if long { Reject::BodyTooLarge } else { Reject::BodyBroke }
    })?;
    let login: Login = serde_json::from_slice(&body.to_bytes()).map_err(|_| Reject::BadBody(LOGIN_BODY))?;
    let token = zeroize::Zeroizing::new(login.token);
    let token = token.trim();
    if token.is_empty() {
        return Err(Reject::BadBody(LOGIN_BODY));
    }
    if KeyFamily::of(token) != Some(KeyFamily::Ocriva) {
        return Err(Reject::UnusableCredential);
    }
    Ok(Secret::from(token))
}

/// A route's fixed answer.
pub(super) fn respond(respond: &Respond) -> Response<Payload> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&respond.body).is_ok();
    let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    own(respond.status, HeaderValue::from_static(content_type), respond.body.as_bytes().to_vec().into())
}

fn json(status: StatusCode, body: String) -> Response<Payload> {
    own(status, HeaderValue::from_static("application/json"), body.into())
}

/// An answer of the gateway's own.
pub(super) fn own(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Payload> {
    let mut response = Response::new(Payload::Own(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
