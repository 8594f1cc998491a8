//! `portcullis token`: keys from a terminal, by the same rules as over HTTP.

use super::manage::{
    Ask, Backend, Body, Column, Common, Failure, Key, Organization, Printed, SHOWN_ONCE, escaped, operate,
};
use crate::token::KeyFamily;
use serde_json::Value;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Keys are of two kinds. ocriva keys (ocr_…) have permissions and scopes in words of your own, and always expire; \
ocore keys (ocore_k_…) have permissions of the kind view: and manage:, never more than who made them. With an \
id, a command finds out by itself which it is.

With --config, whoever may read the configuration file may do everything; what was done is in the audit log. \
Where gateways run on the store, a command that takes something away (update, regenerate, deactivate, \
delete) ends when every one is certain to act on it: some seconds when one of them is silent.

Examples:
  portcullis token create -c gw.yaml --name CI --permission read --scope documents
  portcullis token create -c gw.yaml --kind ocore --name deploy --permission manage:servers
  portcullis token list --server https://gateway.example.com:9443 --search ci --output json
  portcullis token regenerate -c gw.yaml 0199…";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("description", "/description"),
    ("organization", "/organizationId"),
    ("project", "/projectId"),
    ("permissions", "/permissions"),
    ("scopes", "/scopes"),
    ("active", "/isActive"),
    ("expires", "/expiresAt?never"),
    ("allowed from", "/ipWhitelist?anywhere"),
    ("uses", "/usageCount"),
    ("last used", "/lastUsedAt?never"),
    ("created", "/createdAt"),
    ("created by", "/createdBy?the operator"),
    ("updated", "/updatedAt"),
    ("begins with", "/tokenPrefix"),
];

const OCORE_FACTS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("permissions", "/permissions"),
    ("scope", "/scope"),
    ("active", "/isActive"),
    ("expires", "/expiresAt?never"),
    ("last used", "/lastUsedAt?never"),
    ("created", "/createdAt"),
    ("created by", "/createdBy?the operator"),
    ("begins with", "/prefix"),
];

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("TYPE", "/type"),
    ("PROJECT", "/projectId"),
    ("ACTIVE", "/isActive"),
    ("EXPIRES", "/expiresAt?never"),
    ("LAST USED", "/lastUsedAt?never"),
    ("USES", "/usageCount"),
];

const OCORE_COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("PERMISSIONS", "/permissions"),
    ("ACTIVE", "/isActive"),
    ("EXPIRES", "/expiresAt?never"),
    ("LAST USED", "/lastUsedAt?never"),
];

const USAGE_COLUMNS: &[Column] = &[
    ("FROM", "/start"),
    ("USES", "/uses"),
    ("ACCEPTED", "/accepted"),
    ("REFUSED", "/refused"),
    ("FOR", "/reasons"),
];

/// A kind of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// ocr_…, for the ocriva dialect
    Ocriva,
    /// ocore_k_…, for the ocore dialect
    Ocore,
}

