//! `webhooks`: where events may be sent to.

use super::{all, or};
use crate::config::Webhooks;
use crate::config::check::network;
use crate::config::document::Value;
use crate::config::section::Section;

pub(super) fn webhooks(root: &Section<'_>) -> Option<Webhooks> {
    let Some(value) = root.get("webhooks") else { return Some(Webhooks::default()) };
    let section = value.any_section()?;
    let default = Webhooks::default();
    let allow_networks = all(&section.items("allow_networks"), network);
    let timeout = or(&section, "timeout", Value::duration, || default.timeout);
    Some(Webhooks { allow_networks: allow_networks?, timeout: timeout? })
}
