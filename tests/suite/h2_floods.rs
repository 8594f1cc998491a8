//! Floods over HTTP/2: what costs a client little and a careless server much. Each has to leave the gateway's memory
//! bounded and its other clients served.

use super::h2_frames::*;
use super::hostile_http1::open_connections;
use crate::support::backend::Backend;
use crate::support::gateway::Gateway;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::wait;
use crate::support::world::with_one_key;
use serde_json::json;
use std::time::Duration;

const PATH: &str = "/v1/open/x";
const SOON: Duration = Duration::from_secs(5);
/// What one connection may make the gateway grow by, in a debug build and with all that its allocator keeps.
const MOST_GROWTH: u64 = 24 << 20;

fn request(more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [
        &[(":method", "GET"), (":scheme", "http"), (":path", PATH), (":authority", "gateway.test")][..],
        more,
    ];
    block(&fields.concat())
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &request(&[]))
}

/// Floods a gateway over one connection, and sees what that does to it. `flood` gives the frames of one round.
fn endures(name: &str, rounds: u32, mut flood: impl FnMut(u32) -> Vec<u8>) {
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let ask = || gateway.send(&crate::support::get("/v1/openapi/other").key(&key)).status;
    assert_eq!(ask(), 200);
    let before = gateway.resident();
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let mut most = before;
    for round in 0..rounds {
        if !raw.write(&flood(round)) {
            break;
        }
        if round % 64 == 0 {
            // It reads, so that it is not the full socket that ends it.
            while raw.next(Duration::from_millis(1)).is_some() {}
            most = most.max(gateway.resident());
        }
        if round % 256 == 0 {
            assert_eq!(ask(), 200, "{name}: others are not served");
        }
    }
    assert_eq!(ask(), 200, "{name}: others are not served");
    most = most.max(gateway.resident());
    assert!(most < before + MOST_GROWTH, "{name}: from {before} to {most} bytes");
    drop(raw);
    wait::until("its connection is given back", || open_connections(&gateway) == 0.0);
}

#[test]
fn resets_at_once_end_the_connection() {
    // CVE-2023-44487: each stream is free again as soon as it is reset, while its request is under way.
    let upstream = Upstream::http();
    let (gateway, key) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    for pause in [false, true] {
        let mut raw = Raw::plain(gateway.address).greet(&[]);
        let mut sent = 0;
        let ended = (0..5000u32).any(|round| {
            sent = round;
            let stream = 2 * round + 1;
            let reset = frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
            let written = match pause {
                // Each request is begun before it is reset.
                true => {
                    let begun = raw.write(&get(stream));
                    std::thread::sleep(Duration::from_micros(500));
                    begun && raw.write(&reset)
                }
                false => raw.write(&[get(stream), reset].concat()),
            };
            let seen = std::iter::from_fn(|| raw.next(Duration::from_micros(100)));
            !written || seen.into_iter().any(|frame| frame.kind == GOAWAY) || raw.is_closed()
        });
        // With pauses many are answered before they are reset, and those are no flood.
        assert!(ended || pause, "pause {pause}: {sent} requests");
        assert_eq!(gateway.send(&crate::support::get("/v1/openapi/other").key(&key)).status, 200);
    }
    assert!(upstream.count() < 6000, "{} requests reached the upstream", upstream.count());
}

#[test]
fn requests_that_are_abandoned_one_after_another_end_the_connection() {
    let backend = Backend::new();
    let (gateway, _) = with_one_key(&Settings::usual(&backend.url()).unlimited());
    // The upstream never answers, so that each is abandoned for certain.
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let mut stream = 1;
    let ended = wait::poll(Duration::from_secs(20), || {
        for _ in 0..20 {
            if !raw.write(&get(stream)) {
                return Some(());
            }
            stream += 2;
        }
        std::thread::sleep(Duration::from_millis(2));
        for back in 1..=20 {
            raw.write(&frame(RST_STREAM, 0, stream - 2 * back, &8u32.to_be_bytes()));
        }
        while raw.next(Duration::from_millis(1)).is_some() {}
        raw.is_closed().then_some(())
    });
    assert!(ended.is_some(), "{stream} streams, and the connection still stands");
}

#[test]
fn streams_that_make_us_reset_them_end_the_connection() {
    // CVE-2025-8671: it is the server that resets, for errors that the client makes on purpose.
    let upstream = Upstream::http();
    let (gateway, _) = with_one_key(&Settings::usual(&upstream.url()).unlimited());
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let ended = (0..5000u32).any(|round| {
        let stream = 2 * round + 1;
        let nought = frame(WINDOW_UPDATE, 0, stream, &[0; 4]);
        let written = raw.write(&[get(stream), nought].concat());
        let calm =
            std::iter::from_fn(|| raw.next(Duration::from_micros(100))).any(|frame| frame.kind == GOAWAY);
        !written || calm || raw.is_closed()
    });
    assert!(ended, "the connection still stands");
}

