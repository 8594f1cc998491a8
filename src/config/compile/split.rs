//! `upstream` of a route with weights, `sticky`, and `mirror`.

use super::routes::{Owner, reference};
use crate::config::document::Value;
use crate::config::problem::Code;
use crate::config::section::Section;
use crate::config::{Mirror, Split, Target};

/// One upstream by its name, or several with weights.
pub(super) fn target(route: &Section<'_>, value: &Value<'_>, owner: &Owner<'_>) -> Option<Target> {
    let sticky = route.get("sticky");
    if !value.is_section() {
        if let Some(sticky) = &sticky {
            let help = "give `upstream` weights, such as `{ stable: 95, canary: 5 }`, or remove it";
            sticky.report(Code::Conflict, "with one upstream there is nothing to stick to", Some(help));
        }
        return reference(value, value.non_empty()?, owner).map(Target::Upstream);
    }
    let section = value.any_section()?;
    let parts: Vec<Option<(usize, u32)>> = section
        .entries()
        .map(|(key, weight)| {
            let index = reference(&weight, &key.text, owner);
            let weight = weight.integer(0, 1_000_000).and_then(|weight| u32::try_from(weight).ok());
            Some((index?, weight?))
        })
        .collect();
    let parts: Vec<(usize, u32)> = parts.into_iter().collect::<Option<_>>()?;
    if parts.iter().all(|(_, weight)| *weight == 0) {
        let help = "give at least one of them a weight above 0";
        value.report(Code::InvalidValue, "no upstream gets anything", Some(help));
        return None;
    }
    Some(Target::Split(Split { parts, sticky: sticky.is_some() }))
}

/// `mirror: { upstream: shadow, share: 10% }`.
pub(super) fn mirror(value: &Value<'_>, owner: &Owner<'_>) -> Option<Mirror> {
    let section = value.any_section()?;
    let upstream =
        section.required("upstream").and_then(|value| reference(&value, value.non_empty()?, owner));
    let share = super::or(&section, "share", share, || 1.0);
    Some(Mirror { upstream: upstream?, share: share? })
}

/// `10%`, above 0 and at most 100.
fn share(value: &Value<'_>) -> Option<f64> {
    let text = value.non_empty()?;
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.filter(|percent| *percent > 0.0 && *percent <= 100.0).map(|percent| percent / 100.0);
    if share.is_none() {
        let message = format!("{} is not a share of the requests", value.shown());
        value.report(Code::InvalidValue, message, Some("write a percentage above 0, such as `10%`"));
    }
    share
}
