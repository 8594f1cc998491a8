//! `portcullis org`: organizations, with their members, roles, invitations and what takes long.

mod invitation;
mod member;
mod role;
mod work;

use super::manage::{Ask, Backend, Body, Column, Common, Printed, operate};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  portcullis org create -c gw.yaml --name 'My Org' --owner ann@example.com
  portcullis org list --server https://gateway.example.com:9443
  portcullis org update my-org -c gw.yaml --slug new-slug
  portcullis org member set-role ann@example.com admin -c gw.yaml
  portcullis org invitation create --server https://gateway.example.com:9443 --role developer
  portcullis org rotate-keys my-org -c gw.yaml --overlap 3600
  portcullis org delete my-org -c gw.yaml --confirm my-org
  portcullis org erase 68da2880b45d7a01d90a3c51 -c gw.yaml";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("slug", "/slug"),
    ("name", "/name"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

const COLUMNS: &[Column] =
    &[("ID", "/id"), ("SLUG", "/slug"), ("NAME", "/name"), ("ROLE", "/role"), ("CREATED", "/createdAt")];

const NOBODYS: &str = "Nobody owns it yet: `portcullis user create --owner --organization SLUG` or `portcullis org invitation create \
     --role owner` makes somebody who does.";

/// Make, list, alter and remove organizations
#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) enum Command {
    /// Make an organization
    Create(Create),
    /// List your organizations; with --config, all of the store's
    List(List),
    /// Show one organization
    Show(One),
    /// Give an organization another name or slug
    Update(Update),
    /// Remove an organization with everything in it, for good
    Delete(work::Delete),
    /// Remove what is left of an organization that was removed: its audit log, its operations and events
    Erase(work::Erase),
    /// Give all keys new values, which are shown once; the old ones work on for a while
    RotateKeys(work::RotateKeys),
    /// Write the audit log, or what was used, to a file
    Export(work::Export),
    /// Show the audit log, newest first
    Audit(work::Audit),
    /// Members and their roles
    #[command(subcommand)]
    Member(member::Command),
    /// Roles of the organization's own
    #[command(subcommand)]
    Role(role::Command),
    /// Invitations into the organization
    #[command(subcommand)]
    Invitation(invitation::Command),
}

#[derive(clap::Args, Debug)]
pub(super) struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// The name in URLs and header fields, 3 to 50 of a-z, 0-9 and -; by default it follows from the name
    #[arg(long)]
    slug: Option<String>,
    /// Who owns it, by id or e-mail address; you, with --server, where nobody is named
    #[arg(long, value_name = "ID|EMAIL")]
    owner: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct List {
    /// Everybody's, for the server's admins
    #[arg(long)]
    all: bool,
    /// Only those with this text in their name or slug; with --all
    #[arg(long, value_name = "TEXT", requires = "all")]
    search: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// An organization that is named by itself.
#[derive(clap::Args, Debug)]
pub(super) struct Named {
    /// Organization, by its id or slug; may be left out where there is only one
    #[arg(value_name = "ID|SLUG", env = "PORTCULLIS_ORGANIZATION", hide_env_values = true)]
    organization: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Update {
    #[command(flatten)]
    named: Named,
    /// What people call it
    #[arg(long, group = "change")]
    name: Option<String>,
    /// The name in URLs and header fields; the old one is nobody's from then on
    #[arg(long, group = "change")]
    slug: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(Create { name, slug, owner, common }) => operate(&common, async |backend| {
            let body = Body::default().with("name", Some(name)).with("slug", slug);
            // The operator belongs nowhere, and so owns nothing.
            let nobodys = owner.is_none() && matches!(backend, Backend::Store(_));
            let body = body.with("owner", owner);
            let made = Printed::record(backend.call(Ask::post("/api/org").json(body)).await?, FACTS);
            Ok(if nobodys { made.noted(NOBODYS) } else { made })
        }),
        Command::List(List { all, search, common }) => operate(&common, async |backend| {
            let path = if all { "/api/admin/organizations" } else { "/api/user/orgs" };
            let list = backend.everything(Ask::get(path).query("search", search)).await?;
            // The role is one's own: an operator has none, and whoever sees everybody's is not told any.
            let has_role = !all && matches!(backend, Backend::Server(_));
            let columns = COLUMNS.iter().copied().filter(|(title, _)| has_role || *title != "ROLE");
            Ok(Printed::list(list, &columns.collect::<Vec<_>>()))
        }),
        Command::Show(One { named, common }) => one(&common, &named, Ask::get("/api/org")),
        Command::Update(Update { named, name, slug, common }) => {
            let body = Body::default().with("name", name).with("slug", slug);
            one(&common, &named, Ask::patch("/api/org").json(body))
        }
        Command::Delete(asked) => work::delete(asked),
        Command::Erase(asked) => work::erase(&asked),
        Command::RotateKeys(asked) => work::rotate_keys(asked),
        Command::Export(asked) => work::export(asked),
        Command::Audit(asked) => work::audit(asked),
        Command::Member(command) => member::run(command),
        Command::Role(command) => role::run(command),
        Command::Invitation(command) => invitation::run(command),
    }
}

fn one(common: &Common, named: &Named, ask: Ask) -> ExitCode {
    operate(common, async |backend| {
        let home = backend.organization(named.organization.as_deref()).await?;
        Ok(Printed::record(backend.call(ask.of(&home.slug)).await?, FACTS))
    })
}
