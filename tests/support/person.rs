//! A person with a browser or a command line, in front of the `ocore` dialect.

use super::fixture::{Fixture, Organization, email};
use super::gateway::Gateway;
use super::post;
use super::reply::Reply;
use super::request::Request;
use super::settings::{ORG, OTHER_ORG, OTHER_SLUG, SLUG, Settings};
use super::upstream::Upstream;
use serde_json::{Value, json};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse 1";

/// A gateway with people who can log in, and what is behind it.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
}

impl House {
    /// `owner`, `admin`, `developer` and `viewer` of the first organization, `stranger` of the other one, and `both`.
    pub(crate) fn open() -> Self {
        Self::with(|settings| settings)
    }

    /// The same people, with settings that are altered.
    pub(crate) fn with(alter: impl FnOnce(Settings) -> Settings) -> Self {
        let upstream = Upstream::http();
        let settings = alter(Settings::usual(&upstream.url()));
        let gateway = Gateway::start(&settings, &people());
        Self { gateway, upstream }
    }

    /// Sends a request.
    pub(crate) fn send(&self, request: &Request) -> Reply {
        self.gateway.send(request)
    }

    /// Sends a request to the admin listener.
    pub(crate) fn admin(&self, request: &Request) -> Reply {
        super::client::Connection::open(self.gateway.admin).send(request)
    }

    /// A login's answer.
    pub(crate) fn login(&self, name: &str) -> Reply {
        self.send(&login(name, PASSWORD))
    }

    /// Makes somebody look after the whole server.
    pub(crate) fn appoint(&self, name: &str) {
        if let Some(instead) = super::instead::of_file(&self.gateway.db_path()) {
            instead.run(&format!("UPDATE users SET server_admin = TRUE WHERE email = '{}'", email(name)));
            return;
        }
        let store = rusqlite::Connection::open(self.gateway.db_path()).expect("open the store");
        let sql = "UPDATE users SET server_admin = 1 WHERE email = ?1";
        assert_eq!(store.execute(sql, [email(name)]).expect("write"), 1);
    }

    /// Logs in.
    #[track_caller]
    pub(crate) fn person(&self, name: &str) -> Person<'_> {
        Person::of(self, &self.login(name).expect(200).json())
    }
}

/// The fixture of [`House`].
pub(crate) fn people() -> Fixture {
    let (mut ours, mut theirs) = (super::world::organization(), Organization::new(OTHER_ORG, OTHER_SLUG));
    assert_eq!(ours.id, ORG);
    for (name, role) in [
        ("owner", "owner"),
        ("admin", "admin"),
        ("developer", "developer"),
        ("viewer", "viewer"),
        ("both", "owner"),
    ] {
        ours.member_with_password(name, role, PASSWORD);
    }
    theirs.member_with_password("stranger", "owner", PASSWORD);
    theirs.member_with_password("both", "viewer", PASSWORD);
    Fixture::default().with(ours).with(theirs)
}

/// `POST /api/auth/login`
pub(crate) fn login(name: &str, password: &str) -> Request {
    post("/api/auth/login").json(&json!({ "email": email(name), "password": password }))
}

/// `POST /api/auth/refresh`
pub(crate) fn refresh(token: &str) -> Request {
    post("/api/auth/refresh").json(&json!({ "refreshToken": token }))
}

/// Somebody who has logged in.
pub(crate) struct Person<'h> {
    house: &'h House,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) id: String,
}

impl<'h> Person<'h> {
    /// Whom a login's answer tells of.
    #[track_caller]
    pub(crate) fn of(house: &'h House, answer: &Value) -> Self {
        Self {
            house,
            access: text(answer, "accessToken"),
            refresh: text(answer, "refreshToken"),
            id: text(&answer["user"], "id"),
        }
    }

    /// Sends a request with the access token, on the client listener.
    pub(crate) fn send(&self, request: Request) -> Reply {
        self.house.send(&request.bearer(&self.access))
    }

    /// Sends a request with the access token, for the first organization.
    pub(crate) fn ours(&self, request: Request) -> Reply {
        self.send(request.org(SLUG))
    }

    /// Sends a request with the access token, on the admin listener, for the first organization.
    pub(crate) fn admin(&self, request: Request) -> Reply {
        self.house.admin(&request.bearer(&self.access).org(SLUG))
    }

    /// Whether the access token is good at the edge and on the control side.
    #[track_caller]
    pub(crate) fn is_known(&self) -> bool {
        let edge = self.send(super::get("/api/anything").org(SLUG)).status;
        assert!(matches!(edge, 200 | 401), "{edge}");
        edge == 200
    }
}

/// The text of a member.
#[track_caller]
pub(crate) fn text(record: &Value, member: &str) -> String {
    record[member].as_str().unwrap_or_else(|| panic!("no {member} in {record}")).to_owned()
}