#[test]
fn field_sections_without_end_are_cut_off() {
    let upstream = Upstream::http();
    let (gateway, _) = with_one_key(&Settings::usual(&upstream.url()));
    let before = gateway.resident();
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let section = request(&[]);
    raw.write(&frame(HEADERS, END_STREAM, 1, &section));
    let field = block(&[("x", &"y".repeat(16_000))]);
    let ended = (0..4000).any(|_| !raw.write(&frame(CONTINUATION, 0, 1, &field)));
    while raw.next(SOON).is_some() {}
    assert!(ended && raw.is_closed(), "64 MB of fields were taken");
    assert!(gateway.resident() < before + MOST_GROWTH);
}

#[test]
fn empty_continuations_are_cut_off() {
    let upstream = Upstream::http();
    let (gateway, _) = with_one_key(&Settings::usual(&upstream.url()));
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    raw.write(&frame(HEADERS, END_STREAM, 1, &request(&[])));
    let many = frame(CONTINUATION, 0, 1, &[]).repeat(1000);
    let ended = (0..1000).any(|_| !raw.write(&many));
    assert!(ended, "a million empty frames were taken");
}

#[test]
fn a_field_that_is_named_a_thousand_times_is_no_bomb() {
    // One field of four KB in the table, and one byte for each time that it is meant.
    let upstream = Upstream::http();
    let (gateway, _) = with_one_key(&Settings::usual(&upstream.url()));
    let before = gateway.resident();
    let mut raw = Raw::plain(gateway.address).greet(&[]);
    let value = "y".repeat(4000);
    let mut entry = vec![0x40, 1, b'x'];
    length(&mut entry, value.len());
    entry.extend(value.as_bytes());
    raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[request(&[]), entry].concat()));
    for round in 1..200 {
        if !raw.write(&frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            2 * round + 1,
            &[request(&[]), vec![0xbe; 10_000]].concat(),
        )) {
            break;
        }
    }
    while raw.next(Duration::from_millis(300)).is_some() {}
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < MOST_GROWTH, "by {grown} bytes");
    let large = upstream.all().iter().any(|record| record.headers.len() > 200);
    assert!(!large, "more than header_size was forwarded");
}

#[test]
fn pings_are_endured() {
    endures("pings", 2000, |_| frame(PING, 0, 0, b"12345678").repeat(50));
}

#[test]
fn settings_are_endured() {
    endures("settings", 2000, |round| settings(&[(4, 65_535 + round % 2)]).repeat(20));
}

#[test]
fn priorities_are_endured() {
    let priority = |stream: u32| frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 9]);
    endures("priorities", 2000, |round| {
        (0..50).flat_map(|n| priority(2 * (50 * round + n) + 1001)).collect()
    });
}

#[test]
fn small_windows_are_endured() {
    endures("windows", 2000, |_| frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()).repeat(50));
}

#[test]
fn empty_data_is_endured() {
    let post = |stream| {
        let fields =
            [(":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "gateway.test")];
        frame(HEADERS, END_HEADERS, stream, &block(&fields))
    };
    endures("empty DATA", 2000, |round| match round {
        0 => post(1),
        _ => frame(DATA, 0, 1, &[]).repeat(50),
    });
}

#[test]
fn unknown_frames_are_endured() {
    endures("unknown frames", 2000, |_| frame(0xbb, 0, 0, &[0; 100]).repeat(20));
}

fn with_idle_timeout(url: &str, time: &str) -> Gateway {
    let settings = Settings::usual(url).unlimited();
    let limits = json!([{ "limits": { "idle_timeout": time } }]);
    with_one_key(&settings.with(|value| value["listeners"] = limits)).0
}

#[test]
fn a_stream_whose_window_never_opens_is_ended() {
    let backend = Backend::new();
    let gateway = with_idle_timeout(&backend.url(), "1s");
    let mut raw = Raw::plain(gateway.address).greet(&[(4, 0)]);
    raw.write(&get(1));
    let mut peer = backend.accept();
    peer.head();
    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    peer.try_write(&[b'x'; 100_000]);
    // The upstream is let go, although the client answers every PING.
    let ended = wait::poll(Duration::from_secs(10), || {
        raw.write(&frame(PING, 0, 0, b"12345678"));
        while raw.next(Duration::from_millis(20)).is_some() {}
        peer.closes_within(Duration::from_millis(50)).then_some(())
    });
    assert!(ended.is_some(), "the upstream is still held");
    // And so is the connection, in the end.
    let ended = wait::poll(Duration::from_secs(10), || {
        raw.write(&frame(PING, 0, 0, b"12345678"));
        while raw.next(Duration::from_millis(20)).is_some() {}
        raw.is_closed().then_some(())
    });
    assert!(ended.is_some(), "the connection still stands");
}

#[test]
fn answers_that_fit_into_memory_do_not_hold_a_connection_for_ever() {
    let upstream = Upstream::http();
    let gateway = with_idle_timeout(&upstream.url(), "500ms");
    let mut raw = Raw::plain(gateway.address).greet(&[(4, 0)]);
    for number in 0..100 {
        raw.write(&get(2 * number + 1));
    }
    let ended = wait::poll(Duration::from_secs(10), || {
        raw.write(&frame(PING, 0, 0, b"12345678"));
        while raw.next(Duration::from_millis(20)).is_some() {}
        raw.is_closed().then_some(())
    });
    assert!(ended.is_some(), "a hundred answers still wait");
}
