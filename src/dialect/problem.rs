//! RFC 9457 problem details, for APIs of neither family and for paths that belong to no API.

use super::{Fault, reason};
use serde_json::{Map, Value};

pub(super) fn envelope(fault: &Fault<'_>) -> String {
    let mut problem = Map::new();
    problem.insert("type".into(), "about:blank".into());
    problem.insert("title".into(), reason(fault.status).into());
    problem.insert("status".into(), fault.status.as_u16().into());
    problem.insert("detail".into(), fault.message.into());
    if let Some((field, constraint)) = fault.field {
        problem.insert("field".into(), field.into());
        problem.insert("constraint".into(), constraint.into());
    }
    Value::Object(problem).to_string()
}
