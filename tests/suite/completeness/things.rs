//! What the paths of the control API name, made anew for each call, and bodies that are good.

use crate::support::client::Connection;
use crate::support::control::{Console, text, wanted, write};
use crate::support::fixture::random_hex;
use crate::support::gateway::Gateway;
use crate::support::hooks::{Habit, Receiver};
use crate::support::settings::{ORG, P1, SLUG};
use crate::support::{Reply, Request, get, method, post, wait};
use portcullis::dialect::endpoint::{Endpoint, Operation, ocore};
use serde_json::{Value, json};
use std::time::Duration;

/// Who makes things: an owner of the organization who calls nothing that is asked about.
pub(super) const MAKER: &str = "maker";

/// Makes things.
pub(super) struct Things<'g> {
    pub(super) gateway: &'g Gateway,
    owner: Console<'g>,
    receiver: Receiver,
    webhook: String,
    delivery: String,
    export: String,
}

impl<'g> Things<'g> {
    pub(super) fn of(gateway: &'g Gateway) -> Self {
        let owner = Console::open(gateway, MAKER);
        let receiver = Receiver::start(Habit::Answer(204));
        let mut things = Self {
            gateway,
            owner,
            receiver,
            webhook: String::new(),
            delivery: String::new(),
            export: String::new(),
        };
        things.webhook = things.new_webhook();
        let log = format!("/api/webhook-deliveries?endpoint_id={}", things.webhook);
        let found = wait::poll(Duration::from_secs(20), || {
            let page = things.ask(get(&log)).expect(200).json();
            page["data"][0]["id"].as_str().map(str::to_owned)
        });
        things.delivery = found.expect("the delivery of the test event");
        things.export = things.finished(&json!({ "type": "export_usage", "format": "json" }));
        things
    }

    /// Sends as the maker, on the admin listener.
    fn ask(&self, request: Request) -> Reply {
        at_admin(self.gateway, &request.bearer(&self.owner.access).org(SLUG))
    }

    #[track_caller]
    fn made(&self, path: &str, body: Value) -> String {
        text(&self.ask(post(path).json(&body)).expect(201).json(), "id").to_owned()
    }

    fn new_webhook(&self) -> String {
        self.made("/api/webhook-endpoints", json!({ "url": self.receiver.url("/"), "events": ["*"] }))
    }

    /// Does an operation to its end; gives its id.
    pub(super) fn finished(&self, body: &Value) -> String {
        let started = self.ask(post("/api/operations").json(body)).expect(202).json();
        let id = text(&started, "id").to_owned();
        self.wait_for_operations();
        id
    }

    /// Only one operation of a kind may be under way.
    pub(super) fn wait_for_operations(&self) {
        wait::until("no operation is under way", || {
            let page = self.ask(get("/api/operations?limit=100")).expect(200).json();
            let all = page["data"].as_array().expect("data").clone();
            all.iter().all(|one| one["finishedAt"] != Value::Null)
        });
    }

    /// A member that nobody has seen before.
    fn new_member(&self) -> String {
        let id = random_hex(24);
        let user = "INSERT INTO users (id, email, email_key, name, active, created_ms, updated_ms)
                    VALUES (?1, ?1 || '@example.com', ?1 || '@example.com', ?1, 1, 1, 1)";
        write(self.gateway, user, [id.as_str()]);
        let sql = "INSERT INTO memberships (person, organization, role) VALUES (?1, ?2, 'viewer')";
        write(self.gateway, sql, [id.as_str(), ORG]);
        id
    }

