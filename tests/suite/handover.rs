//! SIGUSR2: a new process takes over the sockets, and no client notices; or it does not, and nothing has changed.

use crate::support::client::Connection;
use crate::support::fixture::Fixture;
use crate::support::gateway::{Gateway, PROGRAM};
use crate::support::load::Load;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::{organization, with_one_key};
use crate::support::{get, wait};
use serde_json::json;
use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/templates";

fn handovers(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric("portcullis_handovers_total", &[("result", result)])
}

#[test]
fn no_request_fails_while_processes_hand_over() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (mut gateway, key) = with_one_key(&settings);
    let load = Load::start(gateway.address, TARGET, &key);
    let first = gateway.process();
    let old: Vec<_> = [2, 1, 3]
        .into_iter()
        .map(|workers| {
            // As many sockets as before, fewer, more.
            gateway.configure(&settings.clone().with(|value| value["workers"] = json!(workers)));
            load.goes_on();
            gateway.hand_over()
        })
        .collect();
    load.goes_on();
    load.end();
    assert_ne!(gateway.process(), first);
    old.into_iter().for_each(crate::support::gateway::Departing::end);
    assert_eq!((handovers(&gateway, "success"), handovers(&gateway, "failure")), (3.0, 0.0));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    assert!(gateway.stop().success());
}

/// As a package manager does it: the new file takes the name, and the old one has none any more.
#[test]
fn what_has_taken_the_program_s_place_takes_over() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let mut gateway = Gateway::prepare(&settings);
    gateway.program = gateway.path("portcullis");
    std::fs::copy(PROGRAM, &gateway.program).expect("a program of its own");
    let mut org = organization();
    let key = org.org_key();
    gateway.import(&Fixture::default().with(org).text()).expect_success();
    gateway.serve();
    let load = Load::start(gateway.address, TARGET, &key);
    load.goes_on();
    let (newer, told) = (gateway.path("portcullis.new"), gateway.path("told"));
    let script = format!("#!/bin/sh\necho \"$1\" > {}\nexec {PROGRAM} \"$@\"\n", told.display());
    std::fs::write(&newer, script).expect("the newer one");
    std::fs::set_permissions(&newer, Permissions::from_mode(0o755)).expect("its mode");
    std::fs::rename(&newer, &gateway.program).expect("its name");
    gateway.hand_over().end();
    load.goes_on();
    load.end();
    assert_eq!(std::fs::read_to_string(told).expect("it was run"), "serve\n");
    assert_eq!(handovers(&gateway, "success"), 1.0);
    assert!(gateway.stop().success());
}

#[test]
fn what_is_under_way_is_finished_by_the_old_process() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    // A request that has begun, a connection that has not said anything yet, one that is kept.
    let mut begun = gateway.connect();
    let request = get(TARGET).key(&key).bytes("gateway.test");
    begun.write(&request[..40]);
    let mut silent = gateway.connect();
    let mut kept = gateway.connect();
    assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
    std::thread::sleep(Duration::from_millis(100));
    let mut old = gateway.hand_over();
    assert_eq!(kept.send(&get(TARGET).key(&key)).header("connection"), Some("close"));
    assert_eq!(silent.send(&get(TARGET).key(&key)).status, 200);
    assert!(!old.gone());
    begun.write(&request[40..]);
    assert_eq!(begun.reply("GET").expect("an answer").status, 200);
    old.end();
}

#[test]
fn what_is_used_of_a_limit_stays_used() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).with(|value| {
        value["apis"][0]["rate_limit"] = json!({ "requests": 10, "per": "1h" });
    });
    let (mut gateway, key) = with_one_key(&settings);
    let status = |gateway: &Gateway| gateway.send(&get(TARGET).key(&key)).status;
    (0..7).for_each(|_| assert_eq!(status(&gateway), 200));
    gateway.hand_over().end();
    (0..3).for_each(|_| assert_eq!(status(&gateway), 200));
    let told = gateway.send(&get(TARGET).key(&key));
    assert_eq!(told.status, 429);
    // And through a second one, of what the first has counted itself and what it was told.
    gateway.hand_over().end();
    let refused = gateway.send(&get(TARGET).key(&key));
    assert_eq!(refused.status, 429);
    let wait =
        |reply: &crate::support::Reply| reply.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(wait(&refused) <= wait(&told), "{refused:?} after {told:?}");
}

#[test]
fn a_new_process_that_does_not_start_changes_nothing() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (mut gateway, key) = with_one_key(&settings);
    let mut kept = gateway.connect();
    gateway.configure_text("listeners: nonsense");
    gateway.signal("USR2");
    wait::until("the failure is counted", || handovers(&gateway, "failure") == 1.0);
    let said = gateway.stderr();
    assert!(said.contains("ended before it was ready") && said.contains("nonsense"), "{said}");
    assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    assert_eq!(gateway.ask("/readyz").status, 200);
    // The next one is good, and knows of both.
    gateway.configure(&settings);
    gateway.hand_over().end();
    assert_eq!((handovers(&gateway, "success"), handovers(&gateway, "failure")), (1.0, 1.0));
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}

#[test]
fn a_new_process_that_fails_late_costs_no_connection() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| value["workers"] = json!(1));
    let (gateway, key) = with_one_key(&settings);
    // More sockets than before, and a failure after they were made.
    let failing = settings.clone().with(|value| {
        value["workers"] = json!(16);
        value["telemetry"]["access_log"] = json!({ "path": "no/such/folder/access.log" });
    });
    gateway.configure(&failing);
    gateway.signal("USR2");
    while handovers(&gateway, "failure") == 0.0 {
        assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    }
    wait::until("the log says why", || gateway.stderr().contains("the access log can not be opened"));
}

