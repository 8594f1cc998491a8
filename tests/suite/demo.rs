//! `portcullis demo`, as a person uses it: every printed line, pasted into a shell, gives the status it is printed with.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A running demo; killed when dropped.
struct Demo {
    process: Child,
    /// What it printed until it was ready.
    page: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One printed line: the status that stands above it, and the command.
struct Line {
    status: String,
    title: String,
    command: String,
}

fn command(data: &Path, plain: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("demo").arg("--data").arg(data);
    command.args(["--listen-tls", "127.0.0.1:0", "--listen-plain", plain, "--admin", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(data: &Path) -> Demo {
    let mut process = command(data, "127.0.0.1:0").spawn().expect("the demo starts");
    let mut out = BufReader::new(process.stdout.take().expect("piped"));
    let mut page = String::new();
    loop {
        let from = page.len();
        if out.read_line(&mut page).expect("the page is text") == 0 {
            let mut errors = String::new();
            let _ = process.stderr.take().expect("piped").read_to_string(&mut errors);
            panic!("the demo ended: {errors}\nit had printed: {page}");
        }
        if page[from..].starts_with("Ctrl-C stops") {
            break;
        }
    }
    // Read on, so that whatever else the process prints never fills a pipe and stops it.
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    let mut errors = process.stderr.take().expect("piped");
    std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
    Demo { process, page }
}

impl Demo {
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut printed = self.page.lines();
        while let Some(line) = printed.next() {
            if let Some((status, title)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
                let command = printed.next().expect("a command stands under each title");
                lines.push(Line { status: status.into(), title: title.into(), command: command.into() });
            }
        }
        lines
    }

    fn keys(&self) -> BTreeSet<String> {
        let words = self.page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words
            .filter(|word| word.starts_with("ocr_") || word.starts_with("ocore_k_"))
            .map(str::to_owned)
            .collect()
    }
}

fn paste(command: &str) -> Output {
    // Another folder than the demo's, and no proxy or .curlrc of the person who runs the tests.
    Command::new("sh")
        .arg("-c")
        .arg(command)
        .current_dir("/")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("CURL_HOME", "/nonexistent")
        .output()
        .expect("a shell")
}

#[test]
fn every_printed_line_gives_the_status_it_is_printed_with() {
    let folder = tempfile::tempdir().unwrap();
    let demo = start(folder.path());
    let lines = demo.lines();
    assert!(lines.len() >= 25, "only {} lines:\n{}", lines.len(), demo.page);
    let mut wrong = Vec::new();
    for line in lines {
        let output = paste(&line.command);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if printed.lines().last() != Some(&line.status) {
            wrong.push(format!(
                "{} ({}):\n{}\ngave: {printed}{}",
                line.title,
                line.status,
                line.command,
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} lines are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_backend_sees_an_identity_and_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let demo = start(folder.path());
    let line = demo.lines().into_iter().find(|line| line.command.contains("/v1/openapi/whoami")).unwrap();
    let output = paste(&line.command);
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(seen.contains("x-gateway-organization-id") && seen.contains("Bearer eyJ"), "{seen}");
    assert!(!seen.contains("ocr_") && !seen.contains("x-api-key"), "{seen}");
}

#[test]
fn a_second_run_prints_the_same_keys_and_only_one_file_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path());
    let keys = first.keys();
    assert_eq!(keys.len(), 9, "{}", first.page);
    drop(first);
    let second = start(folder.path());
    assert_eq!(second.keys(), keys);
    // The database proves itself: the old keys still open it.
    let line = &second.lines()[0];
    assert_eq!(String::from_utf8_lossy(&paste(&line.command).stdout).lines().last(), Some("200"));
    drop(second);
    let holders: Vec<_> = files(folder.path()).into_iter().filter(|path| holds(path, &keys)).collect();
    assert_eq!(holders, [folder.path().join("demo-keys.json")]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(path: &Path, keys: &BTreeSet<String>) -> bool {
    let bytes = std::fs::read(path).expect("readable");
    let text = String::from_utf8_lossy(&bytes);
    keys.iter().any(|key| text.contains(key))
}

#[test]
fn a_taken_port_is_named_with_the_option_that_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(folder.path(), &address).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(&address) && errors.contains("--listen-plain"), "{errors}");
}

#[test]
fn two_demos_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path());
    let output = command(folder.path(), "127.0.0.1:0").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("--data"), "{errors}");
}
