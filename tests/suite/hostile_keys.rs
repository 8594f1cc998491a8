//! One address that shows keys that nobody has, tens of thousands of them: they cost the gateway neither memory nor the
//! store's time, and a key that somebody has is served throughout.
//!
//! `PORTCULLIS_UNKNOWN_KEYS=200000` shows the whole of it; the suite shows a tenth.

use crate::support::request::Request;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{get, wait};

const TARGET: &str = "/v1/openapi/other";
const AT_ONCE: usize = 100;
const MOST_GROWTH: u64 = 20 << 20;

/// The `number`th key that nobody has.
fn stranger(number: usize) -> Request {
    let mut state = number as u128 + 1;
    state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    get(TARGET).key(&format!("ocr_{state:032x}{:032x}", state.rotate_left(61) ^ number as u128))
}

#[test]
fn unknown_keys_without_end_cost_neither_memory_nor_the_store() {
    let keys = std::env::var("PORTCULLIS_UNKNOWN_KEYS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000usize);
    let upstream = Upstream::http();
    let settings = Settings::usual(&upstream.url()).unlimited();
    // The budget for unknown keys is the usual one.
    let settings = settings.with(|value| drop(value.as_object_mut().expect("an object").remove("limits")));
    let (gateway, key) = with_one_key(&settings);
    let (mut guesser, mut holder) = (gateway.connect(), gateway.connect());
    assert_eq!(holder.send(&get(TARGET).key(&key)).status, 200);
    // What any first hundred requests cost is no growth.
    (0..AT_ONCE).for_each(|number| drop(guesser.send(&stranger(usize::MAX - number))));
    let looked_up = || gateway.metric("portcullis_token_cache_lookups_total", &[("result", "miss")]);
    let (before, asked_before, start) = (gateway.resident(), looked_up(), wait::now());
    let (mut refused, mut unknown) = (0usize, 0usize);
    for round in 0..keys / AT_ONCE {
        let requests: Vec<u8> = (0..AT_ONCE)
            .flat_map(|number| stranger(round * AT_ONCE + number).bytes("gateway.test"))
            .collect();
        guesser.write(&requests);
        for _ in 0..AT_ONCE {
            match guesser.reply("GET").expect("an answer").status {
                429 => refused += 1,
                401 => unknown += 1,
                other => panic!("{other} for a key that nobody has"),
            }
        }
        // From the same address.
        assert_eq!(holder.send(&get(TARGET).key(&key)).status, 200, "after {round} rounds");
    }
    let grown = gateway.resident().saturating_sub(before);
    assert!(grown < MOST_GROWTH, "{keys} unknown keys cost {grown} bytes");
    // Thirty a minute, and what was left of the first thirty.
    let granted = wait::now().since(start).as_secs_f64() / 2.0 + 31.0;
    let asked = looked_up() - asked_before;
    assert!(asked <= granted && (unknown as f64) <= granted, "the store was asked {asked} times");
    assert_eq!(refused + unknown, keys);
}
