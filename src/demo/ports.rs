//! Makes sure that the demo's addresses are free before anything else happens.
//!
//! The gateway's own listeners share their port between workers (`SO_REUSEPORT`), so that a second demo would
//! quietly take half of the first one's connections; an exclusive bind beforehand tells.

use super::{Addresses, DemoError, DemoOptions};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Checks the three addresses, and picks a free port where one is 0.
pub(super) fn reserve(options: &DemoOptions) -> Result<Addresses, DemoError> {
    let tls = bind(options.listen_tls, "--listen-tls")?;
    let plain = bind(options.listen_plain, "--listen-plain")?;
    let admin = bind(options.admin, "--admin")?;
    // All three are held until here, so that three times port 0 gives three ports.
    Ok(Addresses { tls: tls.1, plain: plain.1, admin: admin.1 })
}

fn bind(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), DemoError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        let actual = listener.local_addr()?;
        Ok((listener, actual))
    });
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => DemoError::InUse { address, option },
        _ => DemoError::Bind { address, option, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_named_with_its_option() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = DemoOptions {
            data: "unused".into(),
            listen_tls: free,
            listen_plain: taken.local_addr().unwrap(),
            admin: free,
        };
        let error = reserve(&options).unwrap_err().to_string();
        assert!(error.contains("is in use") && error.contains("--listen-plain"), "{error}");
    }

    #[test]
    fn port_zero_becomes_three_different_ports() {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let options =
            DemoOptions { data: "unused".into(), listen_tls: free, listen_plain: free, admin: free };
        let got = reserve(&options).unwrap();
        assert!(
            got.tls.port() != 0 && got.tls != got.plain && got.plain != got.admin && got.admin != got.tls
        );
    }
}
