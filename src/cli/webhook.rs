//! `portcullis webhook`: where an organization's events are sent, and what became of them.

use super::manage::{
    Ask, Body, Column, Common, Organization, Printed, SHOWN_ONCE, delete_of, escaped, list_of, operate,
    record_of,
};
use std::process::ExitCode;

const PATH: &str = "/api/webhook-endpoints";
const DELIVERIES: &str = "/api/webhook-deliveries";

const FACTS: &[Column] = &[
    ("id", "/id"),
    ("url", "/url"),
    ("description", "/description"),
    ("events", "/events"),
    ("active", "/active"),
    ("failing since", "/failingSince?is not failing"),
    ("created", "/createdAt"),
    ("created by", "/createdBy?the operator"),
    ("updated", "/updatedAt"),
];

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("URL", "/url"),
    ("EVENTS", "/events"),
    ("ACTIVE", "/active"),
    ("FAILING SINCE", "/failingSince"),
];

const DELIVERY: &[Column] = &[
    ("ID", "/id"),
    ("EVENT", "/eventType"),
    ("STATUS", "/status"),
    ("ATTEMPTS", "/attempts"),
    ("ANSWER", "/responseStatus"),
    ("CREATED", "/createdAt"),
    ("NEXT TRY", "/nextAttemptAt"),
    ("ERROR", "/error"),
];

const SENT: &[Column] = &[
    ("id", "/id"),
    ("event", "/eventType"),
    ("status", "/status"),
    ("created", "/createdAt"),
    ("next try", "/nextAttemptAt"),
];

/// It is sent by a running gateway, after the answer.
const LATER: &str = "`portcullis webhook deliveries` tells what came of it.";

const AFTER_HELP: &str = "\
Events are token.created, .updated, .regenerated, .deactivated, .deleted, .expiring, .first_seen_address, \
operation.completed, operation.failed, or * for all of them. They are sent by a running gateway.

Examples:
  portcullis webhook create -c gw.yaml --url https://example.com/hooks --event '*'
  portcullis webhook deliveries -c gw.yaml --status failed
  portcullis webhook replay -c gw.yaml 0199…";

/// Make, list, alter and remove webhook endpoints
#[derive(clap::Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) enum Command {
    /// Make an endpoint; the secret that its events are signed with is shown once
    Create(Create),
    /// List the endpoints of an organization
    List(List),
    /// Show one endpoint
    Show(One),
    /// Alter an endpoint, or switch it on or off
    Update(Update),
    /// Remove an endpoint
    Delete(One),
    /// Send an endpoint the event webhook.test
    Test(One),
    /// List what was sent, newest first
    Deliveries(Deliveries),
    /// Send the event of a delivery once more
    Replay(One),
}

#[derive(clap::Args, Debug)]
pub(super) struct Create {
    /// Where to send to
    #[arg(long)]
    url: String,
    /// What to send; may be repeated
    #[arg(long = "event", value_name = "TYPE", required = true)]
    events: Vec<String>,
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
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(super) struct One {
    /// The id of the endpoint, or of the delivery that is sent again
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
    /// Where to send to
    #[arg(long, group = "change")]
    url: Option<String>,
    /// What to send instead of what is sent now; may be repeated
    #[arg(long = "event", value_name = "TYPE", group = "change")]
    events: Vec<String>,
    /// What it is for; an empty text takes it away
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// Whether anything is sent to it
    #[arg(long, value_name = "BOOL", group = "change")]
    active: Option<bool>,
    #[command(flatten)]
    one: One,
}

#[derive(clap::Args, Debug)]
pub(super) struct Deliveries {
    /// Only to this endpoint
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// Only those of this status
    #[arg(long, value_parser = ["pending", "delivered", "failed"])]
    status: Option<String>,
    /// How many, at most 100
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    organization: Organization,
    #[command(flatten)]
    common: Common,
}

fn path(id: &str) -> String {
    format!("{PATH}/{}", escaped(id))
}

/// Runs a command.
pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(asked) => create(asked),
        Command::List(List { organization, common }) => list_of(&common, &organization, PATH, COLUMNS),
        Command::Show(one) => record(&one, Ask::get(path(&one.id)), FACTS),
        Command::Update(Update { url, events, description, active, one }) => {
            let body = Body::default().with("url", url).list("events", events);
            let body = body.text_or_none("description", description).with("active", active);
            record(&one, Ask::patch(path(&one.id)).json(body), FACTS)
        }
        Command::Delete(one) => delete_of(&one.common, &one.organization, path(&one.id), &one.id),
        Command::Test(one) => sent(&one, Ask::post(format!("{}/test", path(&one.id)))),
        Command::Deliveries(asked) => deliveries(asked),
        Command::Replay(one) => sent(&one, Ask::post(format!("{DELIVERIES}/{}/replay", escaped(&one.id)))),
    }
}

fn create(asked: Create) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.organization.named()).await?;
        let body = Body::default()
            .with("url", Some(asked.url))
            .list("events", asked.events)
            .with("description", asked.description);
        let made = backend.call(Ask::post(PATH).of(&home.slug).json(body)).await?;
        let facts: Vec<Column> =
            FACTS.iter().copied().chain([("signing secret", "/signingSecret")]).collect();
        Ok(Printed::record(made, &facts).noted(&SHOWN_ONCE.replace("value", "signing secret")))
    })
}

fn record(one: &One, ask: Ask, facts: &[Column]) -> ExitCode {
    record_of(&one.common, &one.organization, ask, facts)
}

fn sent(one: &One, ask: Ask) -> ExitCode {
    operate(&one.common, async |backend| {
        let home = backend.organization(one.organization.named()).await?;
        Ok(Printed::record(backend.call(ask.of(&home.slug)).await?, SENT).noted(LATER))
    })
}

fn deliveries(asked: Deliveries) -> ExitCode {
    operate(&asked.common, async |backend| {
        let home = backend.organization(asked.organization.named()).await?;
        let ask = Ask::get(DELIVERIES)
            .query("endpoint_id", asked.endpoint)
            .query("status", asked.status)
            .query("limit", Some(asked.limit.to_string()));
        Ok(Printed::list(backend.call(ask.of(&home.slug)).await?, DELIVERY))
    })
}
