//! The access log, through files.

use super::*;
use crate::clock::Moment;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

fn record(request_id: &str) -> AccessRecord<'_> {
    AccessRecord {
        at: Moment { mono_ns: 0, unix_ms: 0 },
        request_id,
        trace: None,
        client: IpAddr::from([192, 0, 2, 1]),
        method: "GET",
        host: "",
        path: "/",
        protocol: "HTTP/1.1",
        tls: false,
        client_certificate: None,
        status: 200,
        api: "",
        route: "",
        organization: None,
        project: None,
        token: None,
        user: None,
        refused: None,
        observed: None,
        upstream: None,
        duration: Duration::ZERO,
        upstream_duration: None,
        request_bytes: 0,
        response_bytes: 0,
        user_agent: "",
    }
}

fn open(path: LogPath, sample: f64) -> (AccessLog, Arc<Metrics>) {
    let metrics = Metrics::new(1);
    (AccessLog::open(&config::AccessLog { path, sample }, &metrics).unwrap(), metrics)
}

fn in_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    (folder, path)
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_of_every_worker_is_there_after_a_shutdown() {
    let (_folder, path) = in_folder();
    let (log, metrics) = open(LogPath::File(path.clone()), 1.0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut writer = log.writer();
            scope.spawn(move || (0..1000).for_each(|i| writer.write(&record(&i.to_string()))));
        }
    });
    log.shutdown();
    assert_eq!(lines(&path).len(), 4000);
    assert_eq!(metrics.access_log_dropped().value(), 0);
}

#[test]
fn a_tick_brings_a_partial_buffer_out() {
    let (_folder, path) = in_folder();
    let (log, _metrics) = open(LogPath::File(path.clone()), 1.0);
    let mut writer = log.writer();
    writer.write(&record("one"));
    writer.tick();
    log.shutdown();
    assert_eq!(lines(&path)[0]["request_id"], "one");
}

#[test]
fn after_a_reopen_lines_go_to_the_new_file() {
    let (folder, path) = in_folder();
    let (log, _metrics) = open(LogPath::File(path.clone()), 1.0);
    let mut writer = log.writer();
    writer.write(&record("before"));
    writer.tick();
    let moved = folder.path().join("access.log.1");
    while fs::metadata(&path).unwrap().len() == 0 {
        std::thread::yield_now();
    }
    fs::rename(&path, &moved).unwrap();
    log.reopen();
    writer.write(&record("after"));
    drop(writer);
    log.shutdown();
    assert_eq!(lines(&moved)[0]["request_id"], "before");
    assert_eq!(lines(&path)[0]["request_id"], "after");
}

/// A channel that nobody empties stands for a log that has stopped taking lines.
#[test]
fn a_log_that_takes_no_lines_loses_them_and_blocks_nobody() {
    let (channel, messages) = mpsc::sync_channel(2);
    let dropped = Arc::new(Counter::default());
    let mut writer = LogWriter::new(channel, Arc::clone(&dropped), 1.0);
    for _ in 0..5 {
        writer.write(&record("x"));
        writer.write(&record("y"));
        writer.tick();
    }
    assert_eq!(dropped.value(), 6);
    drop(messages);
    writer.write(&record("z"));
    drop(writer);
    assert_eq!(dropped.value(), 7);
}

#[test]
fn what_the_disk_refuses_is_counted() {
    let (log, metrics) = open(LogPath::File("/dev/full".into()), 1.0);
    let mut writer = log.writer();
    writer.write(&record("x"));
    drop(writer);
    log.shutdown();
    assert_eq!(metrics.access_log_dropped().value(), 1);
}

#[test]
fn a_file_that_can_not_be_opened_is_an_error() {
    let path = LogPath::File("/nowhere/at/all/access.log".into());
    let result = AccessLog::open(&config::AccessLog { path, sample: 1.0 }, &Metrics::new(1));
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn sampling_is_exact_and_even() {
    for (sample, expected) in [(0.0, 0), (0.01, 10), (0.25, 250), (0.5, 500), (1.0, 1000)] {
        let (channel, _messages) = mpsc::sync_channel(1);
        let mut writer = LogWriter::new(channel, Arc::default(), sample);
        let logged = (0..1000).filter(|_| writer.sampled()).count();
        assert!(logged.abs_diff(expected) <= 1, "{sample}: {logged}");
        assert!(sample < 1.0 || logged == 1000);
    }
}
