//! The real program in a folder of its own: started, asked, signalled, ended. It never outlives the suite.

use super::client::Connection;
use super::fixture::Fixture;
use super::reply::Reply;
use super::request::Request;
use super::settings::Settings;
use super::{certificate, instead, wait};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis");

/// A gateway and its folder.
pub(crate) struct Gateway {
    folder: tempfile::TempDir,
    /// Plain HTTP/1.1 and h2c.
    pub(crate) address: SocketAddr,
    /// The TLS listener, when the settings ask for one.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    /// What `serve` is run of.
    pub(crate) program: PathBuf,
    running: Option<Running>,
}

struct Running {
    /// What this process has started; the process that runs after a hand-over is somebody else's child.
    child: Option<Child>,
    id: u32,
    /// Kills the child when this process goes away without a word: it waits for the end of its input.
    watchdog: Child,
}

/// One line of `/metrics`.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Gateway {
    /// Imports the fixture and serves; waits until `/readyz` says so.
    pub(crate) fn start(settings: &Settings, fixture: &Fixture) -> Self {
        let mut gateway = Self::prepare(settings);
        gateway.import(&fixture.text()).expect_success();
        gateway.serve();
        gateway
    }

    /// A folder with a configuration, and nothing running.
    pub(crate) fn prepare(settings: &Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [address, admin, tls] = addresses();
        super::openapi::is_admin(admin);
        // One with certificates of its own, or whatever the second listener of the settings asks for.
        let secure = !settings.tls.is_empty() || settings.value["listeners"].get(1).is_some();
        let tls = secure.then_some(tls);
        let gateway = Self { folder, address, tls, admin, program: PROGRAM.into(), running: None };
        fs::write(gateway.path("authority.pem"), certificate::authority_pem()).expect("write");
        gateway.configure(settings);
        gateway
    }

    /// Writes the configuration, in one step as an editor or a deployment tool does.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.configure_text(&self.filled(settings).yaml());
    }

    /// Writes any text as the configuration, in one step.
    pub(crate) fn configure_text(&self, text: &str) {
        let draft = self.path("portcullis.yaml.new");
        fs::write(&draft, text).expect("write the configuration");
        fs::rename(draft, self.config()).expect("put the configuration in place");
    }

    /// The settings with this gateway's addresses.
    pub(crate) fn filled(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        let value = &mut settings.value;
        if instead::is_wanted() && value["store"]["url"] == json!("sqlite://portcullis.db") {
            value["store"]["url"] = json!(instead::of(self.folder()));
            value["store"]["usage"] = json!("portcullis.db.usage");
        }
        let mut plain = value["listeners"].get(0).cloned().unwrap_or_else(|| json!({}));
        plain["address"] = json!(self.address.to_string());
        let mut listeners = vec![plain];
        if let Some(tls) = self.tls {
            let pair = |stem: &&str| json!({ "cert": format!("{stem}.pem"), "key": format!("{stem}.key") });
            let pairs: Vec<_> = settings.tls.iter().map(pair).collect();
            let mut secure = value["listeners"].get(1).cloned().unwrap_or_else(|| json!({}));
            secure["address"] = json!(tls.to_string());
            if !pairs.is_empty() {
                secure["tls"]["certificates"] = json!(pairs);
            }
            listeners.push(secure);
        }
        value["listeners"] = json!(listeners);
        value["admin"]["address"] = json!(self.admin.to_string());
        settings
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("portcullis.yaml")
    }

    /// The address of its store, for others to have it too.
    pub(crate) fn store_url(&self) -> String {
        match instead::is_wanted() {
            true => instead::of(self.folder()),
            false => format!("sqlite://{}", self.db_path().display()),
        }
    }

    /// Its database file.
    pub(crate) fn db_path(&self) -> PathBuf {
        self.path("portcullis.db")
    }

    /// Runs a subcommand that takes `--config`, to its end, which must come within half a minute.
    pub(crate) fn run(&self, subcommand: &str, more: &[&str]) -> Output {
        self.run_words(&[subcommand], more)
    }

    /// The same, for one of several words.
    pub(crate) fn run_words(&self, words: &[&str], more: &[&str]) -> Output {
        let subcommand = words.join(" ");
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("--config").arg(self.config()).args(more).current_dir(self.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("run the program");
        let ended = wait::poll(Duration::from_secs(30), || child.try_wait().expect("wait"));
        if ended.is_none() {
            child.kill().expect("kill");
        }
        let output = child.wait_with_output().expect("its output");
        assert!(ended.is_some(), "{subcommand} does not end: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs `import` with this fixture.
    pub(crate) fn import(&self, fixture: &str) -> Ran {
        let path = self.path("fixture.yaml");
        fs::write(&path, fixture).expect("write the fixture");
        Ran(self.run("import", &[path.to_str().expect("a path")]))
    }

    /// Starts `serve` and waits until it is ready.
    pub(crate) fn serve(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let log = |name| {
            let options = File::options().create(true).append(true).open(self.path(name));
            Stdio::from(options.expect("a log file"))
        };
        let child = Command::new(&self.program)
            .args(["serve", "--config"])
            .arg(self.config())
            .arg("--pid-file")
            .arg(self.path("pid"))
            .current_dir(self.folder())
            .env("SSL_CERT_FILE", self.path("authority.pem"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .expect("start the gateway");
        let (id, watchdog) = (child.id(), self.watch(child.id()));
        self.running = Some(Running { child: Some(child), id, watchdog });
        let ready = wait::poll(Duration::from_secs(30), || {
            self.assert_alive();
            self.ask_admin("/readyz").filter(|reply| reply.status == 200)
        });
        assert!(ready.is_some(), "never ready; standard error:\n{}", self.stderr());
    }

    fn watch(&self, id: u32) -> Child {
        Command::new("sh")
            .args(["-c", "read _; kill -9 \"$0\"; rm -rf \"$1\"", &id.to_string()])
            .arg(self.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the watchdog")
    }

    /// Has it hand over to a new process of the same program, and waits until that one serves. What becomes of the old
    /// one is [`Departing`]'s.
    pub(crate) fn hand_over(&mut self) -> Departing {
        self.signal("USR2");
        let before = self.process();
        let taken = wait::poll(Duration::from_secs(60), || {
            let id = fs::read_to_string(self.path("pid")).ok()?.trim().parse().ok()?;
            (id != before).then_some(id)
        });
        let id = taken.unwrap_or_else(|| panic!("nobody took over; standard error:\n{}", self.stderr()));
        let watchdog = self.watch(id);
        let old = self.running.replace(Running { child: None, id, watchdog }).expect("it runs");
        Departing(old)
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().expect("it runs").id
    }

    fn assert_alive(&mut self) {
        if let Some(status) = self.running.as_mut().expect("it was started").ended() {
            panic!("the gateway ended with {status:?}:\n{}", self.stderr());
        }
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(sent.expect("run kill").success(), "kill -{name}");
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    pub(crate) fn kill9(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.kill();
        dismiss(&mut running.watchdog);
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_for_end()
    }

    /// Waits for an end that was asked for.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        let ended = wait::poll(Duration::from_secs(40), || running.ended());
        dismiss(&mut running.watchdog);
        ended.unwrap_or_else(|| {
            running.kill();
            panic!("it did not end on SIGTERM:\n{}", self.stderr())
        })
    }

    /// Stops and serves again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.serve();
    }

    /// A connection to the plain listener.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Reply {
        self.connect().send(request)
    }

    /// Sends a request on a connection of its own, from this loopback address.
    pub(crate) fn send_from(&self, source: [u8; 4], request: &Request) -> Reply {
        Connection::open_from(Ipv4Addr::from(source).into(), self.address).send(request)
    }

    fn ask_admin(&self, target: &str) -> Option<Reply> {
        std::net::TcpStream::connect(self.admin).ok()?;
        Connection::open(self.admin).try_send(&super::get(target)).ok()
    }

    /// Asks the admin listener.
    pub(crate) fn ask(&self, target: &str) -> Reply {
        self.ask_admin(target).unwrap_or_else(|| panic!("no answer to {target} from the admin listener"))
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics_text(&self) -> String {
        self.ask("/metrics").expect(200).text()
    }

    /// Every sample of `/metrics`.
    pub(crate) fn metrics(&self) -> Vec<Sample> {
        self.metrics_text().lines().filter(|l| !l.starts_with('#')).filter_map(Sample::parse).collect()
    }

    /// The sum of the samples with this name and (at least) these labels; 0 when there is none.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |s: &Sample| labels.iter().all(|&(k, v)| s.labels.get(k).is_some_and(|x| x == v));
        self.metrics().iter().filter(|s| s.name == name && has(s)).map(|s| s.value).sum()
    }

    /// Bytes of memory that it holds.
    pub(crate) fn resident(&self) -> u64 {
        let id = self.running.as_ref().expect("it runs").id;
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// What it wrote to standard error so far, over all its runs.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// `usageCount` and whether `lastUsedAt` is set, of the key with this value, read from the database file.
    pub(crate) fn usage(&self, key: &str) -> (u64, bool) {
        super::world::usage(&self.db_path(), key)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
            dismiss(&mut running.watchdog);
        }
    }
}

impl Running {
    /// How it ended, if it has; of a process that is not ours only that.
    fn ended(&mut self) -> Option<ExitStatus> {
        match &mut self.child {
            Some(child) => child.try_wait().expect("wait"),
            None => (!alive(self.id)).then(ExitStatus::default),
        }
    }

    fn kill(&mut self) {
        match &mut self.child {
            Some(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            None => {
                let _ = Command::new("sh").args(["-c", &format!("kill -9 {}", self.id)]).output();
                let _ = wait::poll(Duration::from_secs(10), || (!alive(self.id)).then_some(()));
            }
        }
    }
}

/// Whether there is a process with this number that has not ended.
pub(crate) fn alive(id: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // One that nobody has waited for yet is in the state Z.
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// A process that has handed over and finishes what is under way.
pub(crate) struct Departing(Running);

impl Departing {
    /// Whether it has ended; a bad end fails the test.
    pub(crate) fn gone(&mut self) -> bool {
        let ended = self.0.ended();
        assert!(ended.is_none_or(|status| status.success()), "{ended:?}");
        ended.is_some()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) {
        let ended = wait::poll(Duration::from_secs(40), || self.gone().then_some(()));
        assert!(ended.is_some(), "the process that handed over does not end");
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.0.kill();
        dismiss(&mut self.0.watchdog);
    }
}

/// What a subcommand did.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    /// Fails the test, with what was said, unless it succeeded.
    pub(crate) fn expect_success(self) {
        let said = String::from_utf8_lossy(&self.0.stderr);
        assert!(self.0.status.success(), "{}: {said}", self.0.status);
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = match line.find('}') {
            Some(end) => line.split_at(end + 1),
            None => line.split_once(' ')?,
        };
        let value = value.split_whitespace().next()?.parse().ok()?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('"').to_owned()))
        });
        Some(Self { name: name.to_owned(), labels: labels.collect(), value })
    }
}

fn dismiss(watchdog: &mut Child) {
    // Before its child's number can be given to another process.
    let _ = watchdog.kill();
    let _ = watchdog.wait();
}

/// Three free addresses on a loopback address that no other gateway of any run uses: listeners share ports
/// (`SO_REUSEPORT`), so two gateways on one address would silently share its clients.
pub(crate) fn addresses() -> [SocketAddr; 3] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id();
    let ip = Ipv4Addr::new(127, 1 + (process % 253) as u8, high ^ (process >> 8) as u8, low.max(1));
    // All three are held until the last is known, so that they differ.
    let held = [0; 3].map(|port| TcpListener::bind((ip, port)).expect("a loopback address"));
    held.map(|listener| listener.local_addr().expect("an address"))
}
