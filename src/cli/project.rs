//! `portcullis project`: the projects of an organization.

use super::manage::{Ask, Body, Column, Common, Organization, Printed, escaped, operate, record_of};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  portcullis project create -c gw.yaml --organization my-org --name Billing
  portcullis project list --server https://gateway.example.com:9443 --archived
  portcullis project update -c gw.yaml 0199… --active false
  portcullis project delete -c gw.yaml 0199… --with-keys";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("description", "/description"),
    ("organization", "/organizationId"),
    ("active", "/isActive"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ACTIVE", "/isActive"),
    ("CREATED", "/createdAt"),
    ("DESCRIPTION", "/description"),
];

/// Make, list, alter and remove projects
#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) enum Command {
    /// Make a project
    Create(Create),
    /// List the projects of an organization
    List(List),
    /// Show one project
    Show(One),
    /// Alter a project
    Update(Update),
    /// Remove a project for good
    Delete(Delete),
}

#[derive(clap::Args, Debug)]
pub(super) struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct List {
    /// Those that are not active too
    #[arg(long)]
    archived: bool,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    /// The project's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Update {
    /// What people call it
    #[arg(long, group = "change")]
    name: Option<String>,
    /// What it is for; an empty text takes it away
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// Inactive projects are left out of lists; their keys go on working
    #[arg(long, value_name = "BOOL", group = "change")]
    active: Option<bool>,
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
pub(super) struct Delete {
    /// Remove the keys that are bound to it too; they are refused from then on
    #[arg(long)]
    with_keys: bool,
    #[command(flatten)]
    one: One,
}

fn path(id: &str) -> String {
    format!("/api/projects/{}", escaped(id))
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(Create { name, description, organization, common }) => {
            let body = Body::default().with("name", Some(name)).with("description", description);
            record_of(&common, &organization, Ask::post("/api/projects").json(body), FACTS)
        }
        Command::List(List { archived, organization, common }) => operate(&common, async |backend| {
            let home = backend.organization(organization.named()).await?;
            let ask = Ask::get("/api/projects").query("include_archived", archived.then_some("true"));
            Ok(Printed::list(backend.everything(ask.of(&home.slug)).await?, COLUMNS))
        }),
        Command::Show(One { id, organization, common }) => {
            record_of(&common, &organization, Ask::get(path(&id)), FACTS)
        }
        Command::Update(Update { name, description, active, one: One { id, organization, common } }) => {
            let body = Body::default().with("name", name).text_or_none("description", description);
            record_of(
                &common,
                &organization,
                Ask::patch(path(&id)).json(body.with("isActive", active)),
                FACTS,
            )
        }
        Command::Delete(Delete { with_keys, one: One { id, organization, common } }) => {
            operate(&common, async |backend| {
                let home = backend.organization(organization.named()).await?;
                let ask = Ask::delete(path(&id)).query("delete_keys", with_keys.then_some("true"));
                backend
                    .call(ask.of(&home.slug))
                    .await
                    .map_err(|failure| failure.helped(409, "--with-keys removes them with it"))?;
                Ok(Printed::deleted(&id))
            })
        }
    }
}
