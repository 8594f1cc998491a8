//! Addresses of the pages (`127.0.0.1:8080`, also written `0.0.0.0` and `localhost`) stand for free ports of a loopback address
//! that nobody else uses, and are put back in what was printed.

use crate::support::gateway;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};

const HOSTS: [&str; 3] = ["127.0.0.1:", "0.0.0.0:", "localhost:"];

/// What stands for the ports that were named.
pub(super) struct Addresses {
    ip: IpAddr,
    ports: BTreeMap<u16, u16>,
}

impl Addresses {
    pub(super) fn new() -> Self {
        Self { ip: gateway::addresses()[0].ip(), ports: BTreeMap::new() }
    }

    /// A text with the addresses that are really used.
    pub(super) fn fill(&mut self, text: &str) -> String {
        HOSTS.iter().fold(text.to_owned(), |text, host| self.filled(&text, host))
    }

    /// A text with the addresses of the page.
    pub(super) fn restore(&self, text: &str) -> String {
        let shown = |text: String, (shown, real): (&u16, &u16)| {
            text.replace(&format!("{}:{real}", self.ip), &format!("127.0.0.1:{shown}"))
        };
        self.ports.iter().fold(text.to_owned(), shown)
    }

    fn filled(&mut self, text: &str, host: &str) -> String {
        let mut parts = text.split(host);
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            match part[..digits].parse() {
                Ok(port) => {
                    let real = self.port(port);
                    filled.push_str(&format!("{}:{real}{}", self.ip, &part[digits..]));
                }
                Err(_) => filled.push_str(&format!("{host}{part}")),
            }
        }
        filled
    }

    /// The free port that stands for one of the pages; none for 0, which is any.
    fn port(&mut self, shown: u16) -> u16 {
        if shown == 0 {
            return 0;
        }
        let ip = self.ip;
        *self.ports.entry(shown).or_insert_with(|| {
            let held = TcpListener::bind((ip, 0)).expect("a port");
            held.local_addr().expect("an address").port()
        })
    }
}

#[test]
fn what_is_filled_in_is_put_back() {
    let mut addresses = Addresses::new();
    let text = "http://127.0.0.1:8080/a 0.0.0.0:9090, 127.0.0.1:$port 10.0.0.1:8080 127.0.0.1:8080";
    let filled = addresses.fill(text);
    assert!(!filled.contains(":9090") && filled.contains("127.0.0.1:$port 10.0.0.1:8080"), "{filled}");
    assert_eq!(addresses.restore(&filled), text.replace("0.0.0.0:9090", "127.0.0.1:9090"));
}
