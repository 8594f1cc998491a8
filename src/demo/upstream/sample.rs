//! The sample backend's made-up data: the same for the same project, every time.

use super::form::Part;
use serde_json::{Value, json};

/// Documents that every project has.
const DOCUMENTS: u64 = 23;
const WHEN: &str = "2026-01-10T09:00:00.000Z";

/// The templates of a project, as a bare array.
pub(super) fn templates(project: &str) -> Value {
    ["Receipt", "Invoice"].map(|name| template_named(project, &id(project, name, 0), name)).to_vec().into()
}

/// One template.
pub(super) fn template(project: &str, id: &str) -> Value {
    template_named(project, id, "Receipt")
}

/// The answer to making a template.
pub(super) fn new_template(project: &str, sent: &Value) -> Value {
    let name = sent["name"].as_str().unwrap_or("Untitled");
    template_named(project, &id(project, name, 1), name)
}

fn template_named(project: &str, id: &str, name: &str) -> Value {
    json!({ "templateId": id, "name": name, "projectId": project, "createdAt": WHEN })
}

/// One page of a project's documents.
pub(super) fn history(project: &str, page: u64, limit: u64) -> Value {
    let from = page.saturating_sub(1).saturating_mul(limit).min(DOCUMENTS);
    let to = from.saturating_add(limit).min(DOCUMENTS);
    let data: Vec<_> = (from..to).map(|n| numbered(project, &id(project, "document", n), n)).collect();
    let pages = DOCUMENTS.div_ceil(limit);
    json!({ "data": data,
            "pagination": { "page": page, "limit": limit, "total": DOCUMENTS, "pages": pages } })
}

/// One document.
pub(super) fn document(project: &str, id: &str) -> Value {
    numbered(project, id, 0)
}

/// How many documents are in which state.
pub(super) fn stats(project: &str) -> Value {
    let count = |state| (0..DOCUMENTS).filter(|n| state_of(*n) == state).count();
    json!({ "projectId": project, "total": DOCUMENTS, "completed": count("completed"),
            "in_progress": count("in_progress"), "failed": count("failed"), "queued": count("queued") })
}

fn numbered(project: &str, id: &str, n: u64) -> Value {
    json!({ "id": id, "projectId": project, "fileName": format!("scan-{:03}.pdf", n + 1),
            "status": state_of(n), "createdAt": WHEN })
}

fn state_of(n: u64) -> &'static str {
    match n % 5 {
        0 | 1 => "completed",
        2 => "in_progress",
        3 => "failed",
        _ => "queued",
    }
}

/// The answer to an upload.
pub(super) fn upload(project: &str, parts: &[Part<'_>]) -> Value {
    let file = parts.iter().find(|part| part.file_name.is_some());
    let name = file.and_then(|part| part.file_name).unwrap_or("unnamed");
    let id = id(project, name, 2);
    json!({ "id": id, "fileName": name, "fileSize": file.map_or(0, |part| part.value.len()),
            "fileUrl": format!("/files/{id}"), "publicUrl": format!("https://files.example.com/{id}"),
            "projectId": project, "status": "uploaded" })
}

/// The answer to an upload of several files.
pub(super) fn batch(project: &str, parts: &[Part<'_>]) -> Value {
    let files: Vec<_> = parts.iter().filter_map(|part| part.file_name).collect();
    let uploads: Vec<_> = files.iter().map(|name| id(project, name, 2)).collect();
    json!({ "id": id(project, "batch", files.len() as u64), "projectId": project, "totalFiles": files.len(),
            "completedFiles": 0, "failedFiles": 0, "status": "processing", "uploadIds": uploads })
}

/// The servers, as the list that a backend of that API family answers.
pub(super) fn servers() -> Value {
    let data: Vec<_> =
        ["web-1", "web-2"].map(|name| json!({ "id": name, "name": name, "status": "active" })).to_vec();
    json!({ "data": data, "next_cursor": null, "has_more": false })
}

/// The answer to adding a server: it exists, and is being validated.
pub(super) fn new_server(sent: &Value) -> Value {
    json!({ "id": "srv-new", "name": sent["name"], "status": "validating", "provisioningStep": "queued" })
}

/// The instances.
pub(super) fn instances() -> Value {
    json!({ "data": [{ "id": "inst-1", "name": "web-1-a", "status": "Running" }],
            "next_cursor": null, "has_more": false })
}

/// The answer to asking for an instance: accepted, not there yet.
pub(super) fn new_instance(sent: &Value) -> Value {
    json!({ "id": "inst-new", "name": sent["name"], "status": "Creating" })
}

/// 24 hexadecimal digits that depend on nothing but the arguments (FNV-1a, run twice).
fn id(project: &str, kind: &str, n: u64) -> String {
    let fold = |seed: u64| {
        let text = project.bytes().chain(*b"/").chain(kind.bytes()).chain(n.to_le_bytes());
        text.fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let low = fold(0xcbf2_9ce4_8422_2325);
    format!("{low:016x}{:08x}", fold(low) >> 32)
}
