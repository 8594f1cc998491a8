//! What `portcullis demo` prints once it runs: where, who, and the lines to paste.

use super::Addresses;
use super::fixture::{Credentials, OTHER_OWNER, OWNER};
use super::folder::Folder;
use super::lines::{Line, reachable};
use crate::token::Secret;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

const TITLE: Style = Style::new().bold();
const STATUS: Style = AnsiColor::Green.on_default();

/// Writes the whole page. The last line says how to stop, so that a reader knows that nothing follows.
pub(super) fn write(
    out: &mut impl Write,
    addresses: Addresses,
    folder: &Folder,
    credentials: &Credentials,
    lines: &[Line],
) -> io::Result<()> {
    places(out, addresses, folder)?;
    secrets(out, credentials)?;
    heading(out, "Lines to paste, each with the status that it gives")?;
    for line in lines {
        writeln!(out, "{STATUS}# {}{STATUS:#} {}\n{}", line.status, line.title, line.command)?;
    }
    writeln!(out, "\nCtrl-C stops the demo.")
}

fn places(out: &mut impl Write, addresses: Addresses, folder: &Folder) -> io::Result<()> {
    heading(out, "Portcullis runs")?;
    writeln!(out, "  clients, TLS     https://{}", reachable(addresses.tls))?;
    writeln!(out, "  clients, plain   http://{}", reachable(addresses.plain))?;
    writeln!(out, "  operators        http://{}", reachable(addresses.admin))?;
    writeln!(out, "  API reference    http://{}/docs", reachable(addresses.admin))?;
    writeln!(out, "  configuration    {}", folder.path("portcullis.yaml").display())?;
    writeln!(out, "  access log       {}", folder.path("access.log").display())
}

fn secrets(out: &mut impl Write, has: &Credentials) -> io::Result<()> {
    heading(out, "Logins")?;
    for (email, password) in [(OWNER, &has.owner_password), (OTHER_OWNER, &has.other_owner_password)] {
        writeln!(out, "  {email:<26} {}", password.expose())?;
    }
    heading(out, "Keys")?;
    let keys: [(&str, &Secret); 9] = [
        ("every project of My Org", &has.organization),
        ("project Receipt Scanning", &has.project),
        ("every project of Lighthouse", &has.other_organization),
        ("to use up a limit", &has.busy),
        ("expired", &has.expired),
        ("switched off", &has.inactive),
        ("good at 203.0.113.10 only", &has.elsewhere),
        ("oCore, view:servers", &has.viewer),
        ("oCore, manage:servers", &has.manager),
    ];
    for (what, key) in keys {
        writeln!(out, "  {what:<28} {}", key.expose())?;
    }
    Ok(())
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{TITLE}{text}{TITLE:#}")
}