/// Make, list, alter, regenerate and remove keys
#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) enum Command {
    /// Make a key; its value is shown once
    Create(Create),
    /// List the keys of an organization
    List(List),
    /// Show one key
    Show(One),
    /// Show how a key was used, hour by hour or day by day (UTC), and why it was refused
    Usage(Usage),
    /// Alter a key; its value stays
    Update(Update),
    /// Give an ocriva key a new value, shown once; the old one is dead
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
    /// Of which kind it is
    #[arg(long, value_enum, default_value_t = Kind::Ocriva)]
    kind: Kind,
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it is for; ocriva
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Bind it to one project; without, it reaches all of the organization's; ocriva
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Permission to grant; may be repeated
    #[arg(long = "permission", value_name = "TEXT", required = true)]
    permissions: Vec<String>,
    /// Scope to grant; may be repeated, at least one for ocriva, at most one for ocore
    #[arg(long = "scope", value_name = "TEXT", required_if_eq("kind", "ocriva"))]
    scopes: Vec<String>,
    /// When it expires, such as 2030-01-01T00:00:00Z; one year from now (ocriva) or never (ocore) where nothing is said
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// Address or range that it may be used from; may be repeated, without it is any; ocriva
    #[arg(long = "allow-from", value_name = "IP|CIDR")]
    addresses: Vec<String>,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct List {
    /// Of which kind they are; what follows is for ocriva
    #[arg(long, value_enum, default_value_t = Kind::Ocriva)]
    kind: Kind,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = ["organization", "project"])]
    reach: Option<String>,
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
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    /// The key's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct Usage {
    /// From the hour or day of this instant or date on; the last 24 hours where nothing is said
    #[arg(long, value_name = "INSTANT")]
    from: Option<String>,
    /// Until before this instant, or to the end of this date; now where nothing is said
    #[arg(long, value_name = "INSTANT")]
    to: Option<String>,
    /// A line for each hour or day; hours up to 8 days where nothing is said
    #[arg(long, value_name = "WHAT", value_parser = ["hour", "day"])]
    by: Option<String>,
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Update {
    /// What people call it
    #[arg(group = "change", long)]
    name: Option<String>,
    /// What it is for; an empty text takes it away
    #[arg(group = "change", long, value_name = "TEXT")]
    description: Option<String>,
    /// Permissions to have instead of the present ones; may be repeated
    #[arg(group = "change", long = "permission", value_name = "TEXT")]
    permissions: Vec<String>,
    /// Scopes to have instead of the present ones; may be repeated, one for ocore
    #[arg(group = "change", long = "scope", value_name = "TEXT")]
    scopes: Vec<String>,
    /// When it expires; an empty text for never (ocore)
    #[arg(group = "change", long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// Addresses and ranges to be used from instead of the present ones; may be repeated; ocriva
    #[arg(
        group = "change",
        long = "allow-from",
        value_name = "IP|CIDR",
        conflicts_with = "allow_from_anywhere"
    )]
    addresses: Vec<String>,
    /// Let it be used from any address; ocriva
    #[arg(group = "change", long)]
    allow_from_anywhere: bool,
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
pub(super) struct Regenerate {
    /// When it expires; where nothing is said, an expired key gets the life again that it had
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    #[command(flatten)]
    one: One,
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(asked) => create(asked),
        Command::List(asked) => list(asked),
        Command::Show(asked) => with_key(&asked, async |backend, key| {
            Ok(shown(key.family, backend.call(Ask::get(&key.path).of(&key.slug)).await?))
        }),
        Command::Usage(asked) => usage(asked),
        Command::Update(asked) => update(asked),
        Command::Regenerate(Regenerate { expires_at, one }) => with_key(&one, async |backend, key| {
            if key.family == KeyFamily::Ocore {
                let help = "make another with `token create --kind ocore`, then delete this one";
                return Err(Failure::new(format!("ocore keys get no new values: {help}")));
            }
            let body = Body::default().with("expiresAt", expires_at);
            let ask = Ask::post(format!("{}/regenerate", key.path)).json(body);
            Ok(made(key.family, backend.call(ask.of(&key.slug)).await?))
        }),
        Command::Deactivate(asked) => switch(&asked, false),
        Command::Activate(asked) => switch(&asked, true),
        Command::Delete(asked) => with_key(&asked, async |backend, key| {
            backend.call(Ask::delete(&key.path).of(&key.slug)).await?;
            Ok(Printed::deleted(&asked.id))
        }),
    }
}

/// Does something with the key that is named.
fn with_key<F>(asked: &One, work: F) -> ExitCode
where
    F: AsyncFnOnce(&mut Backend, Key) -> Result<Printed, Failure>,
{
    operate(&asked.common, async |backend| {
        let key = backend.key(asked.organization.named(), &asked.id).await?;
        work(backend, key).await
    })
}

fn create(asked: Create) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.organization.named()).await?;
        let body = Body::default()
            .with("name", Some(asked.name))
            .list("permissions", asked.permissions)
            .with("expiresAt", asked.expires_at);
        if asked.kind == Kind::Ocore {
            let extra = asked.description.is_some() || asked.project.is_some() || !asked.addresses.is_empty();
            let body = body.with("scope", only_scope(asked.scopes, extra)?);
            let ask = Ask::post("/api/api-keys").of(&home.slug).json(body);
            return Ok(made(KeyFamily::Ocore, backend.call(ask).await?));
        }
        let kind = if asked.project.is_some() { "project" } else { "organization" };
        let body = body
            .with("description", asked.description)
            .with("type", Some(kind))
            .with("projectId", asked.project)
            .list("scopes", asked.scopes)
            .list("ipWhitelist", asked.addresses);
        let path = format!("/api/v1/organizations/{}/api-tokens", escaped(&home.id));
        Ok(made(KeyFamily::Ocriva, backend.call(Ask::post(path).json(body)).await?))
    })
}

/// The one scope that an ocore key may have.
fn only_scope(mut scopes: Vec<String>, has_more: bool) -> Result<Option<String>, Failure> {
    if has_more || scopes.len() > 1 {
        let what = "an ocore key has a name, permissions, one scope and an expiry, and nothing else";
        return Err(Failure::usage(what));
    }
    Ok(scopes.pop())
}

