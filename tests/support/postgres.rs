//! A PostgreSQL of the tests' own: started once for each test process from the installed program, in a temporary folder and
//! on a port of its own, and gone with the process even when that is killed.
//!
//! The unit tests of `src` use this file too, so it knows nothing of the rest of the suite.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who logs in, and with what: with a character that an address has to escape.
pub(crate) const USER: &str = "portcullis";
pub(crate) const PASSWORD: &str = "p@ss/word";
const START: Duration = Duration::from_secs(60);
const MISSING: &str = "PostgreSQL is not installed: run `scripts/setup.sh test` (apt-get install postgresql)";

/// A server.
pub(crate) struct Server {
    bin: PathBuf,
    folder: PathBuf,
    pub(crate) port: u16,
    /// Who it runs as: root may not.
    owner: Option<(u32, u32)>,
    /// Runs the server, and ends it when its input ends, which it does with this process.
    keeper: Child,
}

/// A database of a server.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) port: u16,
    /// The folder of the server's socket.
    pub(crate) sockets: PathBuf,
    bin: PathBuf,
}

/// An empty database on the server of this test process.
pub(crate) fn database() -> Database {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start).database()
}

impl Server {
    /// Starts one, with nothing in it. It ends when this value is dropped, or the process.
    pub(crate) fn start() -> Self {
        let bin = programs().expect(MISSING);
        let owner = unprivileged();
        let folder = tempfile::Builder::new().prefix("portcullis-pg-").tempdir().expect("a folder").keep();
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).expect("give the folder away");
        }
        let mut server =
            Self { bin, folder, port: 0, owner, keeper: Command::new("true").spawn().expect("a child") };
        server.initialise();
        // Somebody else may take the port between its choice and its use.
        for _ in 0..5 {
            server.port = free_port();
            server.run();
            if server.is_ready() {
                return server;
            }
        }
        panic!("PostgreSQL does not start:\n{}", fs::read_to_string(server.log()).unwrap_or_default());
    }

    /// An empty database.
    pub(crate) fn database(&self) -> Database {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (port, sockets) = (self.port, self.folder.clone());
        let database = Database { name: name.clone(), port, sockets, bin: self.bin.clone() };
        let maintenance = Database { name: "postgres".to_owned(), ..database.clone() };
        maintenance.run(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        database
    }

    /// Ends it, as an operator does: sessions are cut off.
    pub(crate) fn stop(&mut self) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(b"stop\n");
        }
        let _ = self.keeper.wait();
    }

    /// Runs it again after [`stop`](Self::stop), on the same port and data.
    pub(crate) fn run_again(&mut self) {
        self.run();
        assert!(self.is_ready(), "{}", fs::read_to_string(self.log()).unwrap_or_default());
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A program of PostgreSQL's, run by who may.
    fn command(&self, name: impl AsRef<Path>) -> Command {
        let mut command = Command::new(self.bin.join(name));
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn file(&self, name: &str, content: &str) {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its rights");
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).expect("give a file away");
        }
    }

    fn initialise(&self) {
        self.file("password", PASSWORD);
        let certificate =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        self.file("server.crt", &certificate.cert.pem());
        self.file("server.key", &certificate.signing_key.serialize_pem());
        let mut command = self.command("initdb");
        command.args(["--pgdata=data", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        command.args(["--auth=scram-sha-256", "--pwfile=password", &format!("--username={USER}")]);
        let made = command.stderr(Stdio::piped()).output().expect("run initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    }

    fn run(&mut self) {
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.display()),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", self.folder.join("server.crt").display()),
            format!("ssl_key_file={}", self.folder.join("server.key").display()),
            // Nothing has to outlive the machine, and little is kept.
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "shared_buffers=24MB".to_owned(),
            "max_connections=400".to_owned(),
            "wal_level=minimal".to_owned(),
            "max_wal_senders=0".to_owned(),
            "max_wal_size=256MB".to_owned(),
        ];
        // It is told to end as soon as our end of the pipe is closed, by whatever has ended us. A line before that end says
        // that we go on; without one we are no more, and the folder goes too.
        let script = "\"$0\" -D data \"$@\" >>log 2>&1 & server=$!
            read -r word; kill -INT $server; wait $server; [ -n \"$word\" ] || rm -rf \"$PWD\"";
        let mut command = Command::new("sh");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.args(["-c", script]).arg(self.bin.join("postgres"));
        for setting in settings {
            command.args(["-c", &setting]);
        }
        // In a group of its own: an interrupt at the terminal is for us.
        command.process_group(0).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.keeper = command.spawn().expect("start PostgreSQL");
    }

    fn is_ready(&mut self) -> bool {
        let step = Duration::from_millis(25);
        for _ in 0..START.as_millis() / step.as_millis() {
            let asked = self
                .command("pg_isready")
                .args(["--host=127.0.0.1", &format!("--port={}", self.port), "--quiet"])
                .status();
            // Ours, and not somebody else's on the same port.
            if asked.expect("run pg_isready").success() && self.folder.join("data/postmaster.pid").exists() {
                return true;
            }
            if self.keeper.try_wait().expect("wait").is_some() {
                return false;
            }
            std::thread::sleep(step);
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Database {
    /// The certificate that the server shows, and trusts nobody but itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.sockets.join("server.crt")
    }

    /// Runs SQL behind everybody's back; gives what it prints, without headings.
    pub(crate) fn run(&self, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .arg(format!("--host={}", self.sockets.display()))
            .arg(format!("--port={}", self.port))
            .args([&format!("--username={USER}"), &format!("--dbname={}", self.name)])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run psql");
        psql.stdin.take().expect("its input").write_all(sql.as_bytes()).expect("write to psql");
        let done = psql.wait_with_output().expect("psql");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim_end().to_owned()
    }
}

/// The folder of the newest server that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").exists())
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("postgres").exists())
    };
    newest.map(|(_, bin)| bin).or_else(on_path)
}

/// Somebody else than root, when this is root: `postgres`, or nobody.
fn unprivileged() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").expect("this process").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("somebody else than root"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
