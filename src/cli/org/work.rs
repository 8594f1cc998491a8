//! What is done to a whole organization and takes longer than a call; and its audit log.

use super::super::manage::{
    Ask, Backend, Body, Column, Common, Failure, Organization, Printed, SHOWN_ONCE, escaped, operate,
};
use super::Named;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

const PATH: &str = "/api/operations";

const VALUES: &[Column] = &[("ID", "/id"), ("NAME", "/name"), ("PROJECT", "/projectId"), ("VALUE", "/token")];

const ENTRIES: &[Column] = &[
    ("WHEN", "/createdAt"),
    ("WHO", "/userName?the operator"),
    ("ACTION", "/action"),
    ("ID", "/resourceId"),
    ("NAME", "/resourceName"),
    ("FROM", "/ipAddress"),
];

const OLDER: &str =
    "There are older entries: --limit shows up to 100, `portcullis org export audit-log` writes all.";

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Delete {
    #[command(flatten)]
    named: Named,
    /// The organization's slug once more, so that nobody deletes the wrong one
    #[arg(long, value_name = "SLUG")]
    confirm: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Erase {
    /// The id that it had: a slug is known no more
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct RotateKeys {
    #[command(flatten)]
    named: Named,
    /// Only the keys of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// How long the old values work on, in seconds; a day where nothing is said
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example:\n  portcullis org export audit-log -c gw.yaml --organization my-org --from 2026-01-01 --to audit.csv"
)]
pub(in crate::cli) struct Export {
    /// What to write: audit-log, or usage
    #[arg(value_name = "WHAT", value_parser = ["audit-log", "usage"])]
    what: String,
    #[command(flatten)]
    organization: Organization,
    /// In which form
    #[arg(long, value_parser = ["csv", "json"], default_value = "csv")]
    format: String,
    /// Of the audit log, what is from then or later: a date or an instant
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Of the audit log, what is from until then
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// File to write; standard output where nothing is said
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Audit {
    #[command(flatten)]
    named: Named,
    /// Only this action, such as api_token.created
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to the thing with this id
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// How many entries, at most 100
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// Begins an operation, and waits for its end; gives its record.
async fn done(backend: &mut Backend, slug: &str, body: Body) -> Result<Value, Failure> {
    let started = backend.call(Ask::post(PATH).of(slug).json(body)).await?;
    backend.finished(started["id"].as_str().unwrap_or_default()).await
}

fn result(operation: &Value) -> String {
    format!("{PATH}/{}/result", escaped(operation["id"].as_str().unwrap_or_default()))
}

/// Removes an organization.
pub(in crate::cli) fn delete(asked: Delete) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.named.organization.as_deref()).await?;
        let body =
            Body::default().with("type", Some("delete_organization")).with("confirm", Some(asked.confirm));
        done(backend, &home.slug, body).await?;
        Ok(Printed::deleted(&home.id))
    })
}

/// Removes what is left of an organization.
pub(in crate::cli) fn erase(asked: &Erase) -> ExitCode {
    operate(&asked.common, async |backend| {
        let store = backend.store("an organization is erased on the store: --config FILE")?;
        let rows = store.domain().erase_organization(&store.by(), &asked.id.as_str().into()).await?;
        let table = format!("erased {}: {rows} rows were removed\n", asked.id);
        Ok(Printed { table, json: json!({ "id": asked.id, "rows": rows, "erased": true }) })
    })
}

/// Gives keys new values.
pub(in crate::cli) fn rotate_keys(asked: RotateKeys) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.named.organization.as_deref()).await?;
        let body = Body::default()
            .with("type", Some("rotate_tokens"))
            .with("projectId", asked.project)
            .with("overlapSeconds", asked.overlap);
        let operation = done(backend, &home.slug, body).await?;
        if operation["done"] == 0 {
            return Ok(Printed { table: "there are no keys\n".to_owned(), json: json!({ "data": [] }) });
        }
        let values = backend.call(Ask::post(result(&operation))).await?;
        Ok(Printed::list(values, VALUES).noted(&SHOWN_ONCE.replace("value is", "values are")))
    })
}

/// Writes a file.
pub(in crate::cli) fn export(asked: Export) -> ExitCode {
    operate(&asked.common, async |backend| {
        if asked.what == "usage" && (asked.from.is_some() || asked.until.is_some()) {
            let all = "usage is counted from the making of each key: --from and --until are for audit-log";
            return Err(Failure::usage(all));
        }
        let home = backend.organization(asked.organization.named()).await?;
        let kind = if asked.what == "usage" { "export_usage" } else { "export_audit" };
        let body = Body::default()
            .with("type", Some(kind))
            .with("format", Some(asked.format))
            .with("startDate", asked.from)
            .with("endDate", asked.until);
        let operation = done(backend, &home.slug, body).await?;
        let text = backend.fetch(Ask::get(result(&operation))).await?;
        let Some(file) = asked.to else {
            let text = String::from_utf8_lossy(&text).into_owned();
            // A program asks for a form of its own; it gets no other one around it.
            let json = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
            return Ok(Printed { table: text, json });
        };
        let failed = |error| Failure::new(format!("{} can not be written: {error}", file.display()));
        std::fs::write(&file, &text).map_err(failed)?;
        let shown = file.display().to_string();
        Ok(Printed {
            table: format!("written to {shown}\n"),
            json: json!({ "file": shown, "bytes": text.len() }),
        })
    })
}

/// Shows the newest of the audit log.
pub(in crate::cli) fn audit(asked: Audit) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.named.organization.as_deref()).await?;
        let ask = Ask::get("/api/audit-logs")
            .query("action", asked.action)
            .query("resource_id", asked.resource)
            .query("limit", Some(asked.limit.to_string()));
        let page = backend.call(ask.of(&home.slug)).await?;
        let more = page["has_more"] == true;
        let shown = Printed::list(page, ENTRIES);
        Ok(if more { shown.noted(OLDER) } else { shown })
    })
}
