//! A running gateway: the control API of its admin listener, called by a person with a session.

mod http;
mod open;
mod sessions;

use super::ask::Ask;
use super::failure::Failure;
use crate::clock::Clock;
use crate::token::Secret;
use ::http::{Method, StatusCode};
use bytes::Bytes;
use http::{Answer, Message, Peer};
pub(in crate::cli) use open::Open;
use serde_json::{Value, json};
use sessions::{Session, Sessions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// An access token that is over within this time is traded before it is used.
const MARGIN_MS: u64 = 10_000;

/// Where the code of a second factor comes from, if one is asked for.
pub(in crate::cli) type Code<'a> = &'a mut dyn FnMut() -> Result<Secret, Failure>;

/// A server with a session.
#[derive(Debug)]
pub(in crate::cli) struct Server {
    peer: Peer,
    kept: Kept,
}

/// Where the session is.
#[derive(Debug)]
enum Kept {
    /// In the file of `portcullis login`.
    InFile(Sessions, Session),
    /// With this command, which logs in and out.
    Here(Option<Session>),
}

/// What somebody logs in with.
#[derive(Debug)]
pub(in crate::cli) struct LogIn<'a> {
    pub(in crate::cli) url: &'a str,
    pub(in crate::cli) ca: Option<&'a Path>,
    pub(in crate::cli) email: String,
    pub(in crate::cli) password: Secret,
}

/// Logs in and keeps the session; gives the server's URL.
pub(in crate::cli) async fn log_in(wanted: LogIn<'_>, code: Code<'_>) -> Result<String, Failure> {
    let peer = Peer::new(wanted.url, wanted.ca)?;
    warn_of_listeners(&peer);
    let sessions = Sessions::of_user()?;
    let mut session = begin(&peer, wanted.email, &wanted.password, code).await?;
    session.ca = wanted.ca.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    let turn = sessions.turn()?;
    if let Some(old) = sessions.at(&peer.url)? {
        // One that is over already needs no ending.
        let _ = end(&peer, &old).await;
    }
    sessions.put(&turn, &peer.url, Some(session))?;
    Ok(peer.url)
}

/// Ends the session and forgets it; whether there was one.
pub(in crate::cli) async fn log_out(url: &str) -> Result<bool, Failure> {
    let sessions = Sessions::of_user()?;
    let turn = sessions.turn()?;
    let name = Peer::new(url, None)?.url;
    let Some(session) = sessions.at(&name)? else { return Ok(false) };
    let peer = Peer::new(url, session.ca.as_deref())?;
    // Forgotten here in any case; a server that can not be reached is told of.
    let ended = end(&peer, &session).await;
    sessions.put(&turn, &name, None)?;
    ended.map(|()| true)
}

fn warn_of_listeners(peer: &Peer) {
    if peer.is_open_to_listeners() {
        // Nobody to tell is no reason not to go on.
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: {} is not encrypted: passwords and tokens can be read on the way; use https://",
            peer.url
        );
    }
}

async fn end(peer: &Peer, session: &Session) -> Result<(), Failure> {
    let body = json!({ "refreshToken": session.refresh_token });
    post(peer, "/api/auth/logout", &body).await?.good().map(drop)
}

async fn post(peer: &Peer, path: &str, body: &Value) -> Result<Answer, Failure> {
    let body = Some(body.to_string());
    let target = path.to_owned();
    peer.send(Message { method: Method::POST, target, slug: None, bearer: None, body }).await
}

async fn begin(peer: &Peer, email: String, password: &Secret, code: Code<'_>) -> Result<Session, Failure> {
    let body = json!({ "email": email, "password": password.expose() });
    let mut answer = parsed(&post(peer, "/api/auth/login", &body).await?.good()?)?;
    if let Some(partial) = answer["partialToken"].as_str() {
        let body = json!({ "partialToken": partial, "code": code()?.expose().trim() });
        answer = parsed(&post(peer, "/api/auth/login/2fa", &body).await?.good()?)?;
    }
    session(email, &answer)
}

fn parsed(body: &Bytes) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::not_json())
}

/// The session that a login or a refresh has answered with.
fn session(email: String, answer: &Value) -> Result<Session, Failure> {
    let text = |name: &str| {
        let text = answer[name].as_str().map(str::to_owned);
        text.ok_or_else(|| Failure::new("the answer has no session in it: is this an admin listener?"))
    };
    let life_ms = answer["expiresIn"].as_u64().unwrap_or_default().saturating_mul(1000);
    Ok(Session {
        email,
        access_token: text("accessToken")?,
        refresh_token: text("refreshToken")?,
        expires_ms: Clock::new().now().unix_ms.saturating_add(life_ms),
        ca: None,
    })
}

