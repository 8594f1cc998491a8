//! What the stages would decide about a request, one by one, and why: the way of a request again, through the same
//! gates. What takes from a bucket, counts a use or sends is left out.

mod caller;
mod choice;
mod outbound;
mod place;
mod report;
mod say;
mod scope;

pub use report::{Answer, Asked, Ending, Explanation, Facts, Forwarded, Outcome, Stage, Step};

use super::authorize::Grant;
use super::credential::Credential;
use super::observe::{Payload, Trail};
use super::reject::Reject;
use super::route::{Builtin, Routed, RoutedApi, Serve};
use super::{
    Peer, Snapshot, Stranger, Worker, authenticate, authorize, builtin, cors, credential, finish,
    is_preflight, limit, project_body, redirect, refusal, swap,
};
use crate::clock::Moment;
use crate::wire::{self, Fields, Request};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, Response};
use http_body_util::BodyExt;
use report::Way;
use std::rc::Rc;

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// The other end of the connection.
    pub peer: Peer,
    /// The head of the request; its target in origin form.
    pub request: Request,
    /// How the peer and its listener are called.
    pub asked: Asked,
    /// Whether the worker's store is the configured one, or an empty one in its place.
    pub store_exists: bool,
    /// When.
    pub now: Moment,
}

/// What stays the same all the way.
struct Scene<'a> {
    worker: &'a Worker,
    snapshot: &'a Snapshot,
    peer: &'a Peer,
    routed: &'a Routed<'a>,
    store_exists: bool,
    now: Moment,
}

/// How the way ends, when no stage refuses.
enum End {
    Forwarded(Forwarded),
    Answered(Response<Payload>, Shown),
    Undecided,
}

/// Whether the body of an answer is the one that a running gateway would give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Whole,
    HeadOnly,
}

/// Asks every stage. Nothing is taken, counted, written or sent.
pub async fn explain(worker: &Rc<Worker>, question: Question) -> Explanation {
    let Question { peer, request, asked, store_exists, now } = question;
    let snapshot = worker.snapshot();
    let found = snapshot.router.find(&request);
    let mut trail = Trail::begin(worker, &snapshot, &peer, &request, &found, now);
    let secrets = secrets(&request.fields);
    let mut way = Way::new();
    let dialect = found.api.config.dialect;
    let (judged, preflighted) = (cors::judged(found.api, &request.fields), is_preflight(&request));
    let ended = match head(&mut way, &peer, &request) {
        Err(reject) => Err(reject),
        Ok(()) => {
            let route = place::route(&mut way, &snapshot.router, &request, &found);
            match found.routed {
                Ok(_) if found.api.config.redirect_to_https && !peer.tls => {
                    to_https(&mut way, route, &request)
                }
                routed if is_preflight(&request) => preflight(&mut way, found.api, &request.fields, routed),
                Ok(routed) => {
                    way.allow(route);
                    let scene = Scene {
                        worker,
                        snapshot: &snapshot,
                        peer: &peer,
                        routed: &routed,
                        store_exists,
                        now,
                    };
                    walk(&scene, &mut way, request, &mut trail).await
                }
                Err(reject) => Err(reject),
            }
        }
    };
    trail.forget();
    let marked = |mut response: Response<Payload>| {
        finish(found.api, found.route, judged.as_ref(), preflighted, response.headers_mut());
        response
    };
    let (ending, forwarded, answer) = match ended {
        Ok(End::Forwarded(forwarded)) => (Ending::Forwarded, Some(forwarded), None),
        Ok(End::Answered(response, shown)) => {
            (Ending::Answered, None, Some(answer_of(marked(response), shown).await))
        }
        Ok(End::Undecided) => (Ending::Undecided, None, None),
        Err(reject) => {
            way.refuse(say::reason(&reject));
            let answer = marked(refusal::answer(dialect, &reject));
            (Ending::Refused, None, Some(answer_of(answer, Shown::Whole).await))
        }
    };
    conclude(asked, way, ending, forwarded, answer).redacted(&secrets)
}

fn conclude(
    request: Asked,
    way: Way,
    result: Ending,
    forwarded: Option<Forwarded>,
    answer: Option<Answer>,
) -> Explanation {
    Explanation { request, result, steps: way.into_steps(), forwarded, answer }
}

fn head(way: &mut Way, peer: &Peer, request: &Request) -> Result<(), Reject> {
    way.enter(Stage::Head);
    place::client(way, peer.client(&request.fields), peer);
    peer.head_fits(request)?;
    way.allow("the head is within the listener's bounds");
    way.enter(Stage::Route);
    Ok(())
}

fn to_https(way: &mut Way, route: String, request: &Request) -> Result<End, Reject> {
    way.allow(route);
    way.enter(Stage::Forward);
    let response = redirect::to_https(&request.target, &request.fields).ok_or(Reject::NoRoute)?;
    way.allow("the API sends clients that come without TLS to the same place with it");
    Ok(End::Answered(response, Shown::Whole))
}