    /// A request to an endpoint that would be granted to who may: what its path names is there, in the organization
    /// with this id. A session is one of `caller`, a role that is handed on is `role`.
    pub(super) fn request(
        &self,
        endpoint: &Endpoint,
        organization: &str,
        caller: &str,
        role: &str,
    ) -> Request {
        let path = endpoint.path.replace("{organizationId}", organization);
        let path = path.replace("{projectId}/api-tokens", &format!("{P1}/api-tokens"));
        let path = path
            .split('/')
            .map(|segment| self.segment(endpoint.operation, caller, segment))
            .collect::<Vec<_>>();
        let request = method(endpoint.method.as_str(), &path.join("/"));
        match self.body(endpoint.operation, role) {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    fn segment(&self, operation: Operation, caller: &str, segment: &str) -> String {
        let name = || random_hex(12);
        match segment {
            "{tokenId}" => text(&self.owner.made("asked about", json!({})), "id").to_owned(),
            "{endpointId}" if operation == Operation::DeleteWebhook => self.new_webhook(),
            "{endpointId}" => self.webhook.clone(),
            "{deliveryId}" => self.delivery.clone(),
            "{operationId}" => self.export.clone(),
            "{keyId}" => {
                self.made("/api/api-keys", json!({ "name": name(), "permissions": ["manage:api-keys"] }))
            }
            "{roleId}" => self.made("/api/roles", json!({ "name": name(), "permissions": ["manage:roles"] })),
            "{invitationId}" => self.made("/api/invite-links", json!({ "role": "viewer" })),
            "{memberId}" | "{userId}" => self.new_member(),
            "{projectId}" => self.made("/api/projects", json!({ "name": name() })),
            "{sessionId}" => crate::support::control::begin_session(self.gateway, caller, 3_600_000),
            other => other.to_owned(),
        }
    }

    fn body(&self, operation: Operation, role: &str) -> Option<Value> {
        use ocore::Operation as Of;
        Some(match operation {
            Operation::CreateToken | Operation::CreateProjectToken => wanted("made", json!({})),
            Operation::UpdateToken | Operation::UpdateWebhook => json!({ "description": "altered" }),
            Operation::CreateWebhook => json!({ "url": self.receiver.url("/"), "events": ["token.created"] }),
            Operation::StartOperation => json!({ "type": "export_usage" }),
            Operation::LogIn => json!({}),
            Operation::Ocore(operation) => match operation {
                Of::LogIn | Of::LogInWithCode | Of::Refresh | Of::LogOut => json!({}),
                Of::ForgotPassword | Of::ResetPassword | Of::SignUp => json!({}),
                Of::AcceptInvitation => json!({ "token": random_hex(64) }),
                Of::ChangePassword => {
                    json!({ "currentPassword": "wrong 1234", "newPassword": "another 1234" })
                }
                Of::BeginTotp | Of::RenewRecoveryCodes | Of::DisableTotp => {
                    json!({ "password": "wrong 1234" })
                }
                Of::EnableTotp => json!({ "code": "123456" }),
                Of::CreateApiKey => json!({ "name": random_hex(12), "permissions": ["manage:api-keys"] }),
                Of::CreateRole => json!({ "name": random_hex(12), "permissions": ["manage:roles"] }),
                Of::UpdateApiKey | Of::UpdateRole => json!({ "name": random_hex(12) }),
                Of::CreateOrganization | Of::CreateProject => json!({ "name": random_hex(12) }),
                Of::UpdateOrganization | Of::UpdatePerson => json!({}),
                Of::UpdateProject => json!({ "description": random_hex(12) }),
                Of::CreatePerson => {
                    let email = format!("{}@example.com", random_hex(12));
                    json!({ "email": email, "password": "correct horse 1" })
                }
                Of::ChangeRole | Of::Invite => json!({ "role": role }),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// A role with these permissions; gives its id.
    pub(super) fn role(&self, permissions: &[&str]) -> String {
        self.made("/api/roles", json!({ "name": random_hex(12), "permissions": permissions }))
    }

    /// Gives a member this role.
    pub(super) fn assign(&self, member: &str, role: &str) {
        let path = format!("/api/members/{member}/role");
        self.ask(method("PATCH", &path).json(&json!({ "role": role }))).expect(200);
    }
}

/// Sends a request to the admin listener, which serves every endpoint.
pub(super) fn at_admin(gateway: &Gateway, request: &Request) -> Reply {
    Connection::open(gateway.admin).send(request)
}
