//! A stub resolver for the names of endpoints, on the control side. It tells how long an answer holds, which the system's
//! own (`getaddrinfo`) does not, and asks the servers that the configuration names.

#[doc(hidden)]
pub mod fuzzing;
mod message;
mod system;

use crate::config::Dns;
use aws_lc_rs::rand;
use message::{Answer, Kind};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use system::Conf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How often each server is asked.
const ROUNDS: usize = 2;
/// Least and longest time for which an answer holds, whatever it says.
const LEAST_TTL: Duration = Duration::from_secs(1);
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// How long `/etc/hosts` holds.
const HOSTS_TTL: Duration = Duration::from_secs(10);
/// The code for a name that is not there.
const NO_SUCH_NAME: u8 = 3;

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// It can not be asked for.
    #[error("it is no name that can be resolved")]
    Name,
    /// There is no such name, or it has no address.
    #[error("it has no address")]
    NoAddress,
    /// A server refuses, by its code (RFC 1035, 4.1.1).
    #[error("the name server {0} answered with the code {1}")]
    Refused(SocketAddr, u8),
    /// No answer in time.
    #[error("the name server {0} did not answer within dns.timeout")]
    Timeout(SocketAddr),
    /// It can not be reached.
    #[error("the name server {0} can not be asked")]
    Io(SocketAddr, #[source] io::Error),
}

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In rising order, each once.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub ttl: Duration,
}

/// Resolves a name.
///
/// # Errors
/// [`DnsError`] when there is no address to be had.
pub async fn resolve(name: &str, dns: &Dns) -> Result<Found, DnsError> {
    let mut found = Found { addresses: system::hosts(name).await, ttl: HOSTS_TTL };
    if found.addresses.is_empty() {
        let conf = Conf::read().await;
        let (servers, candidates) = match dns.servers.is_empty() {
            true => (conf.servers.clone(), conf.candidates(name)),
            // Servers of the configuration's own know whole names.
            false => (dns.servers.clone(), vec![name.trim_end_matches('.').to_owned()]),
        };
        found = first(&candidates, &servers, dns.timeout).await?;
    }
    found.addresses.sort_unstable();
    found.addresses.dedup();
    Ok(found)
}

async fn first(names: &[String], servers: &[SocketAddr], time: Duration) -> Result<Found, DnsError> {
    let mut last = DnsError::Name;
    for name in names {
        match both(name, servers, time).await {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// IPv4 and IPv6 addresses; those of IPv6 only where the machine has a way to such, or the name has no others.
async fn both(name: &str, servers: &[SocketAddr], time: Duration) -> Result<Found, DnsError> {
    let (v4, v6) = match has_ipv6().await {
        true => tokio::join!(ask(name, Kind::A, servers, time), ask(name, Kind::Aaaa, servers, time)),
        false => match ask(name, Kind::A, servers, time).await {
            Ok(found) => (Ok(found), Err(DnsError::NoAddress)),
            Err(DnsError::NoAddress) => {
                (Err(DnsError::NoAddress), ask(name, Kind::Aaaa, servers, time).await)
            }
            // Nothing is known of the addresses that can be reached: those that there were are better than others.
            Err(error) => return Err(error),
        },
    };
    match (v4, v6) {
        (Ok(mut found), Ok(more)) => {
            found.addresses.extend(more.addresses);
            found.ttl = found.ttl.min(more.ttl);
            Ok(found)
        }
        (Ok(found), Err(_)) | (Err(DnsError::NoAddress), Ok(found)) => Ok(found),
        (Err(DnsError::NoAddress), Err(error)) | (Err(error), _) => Err(error),
    }
}

/// Whether there is a route to IPv6 addresses at all. Nothing is sent.
async fn has_ipv6() -> bool {
    let somewhere = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 53));
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await {
        Ok(socket) => socket.connect(somewhere).await.is_ok(),
        Err(_) => false,
    }
}

async fn ask(name: &str, kind: Kind, servers: &[SocketAddr], time: Duration) -> Result<Found, DnsError> {
    let mut last = DnsError::Name;
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        let mut id = [0; 2];
        // Without random bytes a guess is as good as any: the port is random all the same.
        let _ = rand::fill(&mut id);
        let Some(question) = message::question(u16::from_be_bytes(id), name, kind) else {
            return Err(DnsError::Name);
        };
        let answer = match timeout(time, exchange(*server, &question, kind)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                last = DnsError::Io(*server, error);
                continue;
            }
            Err(_) => {
                last = DnsError::Timeout(*server);
                continue;
            }
        };
        match answer {
            Answer { code: 0 | NO_SUCH_NAME, addresses, .. } if addresses.is_empty() => {
                return Err(DnsError::NoAddress);
            }
            Answer { code: 0, addresses, ttl_s, .. } => {
                let ttl = Duration::from_secs(ttl_s.unwrap_or(0).into()).clamp(LEAST_TTL, LONGEST_TTL);
                return Ok(Found { addresses, ttl });
            }
            Answer { code, .. } => last = DnsError::Refused(*server, code),
        }
    }
    Err(last)
}

/// One question over UDP, and over TCP when the answer does not fit.
async fn exchange(server: SocketAddr, question: &[u8], kind: Kind) -> io::Result<Answer> {
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port of its own for each question, which with the id makes a forged answer hard to place.
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match message::answer(&buffer[..length], question, kind) {
            Some(answer) if answer.truncated => return over_tcp(server, question, kind).await,
            Some(answer) => return Ok(answer),
            None => {}
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8], kind: Kind) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    let answer = message::answer(&message, question, kind);
    answer.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it answers what was not asked"))
}
