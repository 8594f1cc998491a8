//! `store.url: postgres://…`, and the keys beside it that only a server needs.

use super::files::{Files, readable};
use super::{or, services::secret_text};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{PemFile, PostgresHost, PostgresStore, PostgresTls};
use crate::token::Secret;
use std::net::IpAddr;
use std::path::PathBuf;

const PORT: u16 = 5432;
const CONNECTIONS: u64 = 8;
/// What a query of the address may hold.
const PARAMETERS: [&str; 6] = ["host", "port", "sslmode", "sslrootcert", "options", "application_name"];
const HELP: &str = "write `postgres://user@host/database`; in user and password, `%40` stands for `@`, `%2F` for `/` and so on";

/// The schemes of an address.
pub(super) fn address(text: &str) -> Option<&str> {
    ["postgres://", "postgresql://"].into_iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// The server that `url` names. The address itself is never repeated: it may hold a password.
pub(super) fn store(section: &Section<'_>, url: &Value<'_>, files: &Files) -> Option<PostgresStore> {
    let rest = address(url.non_empty()?)?;
    let parsed =
        Address::parse(rest).map_err(|what| url.report(Code::InvalidValue, what, Some(HELP))).ok()?;
    let password = or(section, "password", |value| secret_text(value).map(Some), || None)?;
    if password.is_some() && parsed.password.is_some() {
        let what = "the password is in the address too";
        url.report(Code::Conflict, what, Some("keep one of them: `password: ${PORTCULLIS_DB_PASSWORD}`"));
        return None;
    }
    let authorities = match &parsed.authorities {
        Some(path) => Some(authorities(url, files, path)?),
        None => None,
    };
    let connections = or(section, "connections", |value| value.integer(5, 1000), || CONNECTIONS)?;
    let usage = or(
        section,
        "usage",
        |value| value.non_empty().map(|path| files.resolve(path)),
        || files.resolve("data/usage"),
    )?;
    Some(PostgresStore {
        tls: parsed.tls()?,
        hosts: parsed.hosts,
        user: parsed.user,
        password: password.or(parsed.password),
        database: parsed.database,
        authorities,
        options: parsed.options,
        application_name: parsed.application_name.unwrap_or_else(|| "portcullis".to_owned()),
        connections: usize::try_from(connections).ok()?,
        usage,
        read_only: false,
    })
}

fn authorities(url: &Value<'_>, files: &Files, path: &str) -> Option<PemFile> {
    let path = files.named(path);
    match readable(&path).and_then(|()| std::fs::read(&path)) {
        Ok(content) => Some(PemFile { path, content: content.into() }),
        Err(error) => {
            let what = format!("sslrootcert: cannot read the file `{}`: {error}", path.display());
            url.report(
                Code::File,
                what,
                Some("relative paths start from the folder of the configuration file"),
            );
            None
        }
    }
}

/// What an address says.
#[derive(Debug, Default)]
struct Address {
    user: String,
    password: Option<Secret>,
    hosts: Vec<(PostgresHost, u16)>,
    database: String,
    mode: Option<String>,
    authorities: Option<String>,
    options: Option<String>,
    application_name: Option<String>,
}

impl Address {
    fn parse(rest: &str) -> Result<Self, String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').ok_or("the address of the store names no user")?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(Secret::new(decoded(password)?))),
            None => (login, None),
        };
        let mut this =
            Self { user: decoded(user)?, password, database: decoded(database)?, ..Self::default() };
        if this.user.is_empty() {
            return Err("the address of the store names no user".to_owned());
        }
        if this.database.is_empty() {
            this.database.clone_from(&this.user);
        }
        let (mut host, mut port) = (None, PORT);
        for (name, value) in query.split('&').filter(|pair| !pair.is_empty()).map(pair) {
            let value = decoded(value)?;
            match name {
                "host" => host = Some(value),
                "port" => port = value.parse().map_err(|_| "its port is no number from 1 to 65535")?,
                "sslmode" => this.mode = Some(value),
                "sslrootcert" => this.authorities = Some(value),
                "options" => this.options = Some(value),
                "application_name" => this.application_name = Some(value),
                _ => return Err(unknown(name)),
            }
        }
        this.hosts = match (host, hosts) {
            (Some(host), "") => vec![(named(&host)?, port)],
            (Some(_), _) => {
                return Err("it names a host twice: before the database, and after the `?`".to_owned());
            }
            (None, hosts) => hosts.split(',').map(|host| with_port(host, port)).collect::<Result<_, _>>()?,
        };
        this.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let modes = ["disable", "prefer", "require", "verify-ca", "verify-full"];
        if self.mode.as_deref().is_some_and(|mode| !modes.contains(&mode)) {
            return Err(format!("its sslmode is none of {}", modes.join(", ")));
        }
        if self.mode.as_deref() == Some("disable") && self.authorities.is_some() {
            return Err("sslrootcert has no use with sslmode=disable".to_owned());
        }
        Ok(self)
    }

    fn tls(&self) -> Option<PostgresTls> {
        let near = self.hosts.iter().all(|(host, _)| is_of_this_machine(host));
        let sockets = self.hosts.iter().all(|(host, _)| matches!(host, PostgresHost::Folder(_)));
        Some(match (self.mode.as_deref(), self.authorities.is_some()) {
            _ if sockets => PostgresTls::Off,
            (Some("disable"), _) => PostgresTls::Off,
            (Some("prefer"), _) => PostgresTls::Preferred,
            // As PostgreSQL's own clients: who names an authority wants it to be asked for.
            (Some("require"), false) => PostgresTls::Encrypted,
            (Some("require" | "verify-ca"), _) => PostgresTls::SignedBy,
            (None, false) if near => PostgresTls::Preferred,
            _ => PostgresTls::Verified,
        })
    }
}

