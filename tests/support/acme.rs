//! An authority that speaks ACME (RFC 8555), made for the suite: it checks signatures and nonces, validates challenges over real
//! connections to the gateway, and signs what it is asked for with the suite's own root.

use super::certificate;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The authority; it ends with the process of the suite.
pub(crate) struct Acme {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What it knows, and how it behaves.
#[derive(Default)]
pub(crate) struct State {
    base: String,
    /// Where `http-01` and `tls-alpn-01` look, for every name.
    pub(crate) http: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
    /// How long certificates live, in seconds.
    pub(crate) life_s: u64,
    /// So many nonces are refused, though they are good.
    pub(crate) bad_nonces: usize,
    /// Orders are refused: too many.
    pub(crate) rate_limited: bool,
    /// Accounts made, orders asked for, certificates signed, and challenges that did not hold.
    pub(crate) accounts: usize,
    pub(crate) asked: usize,
    pub(crate) signed: usize,
    pub(crate) failed: usize,
    nonces: HashSet<String>,
    keys: HashMap<String, Value>,
    orders: Vec<Order>,
}

#[derive(Default)]
struct Order {
    thumbprint: String,
    names: Vec<String>,
    /// `pending`, `valid` or `invalid`, one for each name.
    states: Vec<&'static str>,
    error: Option<Value>,
    chain: Option<String>,
}

/// Status, body, and where what was made is.
type Answer = (u16, Value, Option<String>);

impl Acme {
    /// Listens; certificates live an hour.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let base = format!("https://{address}");
        let state = Arc::new(Mutex::new(State { base, life_s: 3600, ..State::default() }));
        let config = certificate::leaf(&["127.0.0.1"]).server(&[b"http/1.1"]);
        let shared = state.clone();
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let (state, config) = (shared.clone(), config.clone());
                std::thread::spawn(move || {
                    let session = rustls::ServerConnection::new(config).expect("a session");
                    // Whoever goes away goes away.
                    let _ = serve(&state, BufReader::new(rustls::StreamOwned::new(session, tcp)));
                });
            }
        });
        Self { address, state }
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://{}/directory", self.address)
    }

    /// What it knows and how it behaves.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// HTTP/1.1, as much as a client needs that sends lengths.
fn serve<S: Read + Write>(state: &Arc<Mutex<State>>, mut stream: BufReader<S>) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while head.last().is_none_or(|line: &String| !line.is_empty()) {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            head.push(line.trim_end().to_owned());
        }
        let mut first = head[0].split(' ').map(str::to_owned);
        let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let length = head
            .iter()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let (status, answer, location) = answer(state, &method, &path, &body);
        let text = match &answer {
            Value::String(chain) => chain.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let location = location.map(|at| format!("Location: {at}\r\n")).unwrap_or_default();
        let nonce = lock(state).nonce();
        let length = text.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\nReplay-Nonce: {nonce}\r\n{location}Content-Length: {length}\r\n\r\n"
        );
        let text = if method == "HEAD" { "" } else { &text };
        stream.get_mut().write_all(format!("{head}{text}").as_bytes())?;
        stream.get_mut().flush()?;
    }
}

fn answer(state: &Arc<Mutex<State>>, method: &str, path: &str, body: &[u8]) -> Answer {
    let base = lock(state).base.clone();
    match (method, path) {
        ("GET", "/directory") => {
            let of = |name: &str| format!("{base}/{name}");
            (
                200,
                json!({ "newNonce": of("nonce"), "newAccount": of("account"), "newOrder": of("order") }),
                None,
            )
        }
        ("HEAD", "/nonce") => (200, Value::Null, None),
        ("POST", _) => {
            let checked = lock(state).open(&format!("{base}{path}"), body);
            match checked {
                Ok((key, payload)) => post(state, path, &key, &payload),
                Err((kind, detail)) => problem(400, kind, detail),
            }
        }
        _ => problem(404, "malformed", "there is nothing"),
    }
}

fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    (status, json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail }), None)
}

