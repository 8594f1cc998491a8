//! Which answer a request to the sample backend gets.

use super::events::Events;
use super::{form, sample, socket};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

/// A whole body, or a stream of events.
pub(super) type Body = Either<Full<Bytes>, Events>;

/// The gateway has its own, smaller limit; this one only keeps a direct caller from filling the memory.
const BODY_LIMIT: usize = 64 << 20;

/// Answers one request.
pub(super) async fn to(request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/v1/openapi/socket" {
        let count = request.uri().query().and_then(|query| query.strip_prefix("count=")?.parse().ok());
        let need = || message(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: ask for an upgrade");
        return socket::open(request, count).unwrap_or_else(need);
    }
    let (head, body) = request.into_parts();
    if head.method == Method::POST {
        return match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => post(&head, &body.to_bytes()),
            Err(_) => message(StatusCode::BAD_REQUEST, "the body broke off or is too large"),
        };
    }
    if head.method != Method::GET && head.method != Method::HEAD {
        return message(StatusCode::METHOD_NOT_ALLOWED, "this sample service knows GET and POST");
    }
    get(&head)
}

fn get(head: &http::request::Parts) -> Response<Body> {
    let project = project(head);
    let path = head.uri.path();
    if let Some(id) = path.strip_prefix("/v1/openapi/processing-history/")
        && id != "stats"
    {
        return json(StatusCode::OK, &sample::document(&project, id));
    }
    if let Some(id) = path.strip_prefix("/v1/openapi/templates/") {
        return json(StatusCode::OK, &sample::template(&project, id));
    }
    match path {
        "/healthz" => json(StatusCode::OK, &json!({ "status": "ok" })),
        "/v1/openapi/templates" => json(StatusCode::OK, &sample::templates(&project)),
        "/v1/openapi/processing-history" => history(head, &project),
        "/v1/openapi/processing-history/stats" => json(StatusCode::OK, &sample::stats(&project)),
        "/v1/openapi/events" => events(head),
        "/v1/openapi/whoami" | "/api/whoami" => json(StatusCode::OK, &whoami(head)),
        "/api/servers" => json(StatusCode::OK, &sample::servers()),
        "/api/instances" => json(StatusCode::OK, &sample::instances()),
        _ => message(StatusCode::NOT_FOUND, "the sample service has nothing here"),
    }
}

fn post(head: &http::request::Parts, body: &Bytes) -> Response<Body> {
    match head.uri.path() {
        "/v1/openapi/templates" => with_json(body, StatusCode::CREATED, |sent| {
            let project = sent["projectId"].as_str().map_or_else(|| project(head), str::to_owned);
            sample::new_template(&project, sent)
        }),
        "/v1/openapi/upload" => uploaded(head, body, sample::upload),
        "/v1/openapi/batch/upload" => uploaded(head, body, sample::batch),
        "/api/servers" => with_json(body, StatusCode::CREATED, sample::new_server),
        "/api/instances" => {
            let mut answer = with_json(body, StatusCode::ACCEPTED, sample::new_instance);
            let detail = header::HeaderValue::from_static("/api/instances/inst-new");
            answer.headers_mut().insert(header::LOCATION, detail);
            answer
        }
        _ => message(StatusCode::NOT_FOUND, "the sample service has nothing here"),
    }
}

fn with_json(body: &Bytes, status: StatusCode, made: impl Fn(&Value) -> Value) -> Response<Body> {
    match serde_json::from_slice::<Value>(body) {
        Ok(sent) if sent.is_object() => json(status, &made(&sent)),
        _ => message(StatusCode::BAD_REQUEST, "the body must be a JSON object"),
    }
}

fn uploaded(
    head: &http::request::Parts,
    body: &Bytes,
    made: impl Fn(&str, &[form::Part<'_>]) -> Value,
) -> Response<Body> {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(parts) = form::boundary(kind).and_then(|boundary| form::parts(body, boundary)) else {
        return message(StatusCode::BAD_REQUEST, "the body must be multipart/form-data");
    };
    let named = parts.iter().find(|part| part.name == "projectId").map(|part| part.value);
    let project = named.map_or_else(|| project(head), |value| String::from_utf8_lossy(value).into_owned());
    json(StatusCode::CREATED, &made(&project, &parts))
}

fn history(head: &http::request::Parts, project: &str) -> Response<Body> {
    let number = |name, default| query(head, name).map_or(Ok(default), |text| text.parse::<u64>());
    match (number("page", 1), number("limit", 10)) {
        (Ok(page @ 1..), Ok(limit @ 1..)) => {
            json(StatusCode::OK, &sample::history(project, page, limit.min(100)))
        }
        _ => message(StatusCode::BAD_REQUEST, "page and limit must be whole numbers from 1 up"),
    }
}

fn events(head: &http::request::Parts) -> Response<Body> {
    let count = query(head, "count").and_then(|text| text.parse().ok());
    let mut answer = Response::new(Either::Right(Events::new(count)));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    answer
}

/// The header fields as they arrived, so that a person can see that the key is gone and the identity is there.
fn whoami(head: &http::request::Parts) -> Value {
    let fields = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    json!({ "method": head.method.as_str(), "target": head.uri.to_string(),
            "headers": Value::Object(fields.collect()) })
}

/// The project that the gateway established, else the one that the query names.
fn project(head: &http::request::Parts) -> String {
    let established = head.headers.get("x-gateway-project-id").and_then(|value| value.to_str().ok());
    established.or_else(|| query(head, "projectId")).filter(|id| !id.is_empty()).unwrap_or("any").to_owned()
}

/// A query parameter as written. The gateway has normalised the query, and no sample value needs decoding.
fn query<'a>(head: &'a http::request::Parts, name: &str) -> Option<&'a str> {
    let pairs = head.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    json(
        status,
        &json!({ "statusCode": status.as_u16(), "message": text, "error": status.canonical_reason() }),
    )
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut answer = Response::new(Either::Left(Full::from(value.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}
