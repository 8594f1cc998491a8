//! `portcullis org role`: roles that an organization makes for itself, and the permissions that there are.

use super::super::manage::{
    Ask, Body, Column, Common, Organization, Printed, delete_of, escaped, list_of, operate, record_of,
};
use std::process::ExitCode;

const PATH: &str = "/api/roles";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("description", "/description"),
    ("permissions", "/permissions"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

const COLUMNS: &[Column] =
    &[("ID", "/id"), ("NAME", "/name"), ("BUILT IN", "/isSystem"), ("PERMISSIONS", "/permissions")];

const AFTER_HELP: &str = "\
Permissions are view: and manage: of a resource, or of *; manage includes view.

Examples:
  portcullis org role permissions -c gw.yaml
  portcullis org role create -c gw.yaml --name 'Key keeper' --permission manage:api-keys
  portcullis org role update 0199… -c gw.yaml --permission view:*";

#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) enum Command {
    /// List the roles, the built-in ones first
    List(Here),
    /// List the permissions that there are
    Permissions(Here),
    /// Make a role
    Create(Create),
    /// Alter a role, in force at once for who has it
    Update(Update),
    /// Remove a role that nobody has
    Delete(One),
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Here {
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What who has it may do; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct One {
    /// The role's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(in crate::cli) struct Update {
    /// What people call it
    #[arg(long, group = "change")]
    name: Option<String>,
    /// What it is for; an empty text takes it away
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// What who has it may do instead of what they may now; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION", group = "change")]
    permissions: Vec<String>,
    #[command(flatten)]
    one: One,
}

fn path(id: &str) -> String {
    format!("{PATH}/{}", escaped(id))
}

/// Runs a command.
pub(in crate::cli) fn run(command: Command) -> ExitCode {
    match command {
        Command::List(Here { organization, common }) => list_of(&common, &organization, PATH, COLUMNS),
        Command::Permissions(Here { common, .. }) => operate(&common, async |backend| {
            Ok(Printed::list(backend.call(Ask::get("/api/permissions")).await?, &[("PERMISSION", "")]))
        }),
        Command::Create(Create { name, description, permissions, organization, common }) => {
            let body = Body::default().with("name", Some(name)).with("description", description);
            let body = body.list("permissions", permissions);
            record_of(&common, &organization, Ask::post(PATH).json(body), FACTS)
        }
        Command::Update(Update { name, description, permissions, one }) => {
            let body = Body::default().with("name", name).text_or_none("description", description);
            let ask = Ask::patch(path(&one.id)).json(body.list("permissions", permissions));
            record_of(&one.common, &one.organization, ask, FACTS)
        }
        Command::Delete(One { id, organization, common }) => {
            delete_of(&common, &organization, path(&id), &id)
        }
    }
}
