//! `portcullis org invitation`: links by which people join an organization.

use super::super::manage::{
    Ask, Body, Column, Common, Organization, Printed, delete_of, escaped, list_of, operate,
};
use std::process::ExitCode;

const PATH: &str = "/api/invite-links";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("for", "/email?whoever has the link"),
    ("role", "/role"),
    ("expires", "/expiresAt"),
    ("token", "/token"),
    ("link", "/link"),
];

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("FOR", "/email?anybody"),
    ("ROLE", "/role"),
    ("CREATED", "/createdAt"),
    ("EXPIRES", "/expiresAt"),
];

const AFTER_HELP: &str = "\
Who is invited joins with the token: by POST /api/auth/signup where they have no account yet, by \
POST /api/auth/invitations/accept where they have one.

Examples:
  portcullis org invitation create -c gw.yaml --organization my-org --role developer
  portcullis org invitation create -c gw.yaml --role admin --email ann@example.com
  portcullis org invitation revoke 0199… -c gw.yaml";

#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) enum Command {
    /// Make an invitation; its token is shown once, and good once
    Create(Create),
    /// List the invitations that are good
    List(List),
    /// Take an invitation back
    Revoke(Revoke),
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Create {
    /// owner, admin, developer, viewer, or the name or id of a role of the organization's own
    #[arg(long)]
    role: String,
    /// Only for who has this e-mail address
    #[arg(long)]
    email: Option<String>,
    /// How long it is good, in seconds; a week where nothing is said, at most 30 days
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Revoke {
    /// The invitation's id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

/// Runs a command.
pub(in crate::cli) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(Create { role, email, expires_in, organization, common }) => {
            operate(&common, async |backend| {
                let home = backend.organization(organization.named()).await?;
                let body = Body::default().with("role", Some(role)).with("email", email);
                let ask = Ask::post(PATH).of(&home.slug).json(body.with("expiresIn", expires_in));
                let made = Printed::record(backend.call(ask).await?, FACTS);
                Ok(made.noted("The token is shown now and never again. It is good once."))
            })
        }
        Command::List(List { organization, common }) => list_of(&common, &organization, PATH, COLUMNS),
        Command::Revoke(Revoke { id, organization, common }) => {
            delete_of(&common, &organization, format!("{PATH}/{}", escaped(&id)), &id)
        }
    }
}
