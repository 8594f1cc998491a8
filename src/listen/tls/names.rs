//! Which certificate is shown: by the name that a client asks for, and by the kinds of keys that it knows.

use super::ACME_TLS;
use super::certificate::{Certificate, Expiry};
use super::obtained::Obtained;
use crate::config::CertificateFiles;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Certificates by the names in them. Exact names go before wildcards, and a wildcard stands for one label (RFC 6125,
/// 6.4.3). Several certificates may be for one name, with keys of different kinds.
#[derive(Debug)]
pub(super) struct ByName {
    certificates: Vec<Arc<Certificate>>,
    /// Places in `certificates`, in their order; a wildcard under what follows its `*`.
    exact: HashMap<Box<str>, Vec<usize>>,
    wildcards: HashMap<Box<str>, Vec<usize>>,
    acme: Option<ByAcme>,
}

/// Where a certificate is that is obtained while the gateway runs.
#[derive(Clone, Debug)]
pub(super) struct ByAcme {
    pub(super) name: String,
    pub(super) obtained: Arc<Obtained>,
}

impl ByName {
    /// The first is the default; what was obtained, where there is none.
    pub(super) fn new(certificates: Vec<Arc<Certificate>>, acme: Option<ByAcme>) -> Self {
        let (mut exact, mut wildcards) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (place, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                let (map, name) = match name.strip_prefix('*') {
                    Some(rest) => (&mut wildcards, rest),
                    None => (&mut exact, &**name),
                };
                map.entry(name.into()).or_default().push(place);
            }
        }
        Self { certificates, exact, wildcards, acme }
    }

    /// When each ends.
    pub(super) fn expiries(&self) -> Vec<Expiry> {
        let obtained = self.obtained();
        self.certificates.iter().chain(&obtained).map(|certificate| certificate.expiry.clone()).collect()
    }

    /// The certificate that was read from these files.
    pub(super) fn of(&self, files: &CertificateFiles) -> Option<Arc<Certificate>> {
        self.certificates.iter().find(|certificate| certificate.files.as_ref() == Some(files)).cloned()
    }

    /// Whether there is a certificate for a name, or an authority may look at it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.places(name).is_some() || self.obtained_for(name).is_some() || self.proof(name).is_some()
    }

    fn obtained(&self) -> Option<Arc<Certificate>> {
        let acme = self.acme.as_ref()?;
        acme.obtained.certificate(&acme.name)
    }

    fn obtained_for(&self, name: &str) -> Option<Arc<Certificate>> {
        self.obtained().filter(|certificate| certificate.is_for(&name.to_ascii_lowercase()))
    }

    fn proof(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.acme.as_ref()?.obtained.proof(name)
    }

    fn places(&self, name: &str) -> Option<&[usize]> {
        // rustls gives lower case, to be sure of it costs nothing next to a handshake.
        let name = name.to_ascii_lowercase();
        let wildcard = || self.wildcards.get(name.find('.').map(|dot| &name[dot..])?);
        self.exact.get(&*name).or_else(wildcard).map(|places| &**places)
    }

    /// The first of them whose kind of key the client can verify; the first, where it can verify none and will say so.
    fn choose(&self, places: &[usize], hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let of = |place: &usize| self.certificates.get(*place).map(|certificate| &certificate.key);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let fitting = places.iter().filter_map(of).find(fits);
        fitting.or_else(|| places.first().and_then(of)).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority that looks offers nothing else (RFC 8737, 3), and is shown nothing else.
        if hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_TLS)) {
            let only = hello.alpn().is_some_and(|offered| offered.count() == 1);
            return hello.server_name().filter(|_| only).and_then(|name| self.proof(name));
        }
        if let Some(places) = hello.server_name().and_then(|name| self.places(name)) {
            return self.choose(places, &hello);
        }
        if let Some(obtained) = hello.server_name().and_then(|name| self.obtained_for(name)) {
            return Some(obtained.key.clone());
        }
        // The default, in the kind of key that the client knows: what stands beside it for the same name.
        let Some(first) = self.certificates.first() else {
            return self.obtained().map(|obtained| obtained.key.clone());
        };
        let beside = first.names.first().and_then(|name| {
            let (map, name) =
                name.strip_prefix('*').map_or((&self.exact, &**name), |rest| (&self.wildcards, rest));
            map.get(name)
        });
        beside.and_then(|places| self.choose(places, &hello)).or_else(|| Some(first.key.clone()))
    }
}
