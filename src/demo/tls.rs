//! The demo's certificate: self-signed, for loopback names only, kept while it is valid.

use super::DemoError;
use super::folder::Folder;
use crate::clock::Moment;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The certificate's file in the data folder; the configuration names it and the next.
pub(super) const CERT: &str = "tls/cert.pem";
const KEY: &str = "tls/key.pem";

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long a new certificate is valid.
const DAYS: i64 = 365;
/// A certificate is made anew when less than this is left of it.
const SPARE_MS: u64 = 30 * 86_400_000;
/// Opens the line above the certificate that says until when it is good; PEM readers skip such text.
const UNTIL: &str = "Good until (ms since 1970): ";

/// Makes certificate and key unless a pair is there that stays valid for a month.
pub(super) fn ensure(folder: &Folder, now: Moment) -> Result<(), DemoError> {
    let kept = folder.read(CERT)?.and_then(|text| good_until(&text));
    if kept.is_some_and(|until| until > now.unix_ms + SPARE_MS) && folder.read(KEY)?.is_some() {
        return Ok(());
    }
    let (cert, key) = make(now).map_err(DemoError::Certificate)?;
    // The key first: a certificate without its key is never taken for a pair.
    folder.write(KEY, &key)?;
    folder.write(CERT, &cert)?;
    Ok(())
}

fn good_until(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(UNTIL))?.parse().ok()
}

/// The certificate and its key as PEM. ECDSA on P-256, which every client knows.
fn make(now: Moment) -> Result<(String, String), rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Portcullis demo");
    let today = i64::try_from(now.unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
        .date();
    let until = today.saturating_add(DAYS.days());
    // Months and days of a civil date are 1 to 12 and 1 to 31: taking the sign off changes nothing.
    let [from, to] = [today, until].map(|day| {
        rcgen::date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
    });
    params.not_before = from;
    params.not_after = to;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    let until_ms = until.to_zoned(TimeZone::UTC).map_or(0, |day| day.timestamp().as_millisecond());
    Ok((format!("{UNTIL}{until_ms}\n{}", cert.pem()), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    use std::time::Duration;

    #[test]
    fn a_pair_is_kept_until_it_grows_old() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        let now = Moment { mono_ns: 0, unix_ms: 1_790_000_000_000 };
        ensure(&folder, now).unwrap();
        let first = folder.read(CERT).unwrap();
        CertificateDer::from_pem_file(folder.path(CERT)).unwrap();
        PrivateKeyDer::from_pem_file(folder.path(KEY)).unwrap();
        ensure(&folder, now.after(Duration::from_secs(300 * 86_400))).unwrap();
        assert_eq!(folder.read(CERT).unwrap(), first);
        ensure(&folder, now.after(Duration::from_secs(350 * 86_400))).unwrap();
        assert_ne!(folder.read(CERT).unwrap(), first);
    }
}