fn post(state: &Arc<Mutex<State>>, path: &str, key: &Value, payload: &Value) -> Answer {
    let mut parts = path.trim_start_matches('/').split('/');
    let what = parts.next().unwrap_or_default();
    let numbers: Vec<usize> = parts.clone().filter_map(|part| part.parse().ok()).collect();
    let mut held = lock(state);
    let base = held.base.clone();
    match (what, &*numbers) {
        ("account", []) => {
            held.accounts += 1;
            let url = format!("{base}/account/{}", held.accounts);
            held.keys.insert(url.clone(), key.clone());
            (201, json!({ "status": "valid" }), Some(url))
        }
        ("order", []) => {
            held.asked += 1;
            if held.rate_limited {
                return problem(429, "rateLimited", "too many certificates already issued");
            }
            let names = payload["identifiers"].as_array().expect("identifiers").iter();
            let names: Vec<_> = names.map(|it| it["value"].as_str().expect("a name").to_owned()).collect();
            let states = vec!["pending"; names.len()];
            let order = Order { thumbprint: thumbprint(key), names, states, ..Order::default() };
            held.orders.push(order);
            let number = held.orders.len() - 1;
            (201, held.order(number), Some(format!("{base}/order/{number}")))
        }
        ("order", [number]) => (200, held.order(*number), None),
        ("authorization", [number, name]) => (200, held.authorization(*number, *name), None),
        ("challenge", [number, name]) => {
            let (kind, http, tls) = (parts.next_back().unwrap_or_default(), held.http, held.tls);
            let order = &held.orders[*number];
            let (domain, thumbprint) = (order.names[*name].clone(), order.thumbprint.clone());
            drop(held);
            // Over the network, with nothing locked.
            let token = token(*number, *name);
            let seen =
                if kind == "http-01" { look_http(http, &domain, &token) } else { look_tls(tls, &domain) };
            let wanted = format!("{token}.{thumbprint}");
            let holds = seen.and_then(|seen| seen.proves(&wanted, &domain));
            let mut held = lock(state);
            held.failed += usize::from(holds.is_err());
            let order = &mut held.orders[*number];
            order.states[*name] = if holds.is_ok() { "valid" } else { "invalid" };
            order.error = holds.err().map(|why| problem(403, "unauthorized", &why).1);
            let challenges = held.authorization(*number, *name)["challenges"].clone();
            let mut challenge = challenges
                .as_array()
                .expect("a list")
                .iter()
                .find(|it| it["type"] == kind)
                .expect("it")
                .clone();
            // As real ones do: this answer says that the request was heard, the authorization says what came of it.
            challenge.as_object_mut().expect("an object").remove("error");
            (200, challenge, None)
        }
        ("finalize", [number]) => {
            if held.orders[*number].states.iter().any(|state| *state != "valid") {
                return problem(403, "orderNotReady", "not every name is validated");
            }
            let csr = URL_SAFE_NO_PAD.decode(payload["csr"].as_str().expect("a request")).expect("base64");
            let names = held.orders[*number].names.clone();
            for name in &names {
                assert!(
                    csr.windows(name.len()).any(|part| part == name.as_bytes()),
                    "{name} is not asked for"
                );
            }
            held.signed += 1;
            let now_s = super::wait::now().unix_ms / 1000;
            let chain = certificate::issue(&names, &csr, now_s, now_s + held.life_s);
            held.orders[*number].chain = Some(chain);
            (200, held.order(*number), None)
        }
        ("certificate", [number]) => match held.orders[*number].chain.clone() {
            Some(chain) => (200, Value::String(chain), None),
            None => problem(404, "malformed", "not yet"),
        },
        _ => problem(404, "malformed", "there is nothing"),
    }
}

impl State {
    fn nonce(&mut self) -> String {
        let nonce = portcullis::token::random_id().expect("random numbers");
        self.nonces.insert(nonce.clone());
        nonce
    }