fn preflight(
    way: &mut Way,
    api: &RoutedApi,
    fields: &Fields,
    routed: Result<Routed<'_>, Reject>,
) -> Result<End, Reject> {
    let response = refusal::preflight(api, fields, routed)?;
    way.allow("a CORS preflight asks what the path has");
    way.enter(Stage::Forward);
    way.allow("a preflight is answered here: it carries no credential and is not forwarded");
    Ok(End::Answered(response, Shown::Whole))
}

/// The stages, in the order of [`super::walk`].
async fn walk(
    scene: &Scene<'_>,
    way: &mut Way,
    mut request: Request,
    trail: &mut Trail,
) -> Result<End, Reject> {
    let Scene { worker, snapshot, peer, routed, now, .. } = *scene;
    let client = peer.client(&request.fields);
    match routed.route.service {
        Serve::Builtin(Builtin::Login) => return login(way, &request.fields),
        Serve::Builtin(which @ Builtin::Control(_)) => {
            way.enter(Stage::Forward);
            way.inform(say::builtin(which));
            return Ok(End::Undecided);
        }
        _ => {}
    }
    way.enter(Stage::Credential);
    caller::credential(way, routed, &request.fields);
    let credential = credential::extract(routed, &request.fields)?;
    way.allow(caller::shown(&credential));
    way.enter(Stage::Identify);
    if !scene.store_exists && matches!(credential, Credential::Shown { .. }) {
        way.inform(
            "no store yet: the key cannot be looked up. `portcullis import` or `serve` makes the store",
        );
        return Ok(End::Undecided);
    }
    caller::lookup(way, &credential, snapshot.strangers.as_deref());
    let stranger = Stranger::new(snapshot, routed, peer, &request.fields, trail);
    let known = authenticate::identify(worker, snapshot, routed, credential, stranger, now).await?;
    let name = match &known {
        authenticate::Known::Key(entry) => {
            worker.shared.tokens.name(&entry.record.id).await.map_err(Reject::Store)?
        }
        authenticate::Known::Anonymous | authenticate::Known::User(_) => Box::default(),
    };
    caller::known(way, &known, &name);
    way.enter(Stage::Limit);
    let (verdict, admitted) = limit::foresee(known.clone(), routed.api, now);
    caller::limit(way, routed, verdict.as_ref());
    let admitted = admitted?;
    way.allow(caller::bucket(routed, &known));
    way.enter(Stage::Verify);
    caller::validity(way, routed, &known, client, now);
    let caller = authenticate::examine(admitted, routed, client, now)?;
    way.allow(caller::valid(&known));
    let grant = scope(scene, way, caller, &request, trail)?;
    let grant = body(way, routed, grant, &request, trail)?;
    answer(scene, way, &grant, &mut request, trail)
}

/// A login's key is in its body, which is not there.
fn login(way: &mut Way, fields: &Fields) -> Result<End, Reject> {
    way.enter(Stage::Body);
    builtin::login_head(fields)?;
    way.inform(
        "the login takes its key from the JSON body, as {\"token\": …}, not from header fields. Explain sees no body: \
         the key's limit and validity would be checked as with any request",
    );
    way.enter(Stage::Forward);
    way.inform(
        "the gateway answers itself: 200 with a JWT for a good key, else what the checks refuse it with",
    );
    Ok(End::Undecided)
}

/// Says what a stage decides by, and why it lets the request on.
type Saying<'a> = &'a dyn Fn(&mut Way) -> String;

