//! `portcullis user`: people from a terminal, the first owner of an empty store among them.

use super::manage::{Common, Printed, facts, operate};
use super::{complain, password};
use crate::control::domain::{By, Domain, DomainError, FirstOwner, NewUser};
use crate::dialect::time::iso_millis;
use crate::token::{OrganizationId, Role, UserId};
use serde_json::json;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
The password is taken from the variable PORTCULLIS_PASSWORD, from the first line of standard input with \
--password-stdin, or asked for at a terminal. Where there is none of these, or an empty one, a password is \
made and shown once.

In a store in which there is nobody yet, --owner makes the first organization too: --organization is then \
what it is to be called. In any other store, --organization names one that is there, by its id or slug.";

const RESET_AFTER_HELP: &str = "\
Hand the token to the person over a way that you trust. They choose a password with it by \
POST /api/auth/reset-password {\"token\":\"…\",\"password\":\"…\"}, which ends all their sessions. \
Who has asked for one is in the audit log as auth.password_reset_requested.";

/// What to do with people.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Make a person and their place in an organization
    Create(Create),
    /// Give out a token by which a person who has forgotten their password chooses a new one
    ResetPassword(ResetPassword),
}

#[derive(clap::Args, Debug)]
#[command(after_help = RESET_AFTER_HELP)]
pub(super) struct ResetPassword {
    #[command(flatten)]
    common: Common,
    /// E-mail address that they log in with
    email: String,
}

#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
#[command(group = clap::ArgGroup::new("standing").required(true))]
pub(super) struct Create {
    #[command(flatten)]
    common: Common,
    /// E-mail address to log in with
    #[arg(long)]
    email: String,
    /// What people call them; what stands before the @ where nothing is said
    #[arg(long)]
    name: Option<String>,
    /// Make an owner; in an empty store, of an organization that is made with them
    #[arg(long, group = "standing")]
    owner: bool,
    /// Their role in the organization
    #[arg(long, group = "standing", value_parser = ["owner", "admin", "developer", "viewer"])]
    role: Option<String>,
    /// Organization; one that is made with its owner is called Main where nothing is said
    #[arg(long, value_name = "ID|SLUG|NAME", required_unless_present = "owner")]
    organization: Option<String>,
    /// Slug of the organization that is made; by default it follows from the name
    #[arg(long, requires = "owner")]
    slug: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(create) => run_create(create),
        Command::ResetPassword(asked) => run_reset_password(&asked),
    }
}

fn run_reset_password(asked: &ResetPassword) -> ExitCode {
    operate(&asked.common, async |domain, by| {
        let (token, expires_ms) = domain.issue_password_reset(by, &asked.email).await?;
        let expires_at = iso_millis(expires_ms);
        let mut table = facts(&[("token", token.expose().to_owned()), ("expiresAt", expires_at.clone())]);
        table.push_str("\nThe token is shown now and never again. It is good once.\n");
        Ok(Printed { table, json: json!({ "token": token.expose(), "expiresAt": expires_at }) })
    })
}

fn run_create(create: Create) -> ExitCode {
    let given = match password::choose(create.password_stdin) {
        Ok(given) => given,
        Err(error) => return complain(format_args!("error: {error}")),
    };
    let email = create.email.clone();
    let name = create.name.clone().unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    let role = create.role.as_deref().and_then(Role::from_name).unwrap_or(Role::Owner);
    operate(&create.common, async |domain, by| {
        let user = NewUser { email: email.clone(), name: name.clone(), password: given.password.clone() };
        let (id, organization) = make(domain, by, &create, role, user).await?;
        let mut pairs = vec![
            ("id", id.to_string()),
            ("email", email.clone()),
            ("name", name.clone()),
            ("role", role.as_str().to_owned()),
            ("organization", organization.to_string()),
        ];
        let mut json = json!({
            "id": id.as_str(), "email": email, "name": name, "role": role.as_str(),
            "organizationId": organization.as_str(),
        });
        if given.made {
            pairs.push(("password", given.password.expose().to_owned()));
            json["password"] = given.password.expose().into();
        }
        let mut table = facts(&pairs);
        if given.made {
            table.push_str("\nThe password is shown now and never again.\n");
        }
        Ok(Printed { table, json })
    })
}

async fn make(
    domain: &Domain,
    by: &By,
    create: &Create,
    role: Role,
    user: NewUser,
) -> Result<(UserId, OrganizationId), DomainError> {
    let name = create.organization.as_deref().unwrap_or("Main");
    match domain.organization_named(by, name).await {
        Ok(organization) => {
            let id = domain.create_user(by, &organization, role, user).await?;
            Ok((id, organization))
        }
        Err(DomainError::NotFound(_)) if create.owner => {
            let organization = name.to_owned();
            let slug = create.slug.clone().unwrap_or_else(|| slug_of(&organization));
            domain.found(by, FirstOwner { organization, slug }, user).await
        }
        Err(error) => Err(error),
    }
}

/// A slug that follows from a name: its ASCII letters and digits, hyphens for the rest.
fn slug_of(name: &str) -> String {
    let parts: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let slug: String = parts.join("-").chars().take(50).collect();
    if slug.len() < 3 { format!("org-{slug}").trim_end_matches('-').to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_follows_from_a_name() {
        for (name, slug) in
            [("Main", "main"), ("My Org, Ltd.", "my-org-ltd"), ("A", "org-a"), ("ตรวจ", "org")]
        {
            assert_eq!(slug_of(name), slug);
            assert!(crate::store::import::is_slug(slug));
        }
        assert_eq!(slug_of(&"x".repeat(99)).len(), 50);
    }
}
