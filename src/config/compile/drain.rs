//! `drain`: how the process ends.

use super::or;
use crate::config::Drain;
use crate::config::document::Value;
use crate::config::section::Section;

pub(super) fn drain(root: &Section<'_>) -> Option<Drain> {
    let Some(value) = root.get("drain") else { return Some(Drain::default()) };
    let section = value.any_section()?;
    let default = Drain::default();
    let delay = or(&section, "delay", Value::duration, || default.delay);
    let timeout = or(&section, "timeout", Value::duration, || default.timeout);
    Some(Drain { delay: delay?, timeout: timeout? })
}
