//! `portcullis token`: keys from a terminal, by the same rules as over HTTP.

mod print;

use super::manage::{Common, Printed, operate, parsed};
use crate::control::domain::{ListQuery, NewToken, Place, Regeneration, TokenPatch};
use crate::dialect::ocriva;
use crate::token::{KeyFamily, TokenId};
use print::{made, rows, shown};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Works on the configured store itself: whoever may read the configuration file may do everything. What was \
done is in the audit log. Where a gateway runs on the store, a command that takes something away (update, \
regenerate, deactivate, delete) ends when the gateway is certain to act on it, which takes `store.max_staleness`.";

/// What to do with keys.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) enum Command {
    /// Make a key; its value is shown once
    Create(Create),
    /// List the keys of an organization
    List(List),
    /// Show one key
    Show(One),
    /// Alter a key; its value stays
    Update(Update),
    /// Give a key a new value, shown once; the old one is dead
    Regenerate(Regenerate),
    /// Switch a key off
    Deactivate(One),
    /// Switch a key on again
    Activate(One),
    /// Remove a key for good
    Delete(One),
}

#[derive(clap::Args, Debug)]
pub(super) struct Create {
    #[command(flatten)]
    common: Common,
    /// Organization, by its id or slug
    #[arg(long, value_name = "ID|SLUG")]
    organization: String,
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Bind it to one project; without, it reaches all of the organization's
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Permission to grant; may be repeated
    #[arg(long = "permission", value_name = "TEXT", required = true)]
    permissions: Vec<String>,
    /// Scope to grant; may be repeated
    #[arg(long = "scope", value_name = "TEXT", required = true)]
    scopes: Vec<String>,
    /// When it expires, such as 2030-01-01T00:00:00Z; one year from now where nothing is said
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// Address or range that it may be used from; may be repeated, without it is any
    #[arg(long = "allow-from", value_name = "IP|CIDR")]
    addresses: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    common: Common,
    /// Organization, by its id or slug
    #[arg(long, value_name = "ID|SLUG")]
    organization: String,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = ["organization", "project"])]
    kind: Option<String>,
    /// Only those that are switched on
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// Only those that are switched off
    #[arg(long)]
    inactive: bool,
    /// Only those that are bound to this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only those with this text in their name or description
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Which page, counted from 1
    #[arg(long, default_value_t = 1)]
    page: u64,
    /// Keys on a page, at most 100
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    #[command(flatten)]
    common: Common,
    /// The key's id
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(clap::Args, Debug)]
pub(super) struct Update {
    #[command(flatten)]
    one: One,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// What it is for; an empty text takes it away
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Permissions to have instead of the present ones; may be repeated
    #[arg(long = "permission", value_name = "TEXT")]
    permissions: Vec<String>,
    /// Scopes to have instead of the present ones; may be repeated
    #[arg(long = "scope", value_name = "TEXT")]
    scopes: Vec<String>,
    /// When it expires
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// Addresses and ranges to be used from instead of the present ones; may be repeated
    #[arg(long = "allow-from", value_name = "IP|CIDR", conflicts_with = "allow_from_anywhere")]
    addresses: Vec<String>,
    /// Let it be used from any address
    #[arg(long)]
    allow_from_anywhere: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct Regenerate {
    #[command(flatten)]
    one: One,
    /// When it expires; where nothing is said, an expired key gets the life again that it had
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
}

/// Wherever it is, of whichever family: ids are unique.
const ANYWHERE: Place = Place { organization: None, family: None };

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(create) => self::create(create),
        Command::List(list) => self::list(list),
        Command::Show(One { common, id }) => operate(&common, async |domain, by| {
            Ok(shown(&domain.token(by, &ANYWHERE, &TokenId::from(id)).await?, None))
        }),
        Command::Update(update) => {
            let (patch, One { common, id }) = (patch(&update), update.one);
            patched(&common, id, patch)
        }
        Command::Regenerate(Regenerate { one: One { common, id }, expires_at }) => {
            operate(&common, async |domain, by| {
                let how = Regeneration { expires_at };
                Ok(made(&domain.regenerate_token(by, &ANYWHERE, &TokenId::from(id), how).await?))
            })
        }
        Command::Deactivate(One { common, id }) => patched(&common, id, switched(false)),
        Command::Activate(One { common, id }) => patched(&common, id, switched(true)),
        Command::Delete(One { common, id }) => operate(&common, async |domain, by| {
            domain.delete_token(by, &ANYWHERE, &TokenId::from(id.as_str())).await?;
            Ok(Printed {
                table: format!("deleted {id}\n"),
                json: serde_json::json!({ "id": id, "deleted": true }),
            })
        }),
    }
}

fn create(create: Create) -> ExitCode {
    operate(&create.common, async |domain, by| {
        let organization = domain.organization_named(by, &create.organization).await?;
        let kind = if create.project.is_some() { "project" } else { "organization" };
        let wanted = NewToken {
            name: create.name,
            description: create.description,
            kind: Some(kind.to_owned()),
            project: create.project,
            bound_to: None,
            permissions: create.permissions,
            scopes: create.scopes,
            expires_at: create.expires_at,
            addresses: create.addresses,
        };
        Ok(made(&domain.create_token(by, &organization, KeyFamily::Ocriva, wanted).await?))
    })
}

fn list(list: List) -> ExitCode {
    operate(&list.common, async |domain, by| {
        let organization = domain.organization_named(by, &list.organization).await?;
        let query = ListQuery {
            kind: list.kind,
            active: (list.active || list.inactive).then_some(list.active),
            project: list.project.map(Into::into),
            search: list.search,
            page: list.page,
            limit: list.limit,
        };
        let found = domain.list_tokens(by, &organization, &ANYWHERE, query).await?;
        let json = parsed(&ocriva::tokens(&found.tokens, found.page, found.limit, found.total));
        Ok(Printed { table: rows(&found), json })
    })
}

fn patched(common: &Common, id: String, patch: TokenPatch) -> ExitCode {
    operate(common, async |domain, by| {
        Ok(shown(&domain.update_token(by, &ANYWHERE, &TokenId::from(id), patch).await?, None))
    })
}

fn switched(active: bool) -> TokenPatch {
    TokenPatch { active: Some(active), ..TokenPatch::default() }
}

fn patch(update: &Update) -> TokenPatch {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let description = update.description.clone();
    TokenPatch {
        name: update.name.clone(),
        description: description.map(|text| Some(text).filter(|text| !text.is_empty())),
        permissions: list(&update.permissions),
        scopes: list(&update.scopes),
        expires_at: update.expires_at.clone(),
        active: None,
        addresses: if update.allow_from_anywhere { Some(Vec::new()) } else { list(&update.addresses) },
    }
}
