//! `portcullis user`: people from a terminal, the first owner of an empty store among them.

use super::manage::{Ask, Backend, Body, Column, Common, Failure, Printed, escaped, operate};
use super::password::{self, Given};
use crate::control::domain::{DomainError, FirstOwner, NewUser, slug_of};
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
These are for whoever looks after the whole server: with --config the operator, with --server who was made \
by --owner in an empty store, or by `user update --admin true`. Members of one organization are at \
`portcullis org member`, invitations into it at `portcullis org invitation`.

Examples:
  portcullis user create -c gw.yaml --owner --email you@example.com --organization 'My Org'
  portcullis user create -c gw.yaml --email ann@example.com --role viewer --organization my-org
  portcullis user list --server https://gateway.example.com:9443 --search ann
  portcullis user update -c gw.yaml ann@example.com --active false";

const CREATE_AFTER_HELP: &str = "\
The password is taken from the variable PORTCULLIS_PASSWORD (with --server it is your own, and not looked at \
here), from the first line of standard input with --password-stdin, or asked for at a terminal. Where there \
is none of these, or an empty one, a password is made and shown once.

In a store in which there is nobody yet, --owner makes the first organization too: --organization is then \
what it is to be called. In any other store, --organization names one that is there, by its id or slug.";

const RESET_AFTER_HELP: &str = "\
Hand the token to the person over a way that you trust. They choose a password with it by \
POST /api/auth/reset-password {\"token\":\"…\",\"password\":\"…\"}, which ends all their sessions. \
Who has asked for one is in the audit log as auth.password_reset_requested.";

const ERASE_AFTER_HELP: &str = "\
It works on the store, with --config, and for somebody who was removed long ago as well. What stays is their opaque id, \
so that the log goes on saying that it was one and the same person who did something. Backups stay as they are.";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("email", "/email"),
    ("name", "/name"),
    ("active", "/isActive"),
    ("server admin", "/isServerAdmin"),
    ("second factor", "/totpEnabled"),
    ("organizations", "/organizations?none"),
    ("role", "/role"),
    ("created", "/createdAt"),
];

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("EMAIL", "/email"),
    ("NAME", "/name"),
    ("ACTIVE", "/isActive"),
    ("ADMIN", "/isServerAdmin"),
    ("ORGANIZATIONS", "/organizations"),
];

/// Make, list, alter and remove people
#[derive(clap::Subcommand, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) enum Command {
    /// Make a person and their place in an organization
    Create(Create),
    /// List everybody
    List(List),
    /// Show one person
    Show(One),
    /// Rename a person, block them, or make them an admin of the server
    Update(Update),
    /// Give out a token by which a person who has forgotten their password chooses a new one
    ResetPassword(ResetPassword),
    /// Remove a person for good
    Delete(One),
    /// Remove a person, and take who they were out of all that is kept, the audit log too
    Erase(Erase),
}