fn pair(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

fn unknown(name: &str) -> String {
    match name {
        "password" | "user" => {
            "user and password stand before the host, or the password in `store.password`".to_owned()
        }
        _ => format!("after its `?`, only these are known: {}", PARAMETERS.join(", ")),
    }
}

fn with_port(text: &str, port: u16) -> Result<(PostgresHost, u16), String> {
    let bad = || "a port of it is no number from 1 to 65535".to_owned();
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, port),
        Some((host, rest)) => {
            (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(bad)?)
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
            None => (text, port),
        },
    };
    if port == 0 {
        return Err(bad());
    }
    Ok((named(&decoded(host)?)?, port))
}

fn named(host: &str) -> Result<PostgresHost, String> {
    if host.starts_with('/') {
        return Ok(PostgresHost::Folder(PathBuf::from(host)));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(good) {
        return Err(
            "it names no host: a name, an address, or the folder of a socket (`?host=/run/postgresql`)"
                .to_owned(),
        );
    }
    Ok(PostgresHost::Name(host.to_owned()))
}

fn is_of_this_machine(host: &PostgresHost) -> bool {
    match host {
        PostgresHost::Folder(_) => true,
        PostgresHost::Name(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// With `%XX` as the byte that it stands for.
fn decoded(text: &str) -> Result<String, String> {
    let bad =
        || "a `%` in it is not followed by two hexadecimal digits, or stands for what is no text".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits =
                after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(bad)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(address(text).unwrap()).unwrap()
    }

    fn refused(text: &str) -> String {
        Address::parse(address(text).unwrap()).unwrap_err()
    }

    fn name(host: &str, port: u16) -> (PostgresHost, u16) {
        (PostgresHost::Name(host.to_owned()), port)
    }

    #[test]
    fn an_address_says_who_and_where() {
        let it = parse("postgres://me:p%40ss%2f@db.example.com:6432/keys");
        assert_eq!((it.user.as_str(), it.database.as_str()), ("me", "keys"));
        assert_eq!(it.password.as_ref().map(Secret::expose), Some("p@ss/"));
        assert_eq!(it.hosts, [name("db.example.com", 6432)]);
        let it = parse("postgresql://me@[::1]:1,b/x?application_name=a&options=-c%20search_path%3Dp");
        assert_eq!(it.hosts, [name("::1", 1), name("b", 5432)]);
        assert_eq!(
            (it.options.as_deref(), it.application_name.as_deref()),
            (Some("-c search_path=p"), Some("a"))
        );
        let it = parse("postgres://me@/?host=/run/postgresql&port=7");
        assert_eq!(it.hosts, [(PostgresHost::Folder("/run/postgresql".into()), 7)]);
        assert_eq!(it.database, "me");
    }

    #[test]
    fn a_server_elsewhere_has_to_prove_itself_unless_the_address_says_otherwise() {
        for (text, want) in [
            ("postgres://me@db/x", PostgresTls::Verified),
            ("postgres://me@db,localhost/x", PostgresTls::Verified),
            ("postgres://me@10.0.0.1/x?sslmode=verify-full", PostgresTls::Verified),
            ("postgres://me@db/x?sslmode=verify-ca", PostgresTls::SignedBy),
            ("postgres://me@db/x?sslmode=require", PostgresTls::Encrypted),
            ("postgres://me@db/x?sslmode=require&sslrootcert=a.pem", PostgresTls::SignedBy),
            ("postgres://me@db/x?sslmode=disable", PostgresTls::Off),
            ("postgres://me@localhost/x", PostgresTls::Preferred),
            ("postgres://me@127.0.0.1/x", PostgresTls::Preferred),
            ("postgres://me@127.0.0.1/x?sslrootcert=a.pem", PostgresTls::Verified),
            ("postgres://me@/x?host=/run/postgresql", PostgresTls::Off),
        ] {
            assert_eq!(parse(text).tls(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
        for (text, want) in [
            ("postgres://db/x", "names no user"),
            ("postgres://:hunter2@db/x", "names no user"),
            ("postgres://me:hunter2@db:0/x", "no number from 1"),
            ("postgres://me:hunter2@db:x/x", "no number from 1"),
            ("postgres://me:hunter2@/x", "names no host"),
            ("postgres://me:hunter2@db/x?host=/tmp", "a host twice"),
            ("postgres://me:hunter2@db/x?sslmode=hunter2", "none of disable"),
            ("postgres://me@db/x?password=hunter2", "before the host"),
            ("postgres://me@db/x?hunter2=1", "only these are known"),
            ("postgres://me:hunter%2@db/x", "hexadecimal"),
            ("postgres://me:hunter%00@db/x", "no text"),
        ] {
            let said = refused(text);
            assert!(said.contains(want) && !said.contains("hunter"), "{text}: {said}");
        }
    }
}