fn list(asked: List) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.organization.named()).await?;
        if asked.kind == Kind::Ocore {
            let list = backend.everything(Ask::get("/api/api-keys").of(&home.slug)).await?;
            return Ok(Printed::list(list, OCORE_COLUMNS));
        }
        let active = (asked.active || asked.inactive).then(|| asked.active.to_string());
        let path = format!("/api/v1/organizations/{}/api-tokens", escaped(&home.id));
        let ask = Ask::get(path)
            .query("type", asked.reach)
            .query("isActive", active)
            .query("projectId", asked.project)
            .query("search", asked.search)
            .query("page", Some(asked.page.to_string()))
            .query("limit", Some(asked.limit.to_string()));
        let mut printed = Printed::list(backend.call(ask).await?, COLUMNS);
        let shown = printed.json["data"].as_array().map_or(0, Vec::len) as u64;
        let total = printed.json["pagination"]["total"].as_u64().unwrap_or(shown);
        if shown < total {
            printed.table.push_str(&format!("{shown} of {total}; more with --page\n"));
        }
        Ok(printed)
    })
}

fn usage(asked: Usage) -> ExitCode {
    let Usage { from, to, by, one } = asked;
    with_key(&one, async |backend, key| {
        let ask = Ask::get(format!("{}/usage", key.path));
        let ask = ask.query("from", from).query("to", to).query("interval", by);
        Ok(used(backend.call(ask.of(&key.slug)).await?))
    })
}

/// A history: what was, the sum below it, and since when it is kept.
fn used(history: Value) -> Printed {
    let with_reasons = |counts: &Value| {
        let mut counts = counts.clone();
        let refusals = counts["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
        let reason = |it: &Value| format!("{} {}", it["reason"].as_str().unwrap_or_default(), it["count"]);
        counts["reasons"] = refusals.iter().map(reason).collect::<Vec<_>>().into();
        counts
    };
    let mut total = with_reasons(&history["totals"]);
    total["start"] = "together".into();
    let parts = history["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    // An hour in which nothing was is no line: there are many.
    let lines = parts.iter().filter(|part| part["uses"] != 0 || part["refused"] != 0).map(with_reasons);
    let lines: Value = lines.chain([total]).collect();
    let table = Printed::list(serde_json::json!({ "data": lines }), USAGE_COLUMNS).table;
    let since = history["keptSince"].as_str();
    let note = since.map_or("The gateway keeps no history: store.history is none.".to_owned(), |since| {
        format!("Kept since {since}.")
    });
    Printed { table, json: history }.noted(&note)
}

fn update(asked: Update) -> ExitCode {
    let Update { name, description, permissions, scopes, expires_at, addresses, allow_from_anywhere, one } =
        asked;
    with_key(&one, async |backend, key| {
        let body = Body::default().with("name", name).list("permissions", permissions);
        let body = match key.family {
            KeyFamily::Ocore => {
                let extra = description.is_some() || allow_from_anywhere || !addresses.is_empty();
                body.with("scope", only_scope(scopes, extra)?).text_or_none("expiresAt", expires_at)
            }
            KeyFamily::Ocriva => {
                let body = body.text_or_none("description", description).list("scopes", scopes);
                let body = body.with("expiresAt", expires_at).list("ipWhitelist", addresses);
                body.with("ipWhitelist", allow_from_anywhere.then(|| Value::Array(Vec::new())))
            }
        };
        Ok(shown(key.family, backend.call(Ask::patch(&key.path).of(&key.slug).json(body)).await?))
    })
}

fn switch(asked: &One, active: bool) -> ExitCode {
    with_key(asked, async |backend, key| {
        let body = Body::default().with("isActive", Some(active));
        Ok(shown(key.family, backend.call(Ask::patch(&key.path).of(&key.slug).json(body)).await?))
    })
}

fn shown(family: KeyFamily, record: Value) -> Printed {
    match family {
        KeyFamily::Ocriva => Printed::record(record, FACTS),
        KeyFamily::Ocore => Printed::record(record, OCORE_FACTS),
    }
}

fn made(family: KeyFamily, record: Value) -> Printed {
    let (facts, value) = match family {
        KeyFamily::Ocriva => (FACTS, ("value", "/token")),
        KeyFamily::Ocore => (OCORE_FACTS, ("value", "/key")),
    };
    let facts: Vec<Column> = facts.iter().copied().chain([value]).collect();
    Printed::record(record, &facts).noted(SHOWN_ONCE)
}
