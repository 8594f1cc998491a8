//! Where a command works: on a store, or on a running gateway. Each command is written once, in calls of the control API.

use super::ask::{Ask, escaped};
use super::failure::Failure;
use super::server::Server;
use super::store::Store;
use crate::control::domain::Place;
use crate::token::{KeyFamily, TokenId};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// Where a command works.
#[derive(Debug)]
pub(in crate::cli) enum Backend {
    Store(Store),
    Server(Server),
}

/// An organization that a command is about.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Home {
    pub(in crate::cli) id: String,
    pub(in crate::cli) slug: String,
}

/// A key that a command is about.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Key {
    pub(in crate::cli) family: KeyFamily,
    pub(in crate::cli) path: String,
    pub(in crate::cli) slug: String,
}

/// The path of a key. Those of both families are spelled by their own dialect.
fn path_of(family: KeyFamily, home: &Home, id: &str) -> String {
    match family {
        KeyFamily::Ocriva => {
            format!("/api/v1/organizations/{}/api-tokens/{}", escaped(&home.id), escaped(id))
        }
        KeyFamily::Ocore => format!("/api/api-keys/{}", escaped(id)),
    }
}

impl Backend {
    /// The store, for what is only done there.
    pub(in crate::cli) fn store(&mut self, otherwise: &str) -> Result<&Store, Failure> {
        match self {
            Self::Store(store) => Ok(store),
            Self::Server(_) => Err(Failure::usage(otherwise)),
        }
    }

    /// The answer's body as it is.
    pub(in crate::cli) async fn fetch(&mut self, ask: Ask) -> Result<Bytes, Failure> {
        match self {
            Self::Store(store) => store.call(ask).await,
            Self::Server(server) => server.call(ask).await,
        }
    }

    /// The answer; null where it has no body.
    pub(in crate::cli) async fn call(&mut self, ask: Ask) -> Result<Value, Failure> {
        let body = self.fetch(ask).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| Failure::not_json())
    }

    /// All of a list, however many parts it comes in, as if it were one.
    pub(in crate::cli) async fn everything(&mut self, ask: Ask) -> Result<Value, Failure> {
        let mut data = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let part = ask.clone().query("limit", Some("100")).query("cursor", cursor.as_ref());
            let mut page = self.call(part).await?;
            if let Some(items) = page.get_mut("data").and_then(Value::as_array_mut) {
                data.append(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                _ => return Ok(json!({ "data": data, "next_cursor": null, "has_more": false })),
            }
        }
    }

    /// The organization of this id or slug; where none is named, the only one that there is.
    pub(in crate::cli) async fn organization(&mut self, named: Option<&str>) -> Result<Home, Failure> {
        if let (Self::Store(store), Some(name)) = (&*self, named) {
            let by = store.by();
            let id = store.domain().organization_named(&by, name).await?;
            let record = store.domain().organization(&by, &id).await?;
            return Ok(Home { id: record.id.to_string(), slug: record.slug });
        }
        let list = self.everything(Ask::get("/api/user/orgs")).await?;
        let all = list["data"].as_array().into_iter().flatten().filter_map(home).collect::<Vec<_>>();
        match (named, all.as_slice()) {
            (Some(name), all) => {
                let found = all.iter().find(|it| it.id == name).or(all.iter().find(|it| it.slug == name));
                found.cloned().ok_or_else(|| {
                    Failure::new(format!(
                        "you belong to no organization {name}; `portcullis org list` has yours"
                    ))
                })
            }
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(Failure::new(
                "there is no organization yet: `portcullis org create --name NAME` makes one",
            )),
            (None, several) => {
                let slugs: Vec<&str> = several.iter().take(5).map(|it| it.slug.as_str()).collect();
                let more = if several.len() > slugs.len() { ", …" } else { "" };
                let slugs = slugs.join(", ");
                Err(Failure::new(format!("name the organization with --organization: {slugs}{more}")))
            }
        }
    }

    /// The key with this id, of whichever family. A store knows its organization by itself.
    pub(in crate::cli) async fn key(&mut self, named: Option<&str>, id: &str) -> Result<Key, Failure> {
        if let Self::Store(store) = self {
            let anywhere = Place { organization: None, family: None };
            let token = store.domain().token(&store.by(), &anywhere, &TokenId::from(id)).await?;
            let home = self.organization(Some(token.organization.as_str())).await?;
            let path = path_of(token.family, &home, id);
            return Ok(Key { family: token.family, path, slug: home.slug });
        }
        let home = self.organization(named).await?;
        for family in [KeyFamily::Ocriva, KeyFamily::Ocore] {
            let path = path_of(family, &home, id);
            match self.call(Ask::get(&path).of(&home.slug)).await {
                Ok(_) => return Ok(Key { family, path, slug: home.slug }),
                Err(failure) if failure.is_not_found() => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new(format!("there is no such key in the organization {}", home.slug)))
    }

    /// Waits until an operation has ended; gives its record.
    pub(in crate::cli) async fn finished(&mut self, id: &str) -> Result<Value, Failure> {
        loop {
            let record = self.call(Ask::get(format!("/api/operations/{}", escaped(id)))).await?;
            if !record["finishedAt"].is_null() {
                return match record["error"].as_str() {
                    Some(why) => Err(Failure::new(format!("the operation has failed: {why}"))),
                    None => Ok(record),
                };
            }
            match self {
                Self::Store(store) => store.progress().await?,
                Self::Server(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }
}

fn home(record: &Value) -> Option<Home> {
    let text = |name: &str| record[name].as_str().map(str::to_owned);
    Some(Home { id: text("id")?, slug: text("slug")? })
}
