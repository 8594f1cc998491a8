//! A real Prometheus in a folder of its own, with the rules of `deploy/prometheus`: it scrapes gateways each half second. It
//! never outlives the suite.

use super::client::Connection;
use super::{get, wait};
use serde_json::Value;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MISSING: &str =
    "prometheus is missing; install it: scripts/setup.sh test (Debian: apt-get install prometheus)";

/// The folder of what ships for Prometheus.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

/// A running server.
pub(crate) struct Prometheus {
    folder: tempfile::TempDir,
    address: SocketAddr,
    child: Child,
    watchdog: Child,
}

impl Prometheus {
    /// One that scrapes these admin listeners as the job `portcullis`.
    pub(crate) fn start(targets: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("prometheus.yml");
        fs::write(&path, configuration(targets)).expect("write");
        let address = free();
        let log = File::create(folder.path().join("log")).expect("a log file");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=warn", "--query.lookback-delta=30s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect(MISSING);
        let watchdog = Command::new("sh")
            .args(["-c", "read _; kill -9 \"$0\"; rm -rf \"$1\"", &child.id().to_string()])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("start the watchdog");
        let it = Self { folder, address, child, watchdog };
        let ready = || {
            TcpStream::connect(it.address).ok()?;
            it.ask("/-/ready").filter(|(status, _)| *status == 200)
        };
        assert!(wait::poll(Duration::from_secs(40), ready).is_some(), "never ready:\n{}", it.log());
        it
    }

    /// What it complains of.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn ask(&self, target: &str) -> Option<(u16, Value)> {
        let reply = Connection::open(self.address).try_send(&get(target)).ok()?;
        Some((reply.status, serde_json::from_slice(&reply.body).unwrap_or_default()))
    }

    /// The series that an expression gives now; fails the test when it is none.
    #[track_caller]
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let target = format!("/api/v1/query?query={}", escaped(expression));
        let (status, answer) = self.ask(&target).expect("an answer of Prometheus");
        assert_eq!(status, 200, "{expression}: {answer}");
        answer["data"]["result"].as_array().expect("a list").clone()
    }

    /// Whether an expression gives a number now.
    #[track_caller]
    pub(crate) fn has_data(&self, expression: &str) -> bool {
        let number = |series: &Value| {
            let text = series["value"][1].as_str().unwrap_or("NaN");
            text.parse::<f64>().is_ok_and(|number| !number.is_nan())
        };
        self.query(expression).iter().any(number)
    }

    /// Every rule that it has loaded, with its state.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let (status, answer) = self.ask("/api/v1/rules").expect("an answer of Prometheus");
        assert_eq!(status, 200, "{answer}");
        let groups = answer["data"]["groups"].as_array().expect("groups").iter();
        groups.flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(targets: &[SocketAddr]) -> String {
    let targets: Vec<String> = targets.iter().map(|target| format!("'{target}'")).collect();
    format!(
        "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n\
         rule_files: ['{}/rules/*.yml']\n\
         scrape_configs:\n  - job_name: portcullis\n    static_configs: [{{ targets: [{}] }}]\n",
        shipped().display(),
        targets.join(", ")
    )
}

/// A port that nobody has, of an address that no other process of the suite takes.
fn free() -> SocketAddr {
    let process = std::process::id();
    let ip = Ipv4Addr::new(127, 1 + (process % 253) as u8, (process >> 8) as u8 ^ 0xc0, 254);
    TcpListener::bind((ip, 0)).expect("a loopback address").local_addr().expect("an address")
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
