//! What the system says of names: `/etc/hosts` and `/etc/resolv.conf`, read anew for each look-up.

use std::net::{IpAddr, SocketAddr};

/// Port of name servers.
const PORT: u16 = 53;

/// What `/etc/resolv.conf` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conf {
    pub(super) servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl Conf {
    /// As it is now; a system without the file asks itself, as is usual.
    pub(super) async fn read() -> Self {
        Self::parse(&tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut conf = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    conf.servers.extend(address.map(|address| SocketAddr::new(address, PORT)));
                }
                Some("search" | "domain") => conf.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let mut ndots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    conf.ndots = ndots.next_back().unwrap_or(conf.ndots).min(15);
                }
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        conf
    }

    /// The names that a name may stand for, in the order in which they are tried.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        let own = name.trim_end_matches('.').to_owned();
        if name.ends_with('.') {
            return vec![own];
        }
        let searched = self.search.iter().map(|domain| format!("{own}.{domain}"));
        match own.matches('.').count() >= self.ndots {
            true => std::iter::once(own.clone()).chain(searched).collect(),
            false => searched.chain(std::iter::once(own.clone())).collect(),
        }
    }
}

/// The addresses of a name in `/etc/hosts`. `localhost` has its own in any case (RFC 6761, 6.3).
pub(super) async fn hosts(name: &str) -> Vec<IpAddr> {
    let text = tokio::fs::read_to_string("/etc/hosts").await.unwrap_or_default();
    let found = in_hosts(&text, name.trim_end_matches('.'));
    match found.is_empty() && name.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        true => vec![IpAddr::from([127, 0, 0, 1])],
        false => found,
    }
}

fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let entry = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next()?.parse::<IpAddr>().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_honoured() {
        let conf = Conf::parse(
            "# x\nnameserver 10.0.0.53\nnameserver ::1\nsearch svc.local local\noptions timeout:1 ndots:2\n",
        );
        assert_eq!(conf.servers, ["10.0.0.53:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(conf.candidates("api"), ["api.svc.local", "api.local", "api"]);
        assert_eq!(
            conf.candidates("a.b.example"),
            ["a.b.example", "a.b.example.svc.local", "a.b.example.local"]
        );
        assert_eq!(conf.candidates("api."), ["api"]);
        assert_eq!(Conf::parse("").servers, ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn hosts_are_honoured() {
        let text = "127.0.0.1 localhost\n10.0.0.1\tApi api.local # 10.0.0.9 api\n#10.0.0.2 api\n::5 api\n";
        let found = in_hosts(text, "api");
        assert_eq!(found, ["10.0.0.1".parse::<IpAddr>().unwrap(), "::5".parse().unwrap()]);
        assert!(in_hosts(text, "other").is_empty());
    }
}
