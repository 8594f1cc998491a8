//! The console, as people use it: each test is a scenario of `console/e2e/scenarios`, done in Chromium against a gateway of its own.
//!
//! Screenshots of every page are left in `target/console-screenshots`; of a scenario that fails, in `failures` there.

mod world;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use world::World;

/// A scenario that takes longer hangs. The rest of the suite may have all the cores.
const PATIENCE: Duration = Duration::from_secs(180);

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        const SCENARIOS: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios! {
    account,
    api_keys,
    audit_log,
    first_load,
    forgotten_password,
    founding_document,
    gateway,
    invitation,
    invitations,
    members,
    new_token,
    operations,
    organizations,
    people,
    projects,
    roles,
    second_factor,
    settings,
    sign_in,
    sign_in_locked_out,
    token,
    tokens,
    usage,
    webhooks,
}

#[test]
fn every_scenario_has_a_test() {
    let folder = std::fs::read_dir(folder().join("e2e/scenarios")).expect("the scenarios");
    let names = folder.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut found: Vec<String> = names.map(|name| name.trim_end_matches(".js").replace('-', "_")).collect();
    let mut known: Vec<String> = SCENARIOS.iter().map(|name| (*name).to_owned()).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

/// What the program in the browser takes for a page, the gateway serves; and nothing else.
#[test]
fn the_gateway_serves_the_pages_that_the_console_has() {
    let routes = std::fs::read_to_string(folder().join("src/app/routes.ts")).expect("the routes");
    let table = routes.split_once("createRouter({").and_then(|(_, rest)| rest.split_once("\n});"));
    let lines = table.expect("the table of routes").0.lines();
    let paths = lines.filter_map(|line| line.trim().strip_prefix("\"/")?.split_once("\": "));
    let mut wanted: Vec<String> = paths.map(|(path, _)| format!("/{path}")).collect();
    let mut served: Vec<String> = portcullis::console::PAGES.iter().map(|it| (*it).to_owned()).collect();
    wanted.sort();
    served.sort();
    assert_eq!(served, wanted, "console::PAGES and console/src/app/routes.ts");
}

/// The front end's folder.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("console")
}

/// Runs a scenario to its end, and fails with what it says.
#[track_caller]
fn run(name: &str) {
    let world = World::start();
    let mut said = world.describe();
    said["screenshots"] = screenshots().display().to_string().into();
    let mut child = Command::new("node")
        .arg("e2e/run.js")
        .arg(name.replace('_', "-"))
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node: scripts/setup.sh test says what is missing");
    // Open until the scenario has ended: it goes away with this process.
    let mut input = child.stdin.take().expect("its input");
    writeln!(input, "{said}").expect("it reads");
    let mut output = child.stderr.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = output.read_to_string(&mut text);
        text
    });
    let ended = crate::support::wait::poll(PATIENCE, || child.try_wait().expect("wait"));
    if ended.is_none() {
        child.kill().expect("kill");
        child.wait().expect("wait");
    }
    let text = reader.join().expect("what it said");
    let good = ended.is_some_and(|status| status.success());
    assert!(good, "{name}: {ended:?}\n{text}\nthe gateway:\n{}", world.gateway.stderr());
}

fn screenshots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("console-screenshots")
}
