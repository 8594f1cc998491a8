//! Sockets that systemd has opened: taken by their address, by every worker; what matches nothing is refused.

use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::{Gateway, PROGRAM, alive};
use crate::support::load::Load;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::organization;
use crate::support::{get, wait};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";

/// What systemd does: the socket is descriptor 3, the variables name this process, which becomes the program.
const ACTIVATE: &str = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";

fn activated(gateway: &Gateway, socket: TcpListener, notify: &UnixDatagram) -> Child {
    let notify = notify.local_addr().expect("an address");
    Command::new("sh")
        .args(["-c", ACTIVATE, "sh", PROGRAM, "serve", "--config"])
        .arg(gateway.config())
        .current_dir(gateway.folder())
        .env("NOTIFY_SOCKET", notify.as_pathname().expect("a path"))
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(std::fs::File::create(gateway.path("stderr")).expect("a file")))
        .spawn()
        .expect("start the program")
}

/// A gateway's folder, the address of its plain listener, and systemd's end of the notifications.
fn prepared(upstream: &Upstream) -> (Gateway, String, UnixDatagram) {
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| value["workers"] = json!(3));
    let gateway = Gateway::prepare(&settings);
    let mut org = organization();
    let key = org.org_key();
    gateway.import(&Fixture::default().with(org).text()).expect_success();
    let notify = UnixDatagram::bind(gateway.path("notify")).expect("bind");
    notify.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    (gateway, key, notify)
}

fn told(notify: &UnixDatagram) -> String {
    let mut bytes = [0; 500];
    let length = notify.recv(&mut bytes).expect("a word from the gateway");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

fn signal(process: &str, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.expect("run kill").success());
}

/// How it ended.
fn finished(child: &mut Child) -> Option<i32> {
    let ended = wait::poll(Duration::from_secs(40), || child.try_wait().expect("wait"));
    let _ = child.kill();
    ended.and_then(|status| status.code())
}

/// A process that is not ours, ended with the test.
struct Orphan(String);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", &format!("kill -9 {} 2>/dev/null", self.0)]).status();
    }
}

#[test]
fn a_passed_socket_is_served_by_all_workers_and_handed_on() {
    let upstream = Upstream::http();
    let (gateway, key, notify) = prepared(&upstream);
    let socket = TcpListener::bind(gateway.address).expect("bind");
    // As systemd does, which has it before, between and after.
    let same = || socket.try_clone().expect("a second handle");
    // Somebody comes before the program runs at all.
    let mut early = gateway.connect();
    early.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let child = activated(&gateway, same(), &notify);
    assert_eq!(early.reply("GET").expect("an answer").status, 200);
    let ready = told(&notify);
    assert!(ready.contains("READY=1") && ready.contains(&format!("MAINPID={}", child.id())), "{ready}");
    let mut child = child;
    let load = Load::start(gateway.address, TARGET, &key);
    load.goes_on();
    // The new process has the same queue; systemd is told whom to look after.
    signal(&child.id().to_string(), "USR2");
    let words = [told(&notify), told(&notify)].concat();
    let after =
        words.rsplit("MAINPID=").next().and_then(|rest| rest.lines().next()).expect("a number").to_owned();
    assert_ne!(after, child.id().to_string(), "{words}");
    let after = Orphan(after);
    load.goes_on();
    load.end();
    assert_eq!(finished(&mut child), Some(0));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    signal(&after.0, "TERM");
    wait::until("systemd hears that it stops", || told(&notify).contains("STOPPING=1"));
    let number = after.0.parse().expect("a number");
    assert!(
        wait::poll(Duration::from_secs(40), || (!alive(number)).then_some(())).is_some(),
        "it does not end"
    );
    // Nobody runs now, and whoever comes waits for the next process.
    let waiting = TcpStream::connect_timeout(&gateway.address, Duration::from_millis(500)).expect("connect");
    let mut waiting = Connection::over(waiting, gateway.address);
    waiting.write(&get(TARGET).key(&key).bytes("gateway.test"));
    let mut third = activated(&gateway, same(), &notify);
    assert_eq!(waiting.reply("GET").expect("an answer").status, 200);
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    signal(&third.id().to_string(), "TERM");
    assert_eq!(finished(&mut third), Some(0));
}

#[test]
fn a_socket_that_nothing_is_configured_for_is_refused_with_what_to_do() {
    let upstream = Upstream::http();
    let (gateway, _, notify) = prepared(&upstream);
    let elsewhere = TcpListener::bind(SocketAddr::new(gateway.address.ip(), 0)).expect("bind");
    let address = elsewhere.local_addr().expect("an address");
    let code = finished(&mut activated(&gateway, elsewhere, &notify));
    let said = gateway.stderr();
    assert_eq!(code, Some(1), "{said}");
    for text in [&format!("listens on {address}"), "help:", &gateway.address.to_string()] {
        assert!(said.contains(text), "no {text:?} in {said}");
    }
}

#[test]
fn the_limit_of_open_files_is_raised_to_what_it_may_be() {
    let upstream = Upstream::http();
    let (gateway, _, notify) = prepared(&upstream);
    let limits = |process: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("its limits");
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a line");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        (words[0].clone(), words[1].clone())
    };
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -Sn 256; exec \"$@\"", "sh", PROGRAM, "serve", "--config"])
        .arg(gateway.config())
        .current_dir(gateway.folder())
        .env("NOTIFY_SOCKET", notify.local_addr().expect("an address").as_pathname().expect("a path"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("start");
    assert!(told(&notify).contains("READY=1"));
    let (soft, hard) = limits(&child.id().to_string());
    assert_eq!((&soft, &hard), (&limits("self").1, &limits("self").1));
    signal(&child.id().to_string(), "TERM");
    assert_eq!(finished(&mut child), Some(0));
}

#[test]
fn what_is_passed_to_somebody_else_is_not_ours() {
    let upstream = Upstream::http();
    let (gateway, key, notify) = prepared(&upstream);
    let other = TcpListener::bind(SocketAddr::new(gateway.address.ip(), 0)).expect("bind");
    let mut child = Command::new("sh")
        .args(["-c", "LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"", "sh", PROGRAM, "serve", "--config"])
        .arg(gateway.config())
        .current_dir(gateway.folder())
        .env("NOTIFY_SOCKET", notify.local_addr().expect("an address").as_pathname().expect("a path"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("start");
    assert!(told(&notify).contains("READY=1"));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    signal(&child.id().to_string(), "TERM");
    assert_eq!(finished(&mut child), Some(0));
    drop(other);
}
