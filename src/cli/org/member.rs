//! `portcullis org member`: who belongs to an organization, and as what.

use super::super::manage::{
    Ask, Backend, Body, Column, Common, Failure, Organization, Printed, escaped, list_of, operate,
};
use std::process::ExitCode;

const PATH: &str = "/api/members";

const FACTS: &[Column] =
    &[("id", "/id"), ("email", "/email"), ("name", "/name"), ("active", "/isActive"), ("role", "/role")];

const COLUMNS: &[Column] =
    &[("ID", "/id"), ("EMAIL", "/email"), ("NAME", "/name"), ("ROLE", "/role"), ("ACTIVE", "/isActive")];

const AFTER_HELP: &str = "\
New members come by an invitation (`portcullis org invitation create`) or are made (`portcullis user create`).

Examples:
  portcullis org member list -c gw.yaml --organization my-org
  portcullis org member set-role ann@example.com 'Key keeper' -c gw.yaml
  portcullis org member remove ann@example.com -c gw.yaml";

#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) enum Command {
    /// List the members
    List(List),
    /// Give a member another role, in force at once
    SetRole(SetRole),
    /// Take a member out; the oCore keys that they made grant nothing any more
    Remove(One),
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct One {
    /// The member's id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    member: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct SetRole {
    /// The member's id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    member: String,
    /// owner, admin, developer, viewer, or the name or id of a role of the organization's own
    role: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

/// Runs a command.
pub(in crate::cli) fn run(command: Command) -> ExitCode {
    match command {
        Command::List(List { organization, common }) => list_of(&common, &organization, PATH, COLUMNS),
        Command::SetRole(SetRole { member, role, organization, common }) => {
            operate(&common, async |backend| {
                let home = backend.organization(organization.named()).await?;
                let id = id_of(backend, &home.slug, &member).await?;
                let ask = Ask::patch(format!("{PATH}/{}/role", escaped(&id)));
                let ask = ask.of(&home.slug).json(Body::default().with("role", Some(role)));
                Ok(Printed::record(backend.call(ask).await?, FACTS))
            })
        }
        Command::Remove(One { member, organization, common }) => operate(&common, async |backend| {
            let home = backend.organization(organization.named()).await?;
            let id = id_of(backend, &home.slug, &member).await?;
            backend.call(Ask::delete(format!("{PATH}/{}", escaped(&id))).of(&home.slug)).await?;
            Ok(Printed::deleted(&id))
        }),
    }
}

/// The id of a member; no id has an @.
async fn id_of(backend: &mut Backend, slug: &str, named: &str) -> Result<String, Failure> {
    if !named.contains('@') {
        return Ok(named.to_owned());
    }
    let list = backend.everything(Ask::get(PATH).of(slug)).await?;
    let members = list["data"].as_array().into_iter().flatten();
    let wanted = named.trim().to_lowercase();
    let mut found = members.filter(|it| it["email"].as_str().is_some_and(|it| it.to_lowercase() == wanted));
    let id = found.next().and_then(|it| it["id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| Failure::new(format!("{named} is no member of the organization {slug}")))
}
