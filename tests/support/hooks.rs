//! A receiver of webhooks that behaves as a test wants, and a person who asks the gateway for them.

use super::gateway::Gateway;
use super::reply::Reply;
use super::request::Request;
use super::settings::{ORG, Settings};
use super::{client::Connection, fixture::random_hex, jwt, post, wait};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a receiver does with a request that it has read.
#[derive(Clone, Debug)]
pub(crate) enum Habit {
    /// Answers with this status.
    Answer(u16),
    /// Answers with a redirect to this URL.
    Redirect(String),
    /// Reads, and says nothing.
    Hang,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether it was acknowledged.
    pub(crate) acknowledged: bool,
}

impl Hook {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// Checks the signature as the specification has it, with nothing of the gateway's own.
    #[track_caller]
    pub(crate) fn assert_signed(&self, secret: &str) {
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let tag = hmac::sign(&key, format!("{id}.{at}.{}", self.body).as_bytes());
        assert_eq!(self.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
        assert!(at.parse::<u64>().expect("seconds").abs_diff(wait::now().unix_s()) < 60);
        assert_eq!(self.json()["id"], json!(id));
    }
}

/// A receiver; its thread ends with the process.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    habit: Mutex<Habit>,
    hooks: Mutex<Vec<Hook>>,
    connections: AtomicUsize,
}

impl Receiver {
    pub(crate) fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            habit: Mutex::new(habit),
            hooks: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                for_thread.connections.fetch_add(1, Ordering::SeqCst);
                let shared = for_thread.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn behave(&self, habit: Habit) {
        *self.shared.habit.lock().expect("a habit") = habit;
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Everything that came, acknowledged or not.
    pub(crate) fn all(&self) -> Vec<Hook> {
        self.shared.hooks.lock().expect("hooks").clone()
    }

    /// What was acknowledged, the test event left out.
    pub(crate) fn acknowledged(&self) -> Vec<Hook> {
        self.all().into_iter().filter(|hook| hook.acknowledged && hook.kind() != "webhook.test").collect()
    }

    /// Waits for so many acknowledged events, the test event left out.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Hook> {
        let found = wait::poll(Duration::from_secs(40), || {
            Some(self.acknowledged()).filter(|hooks| hooks.len() >= count)
        });
        found.unwrap_or_else(|| panic!("only {} of {count} came", self.acknowledged().len()))
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let (mut headers, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().expect("a length"))];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let habit = self.habit.lock().expect("a habit").clone();
        let acknowledged = matches!(habit, Habit::Answer(status) if status / 100 == 2);
        let body = String::from_utf8(body).expect("UTF-8");
        self.hooks.lock().expect("hooks").push(Hook { headers, body, acknowledged });
        let answer = match habit {
            Habit::Answer(status) => format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"),
            Habit::Redirect(to) => {
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
            }
            Habit::Hang => {
                std::thread::sleep(Duration::from_secs(60));
                return;
            }
        };
        let _ = (&stream).write_all(answer.as_bytes());
    }
}

/// Settings under which events may go to the loopback address of receivers.
pub(crate) fn settings(upstream: &str) -> Settings {
    Settings::usual(upstream).with(|value| {
        value["webhooks"] = json!({ "allow_networks": ["127.0.0.1/32"], "timeout": "1s" });
    })
}

/// A person with a session, put into the store: a login would hash a password.
pub(crate) struct Person<'g> {
    pub(crate) gateway: &'g Gateway,
    pub(crate) id: String,
    access: String,
}

impl<'g> Person<'g> {
    pub(crate) fn of(gateway: &'g Gateway, name: &str) -> Self {
        let id = super::world::user_id(&gateway.db_path(), name);
        let session = random_hex(32);
        let now = wait::now().unix_ms as i64;
        let sql = "INSERT INTO sessions (id, person, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)";
        write(gateway, sql, (session.as_str(), id.as_str(), now, now + 3_600_000));
        let mut claims = jwt::access_claims(&id);
        claims["sid"] = json!(session);
        Self { gateway, id, access: jwt::hs256(&claims) }
    }

    /// Waits until the store knows of each event that it was delivered or given up. A receiver has seen an event before
    /// that, and what a test changes in between is judged by an attempt that lies behind it.
    #[track_caller]
    pub(crate) fn until_nothing_is_pending(&self) {
        let pending = Self::path("/webhook-deliveries?status=pending");
        wait::until("no delivery is pending", || {
            self.send(super::get(&pending)).expect(200).json()["pagination"]["total"] == json!(0)
        });
    }

    /// Below `/api/v1/organizations/{organizationId}`, on a client listener.
    pub(crate) fn path(rest: &str) -> String {
        format!("/api/v1/organizations/{ORG}{rest}")
    }

    pub(crate) fn send(&self, request: Request) -> Reply {
        self.gateway.send(&request.bearer(&self.access))
    }

    /// Sends to the admin listener.
    pub(crate) fn administer(&self, request: Request) -> Reply {
        Connection::open(self.gateway.admin).send(&request.bearer(&self.access))
    }

    /// Makes a webhook endpoint that is told of everything; gives its record, the secret included.
    #[track_caller]
    pub(crate) fn webhook(&self, url: &str) -> Value {
        let body = json!({ "url": url, "events": ["*"] });
        self.send(post(&Self::path("/webhook-endpoints")).json(&body)).expect(201).json()
    }

    /// Makes an organization key; gives its record.
    #[track_caller]
    pub(crate) fn token(&self, name: &str) -> Value {
        let body =
            json!({ "name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"] });
        self.send(post(&Self::path("/api-tokens")).json(&body)).expect(201).json()
    }
}

/// Writes to the store behind the gateway's back.
pub(crate) fn write(gateway: &Gateway, sql: &str, values: impl rusqlite::Params) {
    let store = rusqlite::Connection::open(gateway.db_path()).expect("open the database");
    store.busy_timeout(Duration::from_secs(10)).expect("a time-out");
    store.execute(sql, values).expect("write to the database");
}