/// Organization, project in the query, permissions and scopes: one gate, told in three steps.
fn scope(
    scene: &Scene<'_>,
    way: &mut Way,
    caller: authenticate::Caller,
    request: &Request,
    trail: &mut Trail,
) -> Result<Grant, Reject> {
    let (routed, query) = (scene.routed, request.target.query());
    let known = caller.known().clone();
    let membership = authorize::organization(&caller, routed, request).ok().flatten();
    let place = membership.as_ref();
    let checked = authorize::check(caller, routed, request, trail);
    let refused_at = checked.as_ref().err().map(stage_of);
    let grant = checked.as_ref().ok();
    let stages: [(Stage, Saying<'_>); 3] = [
        (Stage::Organization, &|way| scope::organization(way, routed, &known, place, request)),
        (Stage::Project, &|way| scope::project(way, routed, &known, grant, query)),
        (Stage::Require, &|way| scope::requirements(way, routed, &known, place)),
    ];
    for (stage, say) in stages {
        way.enter(stage);
        let allowed = say(way);
        if refused_at == Some(stage) {
            break;
        }
        way.allow(allowed);
    }
    checked
}

/// The step that a refusal of [`authorize::check`] belongs to.
fn stage_of(reject: &Reject) -> Stage {
    match reject {
        Reject::ForeignOrganization | Reject::ForeignSlug | Reject::SlugRequired => Stage::Organization,
        Reject::Permission | Reject::Scope => Stage::Require,
        _ => Stage::Project,
    }
}

/// What can be said of a body that is not there.
fn body(
    way: &mut Way,
    routed: &Routed<'_>,
    grant: Grant,
    request: &Request,
    trail: &mut Trail,
) -> Result<Grant, Reject> {
    way.enter(Stage::Body);
    let fields = &request.fields;
    match (project_body::says_json(routed, request, false), fields.get(&CONTENT_LENGTH)) {
        (Err(reject), Some(length)) if length != b"0" => return Err(reject),
        (Err(reject), None) => way
            .fact("if there is one", format!("it is refused with {}: {}", reject.status(), reject.message())),
        _ => {}
    }
    let limit = routed.route.body_limit;
    way.fact("limit", scope::size(limit));
    project_body::bounded(fields, limit)?;
    if !grant.needs_body(routed) {
        let passed_on = matches!(routed.route.service, Serve::Upstream(..) | Serve::Split(_));
        way.allow(if passed_on { "the body is passed on as it comes" } else { "the body is not read" });
        way.enter(Stage::ProjectRule);
        let grant = grant.with_body(routed, None, trail)?;
        way.allow(scope::rule(routed, grant.known()));
        return Ok(grant);
    }
    let reading = project_body::reading(routed, fields)?;
    way.inform(scope::unseen(&reading));
    way.enter(Stage::ProjectRule);
    match grant.required(routed) {
        Ok(()) => way.allow(scope::rule(routed, grant.known())),
        Err(reject) => way.inform(format!(
            "the body has to name the project; without it the answer is {} \"{}\"{}",
            reject.status().as_u16(),
            reject.fault().message,
            scope::observed(routed)
        )),
    }
    Ok(grant)
}

/// Who answers, and what an upstream gets.
fn answer(
    scene: &Scene<'_>,
    way: &mut Way,
    grant: &Grant,
    request: &mut Request,
    trail: &mut Trail,
) -> Result<End, Reject> {
    let Scene { worker, snapshot, peer, routed, .. } = *scene;
    let (to, why) = match &routed.route.service {
        Serve::Upstream(service) => (service, format!("the upstream {} gets it", service.name)),
        Serve::Split(split) => {
            let (part, why) = choice::of(split, grant.known());
            (&part.service, why)
        }
        _ => return here(scene, way, grant, request),
    };
    way.enter(Stage::Swap);
    let client = request.fields.clone();
    let outbound = swap::credentials(worker, peer, routed, grant, to, request, trail)?;
    way.allow(say::swapped(routed, grant.known()));
    way.enter(Stage::Forward);
    choice::facts(way, routed, outbound.head());
    let forwarded = outbound::describe(snapshot, to, outbound, &client);
    way.allow(why);
    Ok(End::Forwarded(forwarded))
}

/// The answer of a route that no upstream serves.
fn here(scene: &Scene<'_>, way: &mut Way, grant: &Grant, request: &Request) -> Result<End, Reject> {
    let Scene { snapshot, routed, .. } = *scene;
    match &routed.route.service {
        Serve::Redirect(to) => {
            way.enter(Stage::Forward);
            way.allow("the route sends clients elsewhere");
            Ok(End::Answered(redirect::answer(to, routed, &request.target, &request.fields), Shown::Whole))
        }
        Serve::Respond(respond) => {
            way.enter(Stage::Forward);
            way.allow("the route has a fixed answer");
            Ok(End::Answered(builtin::respond(respond), Shown::Whole))
        }
        Serve::Builtin(which) => {
            way.enter(Stage::Forward);
            let response = builtin::answer(*which, snapshot, grant.known())?;
            way.allow(say::builtin(*which));
            Ok(End::Answered(response, Shown::HeadOnly))
        }
        Serve::Nobody | Serve::Upstream(..) | Serve::Split(_) => Err(Reject::NoRoute),
    }
}

async fn answer_of(response: Response<Payload>, shown: Shown) -> Answer {
    let (parts, payload) = response.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value).into())).collect();
    let body = match payload {
        Payload::Own(full) if shown == Shown::Whole => full.collect().await.ok(),
        _ => None,
    };
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    Answer { status: parts.status.as_u16(), headers, body }
}

/// What of the request must not be shown, whatever it looks like.
fn secrets(fields: &Fields) -> Vec<String> {
    let names = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")];
    let values = names.iter().flat_map(|name| fields.get_all(name));
    let words = values.filter_map(wire::text).flat_map(|text| text.split([' ', '\t', ';', '=', ',']));
    // Shorter ones are no secrets, and would punch holes into every other word.
    let mut secrets: Vec<String> = words.filter(|word| word.len() >= 8).map(str::to_owned).collect();
    secrets.retain(|word| word != "access_token");
    secrets
}