impl Server {
    /// A server, with the session that there is, or with one that is begun with the first call.
    pub(super) fn open(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let name = Peer::new(url, None)?.url;
        let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        if given("PORTCULLIS_EMAIL").is_some() && given("PORTCULLIS_PASSWORD").is_some() {
            let peer = Peer::new(url, ca)?;
            warn_of_listeners(&peer);
            return Ok(Self { peer, kept: Kept::Here(None) });
        }
        let sessions = Sessions::of_user()?;
        let session = sessions.at(&name)?.ok_or_else(|| not_logged_in(&name))?;
        let ca: Option<PathBuf> = ca.map(Path::to_owned).or_else(|| session.ca.clone());
        let peer = Peer::new(url, ca.as_deref())?;
        warn_of_listeners(&peer);
        Ok(Self { peer, kept: Kept::InFile(sessions, session) })
    }

    /// Calls, with a session that is alive if that can be had.
    pub(super) async fn call(&mut self, ask: Ask) -> Result<Bytes, Failure> {
        let token = self.token(None).await?;
        let answer = self.send(&ask, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return answer.good();
        }
        // Its life may be over although the clock here says otherwise.
        let token = self.token(Some(&token)).await?;
        self.send(&ask, &token).await?.good()
    }

    async fn send(&self, ask: &Ask, token: &str) -> Result<Answer, Failure> {
        let target =
            if ask.query.is_empty() { ask.path.clone() } else { format!("{}?{}", ask.path, ask.query) };
        let body = ask.body.as_ref().map(Value::to_string);
        let slug = ask.slug.as_deref();
        self.peer.send(Message { method: ask.method.clone(), target, slug, bearer: Some(token), body }).await
    }

    /// An access token that is not over, and not `refused`.
    async fn token(&mut self, refused: Option<&str>) -> Result<String, Failure> {
        let now_ms = Clock::new().now().unix_ms;
        let good = |session: &Session| {
            now_ms.saturating_add(MARGIN_MS) < session.expires_ms
                && refused != Some(session.access_token.as_str())
        };
        let peer = &self.peer;
        match &mut self.kept {
            Kept::Here(Some(session)) if refused.is_none() => Ok(session.access_token.clone()),
            Kept::Here(kept) => {
                let given = |name: &str| std::env::var(name).unwrap_or_default();
                let password = Secret::new(given("PORTCULLIS_PASSWORD"));
                let mut code = || match given("PORTCULLIS_CODE") {
                    code if code.is_empty() => Err(Failure::new(
                        "this login takes a second factor: set PORTCULLIS_CODE, or use `portcullis login`",
                    )),
                    code => Ok(Secret::new(code)),
                };
                let session = begin(peer, given("PORTCULLIS_EMAIL"), &password, &mut code).await?;
                let token = session.access_token.clone();
                *kept = Some(session);
                Ok(token)
            }
            Kept::InFile(_, session) if good(session) => Ok(session.access_token.clone()),
            Kept::InFile(sessions, session) => {
                let turn = sessions.turn()?;
                // Another command may have traded it meanwhile.
                let present = sessions.at(&peer.url)?.ok_or_else(|| not_logged_in(&peer.url))?;
                *session = if good(&present) {
                    present
                } else {
                    let next = match refreshed(peer, &present).await {
                        Err(failure) if failure.is_unauthorized() => {
                            sessions.put(&turn, &peer.url, None)?;
                            return Err(Failure::new(format!(
                                "the session at {0} is over: portcullis login --server {0} --email {1}",
                                peer.url, present.email
                            )));
                        }
                        outcome => outcome?,
                    };
                    sessions.put(&turn, &peer.url, Some(next.clone()))?;
                    next
                };
                Ok(session.access_token.clone())
            }
        }
    }

    /// Ends a session that was begun for this command alone.
    pub(super) async fn close(&mut self) {
        if let Kept::Here(Some(session)) = &self.kept {
            // It is over within the hour in any case.
            let _ = end(&self.peer, session).await;
        }
    }
}

fn not_logged_in(url: &str) -> Failure {
    Failure::new(format!("nobody is logged in at {url}: portcullis login --server {url} --email EMAIL"))
}

async fn refreshed(peer: &Peer, old: &Session) -> Result<Session, Failure> {
    let body = json!({ "refreshToken": old.refresh_token });
    let answer = parsed(&post(peer, "/api/auth/refresh", &body).await?.good()?)?;
    Ok(Session { ca: old.ca.clone(), ..session(old.email.clone(), &answer)? })
}