#[test]
fn a_pid_file_that_can_not_be_written_is_found_before_the_old_process_leaves() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    // Where the new process would write it first.
    let blocked = gateway.path("pid");
    std::fs::remove_file(&blocked).expect("the file that it wrote");
    std::fs::create_dir(&blocked).expect("a folder in its place");
    std::fs::write(blocked.join("full"), "").expect("a file, so that it can not be replaced");
    gateway.signal("USR2");
    wait::until("the failure is counted", || handovers(&gateway, "failure") == 1.0);
    let said = gateway.stderr();
    assert!(said.contains("pid can not be written") && said.contains("--pid-file FILE"), "{said}");
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    std::fs::remove_dir_all(&blocked).expect("remove");
    gateway.hand_over().end();
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
    assert!(gateway.stop().success());
    assert!(!gateway.path("pid").exists(), "the file outlived the process");
}

#[test]
fn a_new_process_takes_other_listeners_and_the_old_ones_end_in_peace() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited().tls(&["a"]);
    let mut gateway = Gateway::prepare(&settings);
    crate::support::certificate::leaf(&["a.test"]).write(gateway.folder(), "a");
    let mut org = organization();
    let key = org.org_key();
    gateway.import(&Fixture::default().with(org).text()).expect_success();
    gateway.serve();
    let encrypted = gateway.tls.take().expect("TLS");
    gateway.configure(&settings);
    // In the accept queue of a listener that the new configuration has no more; whoever is there is still served.
    gateway.hand_over().end();
    assert!(TcpStream::connect(encrypted).is_err(), "nobody listens there any more");
    assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
}

#[test]
fn usage_is_counted_once_by_both() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let mut kept = gateway.connect();
    let mut sent = 0;
    for _ in 0..20 {
        assert_eq!(kept.send(&get(TARGET).key(&key)).status, 200);
        sent += 1;
    }
    let old = gateway.hand_over();
    for _ in 0..20 {
        assert_eq!(gateway.send(&get(TARGET).key(&key)).status, 200);
        sent += 1;
    }
    old.end();
    wait::until("every use is stored", || gateway.usage(&key).0 == sent);
    assert!(gateway.stop().success());
    assert_eq!(gateway.usage(&key).0, sent);
}

#[test]
fn a_signal_in_a_drain_ends_it_at_once() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let mut socket = TcpStream::connect(gateway.address).expect("connect");
    // A request that never ends would be waited for for half a minute.
    let request = get(TARGET).key(&key).bytes("gateway.test");
    socket.write_all(&request[..40]).expect("write");
    std::thread::sleep(Duration::from_millis(100));
    gateway.signal("TERM");
    wait::until("it drains", || gateway.ask("/readyz").status == 503);
    let before = wait::now();
    gateway.signal("TERM");
    assert!(gateway.wait_for_end().success());
    assert!(wait::now().since(before) < Duration::from_secs(6), "the second signal was not heard");
}

#[test]
fn a_reload_while_it_drains_opens_nothing() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let (mut gateway, key) = with_one_key(&settings);
    let mut begun = gateway.connect();
    let request = get(TARGET).key(&key).bytes("gateway.test");
    begun.write(&request[..40]);
    std::thread::sleep(Duration::from_millis(100));
    gateway.signal("TERM");
    let tried = || TcpStream::connect_timeout(&gateway.address, Duration::from_millis(200));
    wait::until("nobody listens", || {
        tried().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    gateway.configure(&settings.with(|value| value["drain"] = json!({ "timeout": "20s" })));
    gateway.signal("HUP");
    // As long as a change of the file may take to be seen.
    let opened = wait::poll(Duration::from_secs(2), || tried().ok());
    assert!(opened.is_none(), "a process that ends listens again");
    begun.write(&request[40..]);
    assert_eq!(begun.reply("GET").expect("an answer").status, 200);
    assert!(gateway.wait_for_end().success());
}

#[test]
fn load_balancers_have_time_to_notice() {
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    let settings = settings.with(|value| value["drain"] = json!({ "delay": "1s", "timeout": "5s" }));
    let (mut gateway, key) = with_one_key(&settings);
    gateway.signal("TERM");
    wait::until("it says so", || gateway.ask("/readyz").status == 503);
    // Who has not noticed yet is served as ever, and keeps the connection.
    let mut late = gateway.connect();
    assert_eq!(late.send(&get(TARGET).key(&key)).header("connection"), None);
    wait::until("it is told then", || {
        late.try_send(&get(TARGET).key(&key)).is_ok_and(|reply| reply.header("connection") == Some("close"))
    });
    assert!(gateway.wait_for_end().success());
    assert!(TcpStream::connect(gateway.address).is_err());
}

#[test]
fn connections_that_come_while_it_stops_are_answered_or_refused() {
    let upstream = Upstream::http();
    let (mut gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let address = gateway.address;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let key = key.clone();
            std::thread::spawn(move || {
                let mut answered = 0;
                // A connection that was made is answered; the first that is not made is the end.
                while let Ok(socket) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
                    let mut connection = Connection::over(socket, address);
                    let reply = connection.try_send(&get(TARGET).key(&key).header("Connection", "close"));
                    assert_eq!(reply.expect("an answer to who was let in").status, 200);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    gateway.signal("TERM");
    assert!(gateway.wait_for_end().success());
    for client in clients {
        assert!(client.join().expect("no connection was cut") > 0);
    }
}
