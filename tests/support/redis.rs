//! A real Redis in a folder of its own: started, asked, paused, ended, and another one in its place. It never outlives the
//! suite.

use super::{certificate, wait};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

const PROGRAM: &str = "redis-server";
const MISSING: &str =
    "redis-server is missing; install it: scripts/setup.sh test (Debian: apt-get install redis-server)";

/// A server without memory: nothing is written to the disk.
pub(crate) struct Redis {
    folder: tempfile::TempDir,
    ip: Ipv4Addr,
    pub(crate) port: u16,
    options: Vec<String>,
    secure: bool,
    running: Option<(Child, Child)>,
}

impl Redis {
    /// One that everybody may use.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One with further options, such as `--requirepass`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut redis = Self::prepare(options, false);
        redis.serve();
        redis
    }

    /// One that speaks TLS only, with a certificate of the suite's authority for its address.
    pub(crate) fn tls() -> Self {
        let mut redis = Self::prepare(&["--tls-auth-clients", "no"], true);
        let leaf = certificate::leaf(&[&redis.ip.to_string()]);
        leaf.write(redis.folder.path(), "redis");
        let authority = redis.folder.path().join("authority.pem");
        std::fs::write(&authority, certificate::authority_pem()).expect("write");
        for (option, file) in [("cert", "redis.pem"), ("key", "redis.key"), ("ca-cert", "authority.pem")] {
            redis.options.push(format!("--tls-{option}-file"));
            redis.options.push(redis.folder.path().join(file).to_str().expect("a path").to_owned());
        }
        redis.serve();
        redis
    }

    fn prepare(options: &[&str], secure: bool) -> Self {
        let (ip, [port]) = address();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, ip, port, options, secure, running: None }
    }

    /// Its address, with what stands before the host.
    pub(crate) fn url(&self, login: &str) -> String {
        let scheme = if self.secure { "rediss" } else { "redis" };
        format!("{scheme}://{login}{}:{}", self.ip, self.port)
    }

    /// Starts it, empty.
    pub(crate) fn serve(&mut self) {
        let (plain, secure) = if self.secure { (0, self.port) } else { (self.port, 0) };
        let mut command = Command::new(PROGRAM);
        command.args(["--bind", &self.ip.to_string(), "--port", &plain.to_string()]);
        if secure != 0 {
            command.args(["--tls-port", &secure.to_string()]);
        }
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.folder.path());
        command.args(&self.options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect(MISSING);
        let watchdog = Command::new("sh")
            .args(["-c", "read _; kill -9 \"$0\"", &child.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("start the watchdog");
        self.running = Some((child, watchdog));
        let up = || TcpStream::connect((self.ip, self.port)).ok();
        assert!(wait::poll(Duration::from_secs(20), up).is_some(), "Redis does not start");
    }

    /// Ends it at once, with all that it knew.
    pub(crate) fn kill9(&mut self) {
        if let Some((mut child, mut watchdog)) = self.running.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it is; connections stay open.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let (child, _) = self.running.as_ref().expect("it runs");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
        assert!(sent.expect("run kill").success(), "kill -{name}");
    }

    /// Asks it something; its answer as it came.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        self.ask_all(&[words])
    }

    /// The same, with a password.
    pub(crate) fn ask_as(&self, password: &str, words: &[&str]) -> String {
        let answer = self.ask_all(&[&["AUTH", password], words]);
        answer.strip_prefix("OK\n").expect("the password is right").to_owned()
    }

    fn ask_all(&self, commands: &[&[&str]]) -> String {
        let mut stream = TcpStream::connect((self.ip, self.port)).expect("connect to Redis");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        let mut text = String::new();
        for words in commands {
            text.push_str(&format!("*{}\r\n", words.len()));
            words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        }
        stream.write_all(text.as_bytes()).expect("ask Redis");
        let mut reader = BufReader::new(stream);
        let mut answer = String::new();
        commands.iter().for_each(|_| read_value(&mut reader, &mut answer));
        answer
    }
}

/// One value of the protocol, with what is in it: each on a line of its own.
fn read_value(reader: &mut impl BufRead, answer: &mut String) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("an answer of Redis");
    let line = line.trim_end();
    let (kind, rest) = line.split_at(1);
    match (kind, rest.parse::<i64>()) {
        ("*", Ok(count)) => (0..count).for_each(|_| read_value(reader, answer)),
        ("$", Ok(length)) if length >= 0 => {
            let mut text = vec![0; length as usize + 2];
            reader.read_exact(&mut text).expect("a text of Redis");
            text.truncate(length as usize);
            answer.push_str(&String::from_utf8_lossy(&text));
            answer.push('\n');
        }
        _ => {
            answer.push_str(rest);
            answer.push('\n');
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A cluster of three nodes, each with a third of the slots.
pub(crate) struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let nodes: Vec<Redis> = (0..3)
            .map(|_| {
                let (ip, [port, bus]) = address();
                let (bus, own) = (bus.to_string(), ip.to_string());
                let options =
                    ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-announce-ip", &own];
                let options = options.map(str::to_owned).to_vec();
                let folder = tempfile::tempdir().expect("a folder");
                let mut node = Redis { folder, ip, port, options, secure: false, running: None };
                node.serve();
                node
            })
            .collect();
        let cluster = Self { nodes };
        for (index, (first, last)) in [(0, 5460), (5461, 10922), (10923, 16383)].into_iter().enumerate() {
            let words = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            assert_eq!(cluster.nodes[index].ask(&words), "OK\n");
        }
        for node in &cluster.nodes[1..] {
            let bus = &node.options[3];
            let words = ["CLUSTER", "MEET", &node.ip.to_string(), &node.port.to_string(), bus];
            assert_eq!(cluster.nodes[0].ask(&words), "OK\n");
        }
        let whole = || {
            let info = |node: &Redis| node.ask(&["CLUSTER", "INFO"]);
            let knows =
                |info: String| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
            cluster.nodes.iter().all(|node| knows(info(node))).then_some(())
        };
        assert!(wait::poll(Duration::from_secs(30), whole).is_some(), "the cluster does not come together");
        cluster
    }

    /// The addresses of two of its nodes: the third has to be found.
    pub(crate) fn url(&self) -> String {
        let of = |node: &Redis| format!("{}:{}", node.ip, node.port);
        format!("redis-cluster://{},{}", of(&self.nodes[0]), of(&self.nodes[1]))
    }

    /// How many names each node holds.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        let size = |node: &Redis| node.ask(&["DBSIZE"]).trim().parse().expect("a number");
        self.nodes.iter().map(size).collect()
    }
}

/// Free ports on a loopback address that nobody else in this run uses.
fn address<const N: usize>() -> (Ipv4Addr, [u16; N]) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id();
    // Gateways have networks from 127.1 on as well, which differ in the third number at least.
    let ip = Ipv4Addr::new(127, 1 + (process % 253) as u8, high ^ (process >> 8) as u8 ^ 0x80, low.max(1));
    let held = [0; N].map(|port| TcpListener::bind((ip, port)).expect("a loopback address"));
    (ip, held.map(|listener| listener.local_addr().expect("an address").port()))
}
