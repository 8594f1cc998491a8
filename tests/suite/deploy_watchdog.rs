//! systemd's watchdog: it is told that all is well while every worker and the control side go on, and only then.

use crate::support::fixture::Fixture;
use crate::support::gateway::{Gateway, PROGRAM, alive};
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";
/// What systemd would wait before it starts the process again.
const LIMIT: Duration = Duration::from_secs(2);
/// As systemd does: the variable names the process that becomes the program.
const WATCHED: &str = "WATCHDOG_PID=$$ exec \"$@\"";

/// A gateway under a debugger that can stop single threads of it; both are gone with the test.
struct Watched {
    gateway: Gateway,
    key: String,
    notify: UnixDatagram,
    debugger: Child,
    tell: ChildStdin,
    answers: BufReader<ChildStdout>,
    _upstream: Upstream,
}

impl Watched {
    fn start(limit: Option<Duration>) -> Self {
        let upstream = Upstream::http();
        let settings = Settings::usual(&upstream.url()).unlimited().with(|value| value["workers"] = json!(3));
        let gateway = Gateway::prepare(&settings);
        let mut org = organization();
        let key = org.org_key();
        gateway.import(&Fixture::default().with(org).text()).expect_success();
        let notify = UnixDatagram::bind(gateway.path("notify")).expect("bind");
        let mut command = Command::new("python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/hang.py"));
        command.args(["sh", "-c", WATCHED, "sh", PROGRAM, "serve", "--config"]).arg(gateway.config());
        command.current_dir(gateway.folder()).env("NOTIFY_SOCKET", gateway.path("notify"));
        if let Some(limit) = limit {
            command.env("WATCHDOG_USEC", limit.as_micros().to_string());
        }
        let errors = std::fs::File::create(gateway.path("stderr")).expect("a file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut debugger = command.spawn().expect("start python3");
        let tell = debugger.stdin.take().expect("its input");
        let answers = BufReader::new(debugger.stdout.take().expect("its output"));
        let mut watched = Self { gateway, key, notify, debugger, tell, answers, _upstream: upstream };
        watched.hears("READY=1", Duration::from_secs(30));
        watched
    }

    /// What the debugger answers to a command.
    fn debug(&mut self, command: &str) -> i64 {
        writeln!(self.tell, "{command}").expect("the debugger listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("an answer");
        answer.trim().parse().unwrap_or_else(|_| panic!("{command}: {answer:?}; {}", self.gateway.stderr()))
    }

    /// A word to systemd within this time.
    fn word(&mut self, within: Duration) -> Option<String> {
        self.notify.set_read_timeout(Some(within)).expect("a time-out");
        let mut bytes = [0; 500];
        let length = self.notify.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    fn hears(&mut self, text: &str, within: Duration) {
        let start = wait::now();
        while let Some(left) = within.checked_sub(wait::now().since(start)) {
            if self.word(left.max(Duration::from_millis(1))).is_some_and(|word| word.contains(text)) {
                return;
            }
        }
        panic!("systemd never hears {text:?}; standard error:\n{}", self.gateway.stderr());
    }

    /// Systemd hears nothing for as long as it would wait. At the first look, what hangs may have come round since the one before.
    fn is_silent(&mut self) {
        std::thread::sleep(LIMIT / 4 + Duration::from_millis(200));
        while self.word(Duration::from_millis(1)).is_some() {}
        assert_eq!(self.word(LIMIT + LIMIT / 4), None);
    }

    fn serves(&self) {
        assert_eq!(self.gateway.send(&get(TARGET).key(&self.key)).status, 200);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.debugger.kill();
        let _ = self.debugger.wait();
    }
}

#[test]
fn a_worker_or_a_control_side_that_hangs_ends_the_word_to_systemd() {
    let mut watched = Watched::start(Some(LIMIT));
    for _ in 0..4 {
        watched.hears("WATCHDOG=1", LIMIT);
    }
    watched.serves();
    assert_eq!(watched.debug("stop worker-1"), 1);
    watched.is_silent();
    // The rest goes on, as a timer that asks nobody would.
    watched.gateway.ask("/readyz").expect(200);
    assert!(watched.gateway.stderr().contains("workers hang"), "{}", watched.gateway.stderr());
    assert_eq!(watched.debug("go"), 1);
    watched.hears("WATCHDOG=1", LIMIT);
    assert!(watched.debug("stop control") >= 1);
    watched.serves();
    watched.is_silent();
    watched.debug("go");
    watched.hears("WATCHDOG=1", LIMIT);
    let process = watched.debug("pid");
    signal(process, "TERM");
    watched.hears("STOPPING=1", LIMIT);
    assert_eq!(watched.debug("end"), 0);
}

#[test]
fn after_a_hand_over_it_is_the_new_process_that_tells() {
    let mut watched = Watched::start(Some(LIMIT));
    let old = watched.debug("pid");
    signal(old, "USR2");
    let mut new = None;
    wait::until("the old process names the new one", || {
        let word = watched.word(LIMIT).unwrap_or_default();
        let named = word.split("MAINPID=").nth(1).and_then(|rest| rest.lines().next()?.parse::<i64>().ok());
        new = named.filter(|&named| named != old).or(new);
        new.is_some()
    });
    let new = new.expect("its number");
    assert_eq!(watched.debug("end"), 0);
    while watched.word(Duration::from_millis(1)).is_some() {}
    for _ in 0..3 {
        watched.hears("WATCHDOG=1", LIMIT);
    }
    signal(new, "KILL");
    let number = u32::try_from(new).expect("a number");
    wait::until("the new process is gone", || !alive(number));
}

#[test]
fn nobody_is_told_who_does_not_ask_and_who_asks_for_health_is() {
    let mut watched = Watched::start(None);
    watched.serves();
    watched.gateway.ask("/healthz").expect(200);
    assert_eq!(watched.debug("stop worker-1"), 1);
    let paths = ["/healthz", "/readyz"];
    let say =
        |watched: &Watched, status: u16| paths.iter().all(|path| watched.gateway.ask(path).status == status);
    let hangs = wait::poll(Duration::from_secs(30), || say(&watched, 503).then_some(()));
    assert!(hangs.is_some(), "all is said to be well; standard error:\n{}", watched.gateway.stderr());
    assert_eq!(watched.gateway.ask("/healthz").json(), json!({ "status": "a worker hangs" }));
    assert_eq!(watched.gateway.metric("portcullis_workers_hung", &[]), 1.0);
    assert_eq!(watched.debug("go"), 1);
    wait::until("all goes on", || say(&watched, 200));
    assert_eq!(watched.word(Duration::from_millis(1)), None);
}

fn signal(process: i64, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.expect("run kill").success());
}