#[derive(clap::Args, Debug)]
#[command(after_help = CREATE_AFTER_HELP)]
#[command(group = clap::ArgGroup::new("standing").required(true))]
pub(super) struct Create {
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
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct List {
    /// Only those with this text in their name or e-mail address
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    /// The person's id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    user: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
#[command(after_help = ERASE_AFTER_HELP)]
pub(super) struct Erase {
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
#[command(after_help = RESET_AFTER_HELP)]
pub(super) struct ResetPassword {
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Update {
    /// What people call them
    #[arg(long, group = "change")]
    name: Option<String>,
    /// Whether they look after the whole server
    #[arg(long, value_name = "BOOL", group = "change")]
    admin: Option<bool>,
    /// False blocks them everywhere and ends their sessions
    #[arg(long, value_name = "BOOL", group = "change")]
    active: Option<bool>,
    #[command(flatten)]
    one: One,
}

fn path(user: &str) -> String {
    format!("/api/admin/users/{}", escaped(user))
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(asked) => create(&asked),
        Command::List(List { search, common }) => operate(&common, async |backend| {
            let ask = Ask::get("/api/admin/users").query("search", search);
            Ok(Printed::list(backend.everything(ask).await?, COLUMNS))
        }),
        Command::Show(One { user, common }) => one(&common, Ask::get(path(&user))),
        Command::Update(Update { name, admin, active, one: One { user, common } }) => {
            let body = Body::default().with("name", name).with("isServerAdmin", admin);
            one(&common, Ask::patch(path(&user)).json(body.with("isActive", active)))
        }
        Command::ResetPassword(ResetPassword { one: One { user, common } }) => {
            operate(&common, async |backend| {
                let ask = Ask::post(format!("{}/password-reset", path(&user)));
                let facts = [("token", "/token"), ("expires", "/expiresAt")];
                let made = Printed::record(backend.call(ask).await?, &facts);
                Ok(made.noted("The token is shown now and never again. It is good once."))
            })
        }
        Command::Delete(One { user, common }) => operate(&common, async |backend| {
            backend.call(Ask::delete(path(&user))).await?;
            Ok(Printed::deleted(&user))
        }),
        Command::Erase(Erase { one: One { user, common } }) => operate(&common, async |backend| {
            let store = backend.store("a person is erased on the store: --config FILE")?;
            let erased = store.domain().erase_person(&store.by(), &user).await?;
            let (ids, rows) = (erased.ids.join(", "), erased.rows);
            let table = format!("erased {ids}: {rows} rows were altered or removed\n");
            Ok(Printed { table, json: json!({ "ids": erased.ids, "rows": rows, "erased": true }) })
        }),
    }
}

fn one(common: &Common, ask: Ask) -> ExitCode {
    // Where somebody belongs has roles of its own.
    let facts: Vec<Column> = FACTS.iter().copied().filter(|(title, _)| *title != "role").collect();
    operate(common, async |backend| Ok(Printed::record(backend.call(ask).await?, &facts)))
}

fn create(asked: &Create) -> ExitCode {
    operate(&asked.common, async |backend| {
        // A variable that this command logs in with is nobody else's password.
        let here = matches!(backend, Backend::Store(_));
        let given = password::choose(asked.password_stdin, here);
        let given = given.map_err(|error| Failure::new(error.to_string()))?;
        let mut person = made(backend, asked, &given).await?;
        person["role"] = role(asked).into();
        person["organizationId"] = person["organizations"][0]["id"].clone();
        let mut facts = FACTS.to_vec();
        if !given.made {
            return Ok(Printed::record(person, &facts));
        }
        facts.push(("password", "/password"));
        person["password"] = given.password.expose().into();
        Ok(Printed::record(person, &facts).noted("The password is shown now and never again."))
    })
}

fn role(asked: &Create) -> &str {
    asked.role.as_deref().unwrap_or("owner")
}

/// Makes a person; in an empty store, with the first organization.
async fn made(backend: &mut Backend, asked: &Create, given: &Given) -> Result<Value, Failure> {
    let named = asked.organization.as_deref().unwrap_or("Main");
    if let Backend::Store(store) = &*backend
        && asked.owner
        && let Err(DomainError::NotFound(_)) = store.domain().organization_named(&store.by(), named).await
    {
        let before_at = || asked.email.split('@').next().unwrap_or_default().to_owned();
        let name = asked.name.clone().unwrap_or_else(before_at);
        let user = NewUser { email: asked.email.clone(), name, password: given.password.clone() };
        let slug = asked.slug.clone().unwrap_or_else(|| slug_of(named));
        let first = FirstOwner { organization: named.to_owned(), slug };
        let made = store.domain().found(&store.by(), first, user).await;
        let (id, _) = made.map_err(|error| {
            Failure::from(error).helped(409, "--organization ID|SLUG; `portcullis org list` has them")
        })?;
        return backend.call(Ask::get(path(id.as_str()))).await;
    }
    if asked.organization.is_none() && !matches!(backend, Backend::Store(_)) {
        return Err(Failure::usage("name the organization that they are to own: --organization ID|SLUG"));
    }
    let body = Body::default()
        .with("email", Some(asked.email.as_str()))
        .with("name", asked.name.as_deref())
        .with("password", Some(given.password.expose()))
        .with("organization", Some(named))
        .with("role", Some(role(asked)));
    backend.call(Ask::post("/api/admin/users").json(body)).await
}