    /// Checks a signed request (RFC 8555, 6.2 to 6.5); gives its key and its payload.
    fn open(&mut self, url: &str, body: &[u8]) -> Result<(Value, Value), (&'static str, &'static str)> {
        let body: Value = serde_json::from_slice(body).map_err(|_| ("malformed", "no JSON"))?;
        let part = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(part(name)).map_err(|_| ("malformed", "no base64"));
        let protected: Value =
            serde_json::from_slice(&bytes("protected")?).map_err(|_| ("malformed", "no JSON"))?;
        if protected["url"] != url || protected["alg"] != "ES256" {
            return Err(("unauthorized", "another URL or algorithm"));
        }
        let nonce = protected["nonce"].as_str().unwrap_or_default();
        if !self.nonces.remove(nonce) || self.bad_nonces > 0 {
            self.bad_nonces = self.bad_nonces.saturating_sub(1);
            return Err(("badNonce", "this nonce is none, or was used"));
        }
        let known = protected["kid"].as_str().map(|id| self.keys.get(id).cloned());
        let key = match known {
            Some(known) => known.ok_or(("accountDoesNotExist", "no such account"))?,
            None => protected["jwk"].clone(),
        };
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default());
        let (x, y) = (coordinate("x").unwrap_or_default(), coordinate("y").unwrap_or_default());
        let point = [&[4][..], &x, &y].concat();
        let signed = format!("{}.{}", part("protected"), part("payload"));
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &bytes("signature")?)
            .map_err(|_| ("unauthorized", "a bad signature"))?;
        Ok((key, serde_json::from_slice(&bytes("payload")?).unwrap_or_default()))
    }

    fn order(&self, number: usize) -> Value {
        let (base, order) = (&self.base, &self.orders[number]);
        let status = match &order.chain {
            Some(_) => "valid",
            None if order.states.contains(&"invalid") => "invalid",
            None if order.states.iter().all(|state| *state == "valid") => "ready",
            None => "pending",
        };
        let authorizations: Vec<_> =
            (0..order.names.len()).map(|name| format!("{base}/authorization/{number}/{name}")).collect();
        let identifiers: Vec<_> =
            order.names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        json!({ "status": status, "identifiers": identifiers, "authorizations": authorizations,
            "finalize": format!("{base}/finalize/{number}"), "certificate": format!("{base}/certificate/{number}") })
    }

    fn authorization(&self, number: usize, name: usize) -> Value {
        let (base, order) = (&self.base, &self.orders[number]);
        let challenge = |kind: &str| {
            let mut challenge = json!({ "type": kind, "status": order.states[name], "token": token(number, name),
                "url": format!("{base}/challenge/{number}/{name}/{kind}") });
            if let Some(error) = &order.error {
                challenge["error"] = error.clone();
            }
            challenge
        };
        json!({ "identifier": { "type": "dns", "value": order.names[name] }, "status": order.states[name],
            "challenges": [challenge("dns-01"), challenge("http-01"), challenge("tls-alpn-01")] })
    }
}

fn token(order: usize, name: usize) -> String {
    format!("token-of-order-{order}-and-name-{name}")
}

/// RFC 7638.
fn thumbprint(key: &Value) -> String {
    let of = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, of("x"), of("y"));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// What was seen of a challenge's answer.
enum Seen {
    Body(String),
    Certificate(Vec<u8>),
}

impl Seen {
    fn proves(&self, wanted: &str, domain: &str) -> Result<(), String> {
        let holds = match self {
            Self::Body(text) => text == wanted,
            Self::Certificate(der) => {
                // id-pe-acmeIdentifier, critical, and the digest in an OCTET STRING within one (RFC 8737, 3).
                let head = [0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 0x22, 4, 0x20];
                let extension = [&head[..], digest(&SHA256, wanted.as_bytes()).as_ref()].concat();
                let has = |part: &[u8]| der.windows(part.len()).any(|window| window == part);
                has(&extension) && has(domain.as_bytes())
            }
        };
        holds.then_some(()).ok_or_else(|| "the answer is not what was expected".to_owned())
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

fn connect(to: Option<SocketAddr>) -> Result<TcpStream, String> {
    let socket = to
        .ok_or("nobody is there")
        .and_then(|to| TcpStream::connect(to).map_err(|_| "connection refused"))?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    Ok(socket)
}

fn look_http(at: Option<SocketAddr>, domain: &str, token: &str) -> Result<Seen, String> {
    let mut socket = connect(at)?;
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut text = String::new();
    socket.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head.lines().next().unwrap_or_default().to_owned());
    }
    Ok(Seen::Body(body.to_owned()))
}

fn look_tls(at: Option<SocketAddr>, domain: &str) -> Result<Seen, String> {
    let mut socket = connect(at)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = ServerName::try_from(domain.to_owned()).map_err(|error| error.to_string())?;
    let mut session =
        rustls::ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(|error| error.to_string())?;
    }
    if session.alpn_protocol() != Some(b"acme-tls/1") {
        return Err("acme-tls/1 was not agreed on".to_owned());
    }
    let leaf = session.peer_certificates().and_then(<[_]>::first).ok_or("no certificate")?;
    Ok(Seen::Certificate(leaf.to_vec()))
}

/// Takes any certificate: the challenge's is nobody's but the gateway's.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}
