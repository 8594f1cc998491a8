//! The same agreement for bodies: JSON and multipart in every spelling that backends are known to read differently.

use super::agreement::Arena;
use super::readings;
use crate::support::post;
use crate::support::settings::{FOREIGN, P1, P2};

fn json_bodies() -> Vec<String> {
    const NAMES: [&str; 12] = [
        "projectId",
        "\\u0070rojectId",
        "projectI\\u0064",
        "project\\u0049d",
        "projectid",
        "PROJECTID",
        "ProjectId",
        "projectId ",
        " projectId",
        "projectId\\u0000",
        "projectId[]",
        "project\\/Id",
    ];
    let escaped = |text: &str| text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>();
    let mut values: Vec<String> = [P1, P2, FOREIGN, ""].map(|id| format!("\"{id}\"")).to_vec();
    values.extend([format!("\"{}\"", escaped(P1)), format!("\"{}\"", escaped(FOREIGN))]);
    values.extend(["null", "1", "1e3", "true", "[]", "{}"].map(str::to_owned));
    values.extend([
        format!("[\"{P1}\"]"),
        format!("{{\"$ne\":\"{P1}\"}}"),
        format!("\" {P1}\""),
        format!("\"{P1}\\u0000\""),
    ]);
    let mut list = Vec::new();
    for name in NAMES {
        for value in &values {
            list.push(format!("{{\"{name}\":{value}}}"));
            list.push(format!("{{\"projectId\":\"{P1}\",\"{name}\":{value}}}"));
            list.push(format!("{{ \"{name}\" : {value} , \"projectId\" : \"{P1}\" }}"));
            list.push(format!("{{\"a\":{{\"{name}\":{value}}},\"projectId\":\"{P1}\"}}"));
        }
    }
    for value in [P1, FOREIGN] {
        list.push(format!("{{\"projectId\":\"{P1}\"}}{{\"projectId\":\"{value}\"}}"));
        list.push(format!("{{\"projectId\":\"{P1}\"}}\n{{\"projectId\":\"{value}\"}}"));
        list.push(format!("{{/*\"projectId\":\"{value}\",*/\"projectId\":\"{P1}\"}}"));
        list.push(format!("{{\"projectId\":\"{P1}\",}}"));
        list.push(format!("[{{\"projectId\":\"{value}\"}}]"));
        list.push(format!("{{\"projectId\":'{value}'}}"));
        list.push(format!("{{projectId:\"{value}\"}}"));
        list.push(format!("{{\"\\ud800\":1,\"projectId\":\"{value}\"}}"));
        list.push(format!("\u{feff}{{\"projectId\":\"{value}\"}}"));
        list.push(format!("{{\"projectId\":\"{P1}\"}}\0{{\"projectId\":\"{value}\"}}"));
    }
    list
}

#[test]
fn json_is_read_alike() {
    let mut arena = Arena::new();
    let keys = arena.keys.clone();
    for (number, body) in json_bodies().into_iter().enumerate() {
        let mut request =
            post("/v1/openapi/templates").body("application/json", &body).key(&keys[number % 2]);
        if number % 5 == 0 {
            request = request.chunked(3);
        }
        let Some(record) = arena.ask(&request) else { continue };
        assert_eq!(record.body, body.as_bytes());
        Arena::assert_agreed(&record, &readings::of_json(&record.body), &request);
    }
    arena.assert_enough(500, 50);
}

#[test]
fn the_query_and_the_json_body_are_held_together() {
    let mut arena = Arena::new();
    let keys = arena.keys.clone();
    for query in ["", P1, P2, FOREIGN] {
        for body in ["", P1, P2, FOREIGN] {
            for key in &keys {
                let target = format!("/v1/openapi/templates?projectId={query}");
                let request = post(&target).json(&serde_json::json!({ "projectId": body })).key(key);
                let Some(record) = arena.ask(&request) else { continue };
                Arena::assert_agreed(&record, &readings::of_query(record.query()), &request);
                Arena::assert_agreed(&record, &readings::of_json(&record.body), &request);
            }
        }
    }
    arena.assert_enough(32, 5);
}

/// Heads of a part that some reader takes for the field `projectId`.
const HEADS: [&str; 26] = [
    "Content-Disposition: form-data; name=\"projectId\"",
    "Content-Disposition: form-data; name=projectId",
    "Content-Disposition: form-data; name='projectId'",
    "Content-Disposition: form-data; NAME=\"projectId\"",
    "Content-Disposition: form-data; name = \"projectId\"",
    "Content-Disposition: form-data;name=\"projectId\"",
    "CONTENT-DISPOSITION: FORM-DATA; name=\"projectId\"",
    "content-disposition:form-data; name=\"projectId\"",
    "Content-Disposition : form-data; name=\"projectId\"",
    "Content-Disposition: form-data; name=\"projectid\"",
    "Content-Disposition: form-data; name=\"project%49d\"",
    "Content-Disposition: form-data; name=\"project\\Id\"",
    "Content-Disposition: form-data; name=\"projectId[]\"",
    "Content-Disposition: form-data; name=\"projectId \"",
    "Content-Disposition: form-data; name=\"x\"; name=\"projectId\"",
    "Content-Disposition: form-data; name=\"projectId\"; name=\"x\"",
    "Content-Disposition: form-data; name=\"x\"; name*=UTF-8''projectId",
    "Content-Disposition: form-data; name*=UTF-8''project%49d",
    "Content-Disposition: form-data; name=\"projectId\"; filename=\"a.txt\"",
    "Content-Disposition: form-data; filename=\"a; name=projectId\"; name=\"x\"",
    "Content-Disposition: form-data;\r\n name=\"projectId\"",
    "Content-Disposition: attachment; name=\"projectId\"",
    "Content-Type: text/plain\r\nContent-Disposition: form-data; name=\"projectId\"",
    "Content-Disposition: form-data; name=\"projectId\"\r\nContent-Transfer-Encoding: base64",
    "Content-Disposition: form-data; name=\"projectId\"\r\nContent-Type: text/plain; charset=utf-16",
    "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"projectId\"",
];

fn part(head: &str, value: &str) -> String {
    format!("--B\r\n{head}\r\n\r\n{value}\r\n")
}

/// Content types and bodies.
fn forms() -> Vec<(String, String)> {
    let plain = "multipart/form-data; boundary=B";
    let good = part(HEADS[0], P1);
    let mut list: Vec<(&str, String)> = Vec::new();
    for head in HEADS {
        for value in [P1, P2, FOREIGN, "", " "] {
            let odd = part(head, value);
            list.push((plain, format!("{odd}--B--\r\n")));
            list.push((plain, format!("{good}{odd}--B--\r\n")));
            list.push((plain, format!("{odd}{good}--B--\r\n")));
            list.push((plain, format!("{good}--B--\r\n{odd}--B--\r\n")));
        }
        let odd = part(head, FOREIGN);
        list.push((plain, format!("{odd}{good}--B--\r\n").replace("\r\n", "\n")));
        list.push((plain, format!("{}{good}--B--\r\n", odd.replace("\r\n", "\n"))));
        list.push((plain, format!("preamble\r\n{odd}{good}--B--\r\n")));
        list.push((plain, format!("{good}{}--B--\r\n", odd.replace("--B\r", "--B \t\r"))));
        list.push((plain, format!("{good}{}--B--\r\n", odd.replace("--B\r", "--Bx\r"))));
        list.push((plain, format!("{good}{}", odd)));
    }
    for kind in [
        "multipart/form-data; boundary=\"B\"",
        "Multipart/Form-Data; Boundary=B",
        "multipart/form-data; charset=utf-8; boundary=B",
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data; boundary=C; boundary=B",
        "multipart/form-data; boundary= B",
        "multipart/form-data; boundary*=UTF-8''B",
        "multipart/mixed; boundary=B",
        "multipart/form-data",
    ] {
        let other = part(HEADS[0], FOREIGN).replace("--B", "--C");
        list.push((kind, format!("{good}--B--\r\n")));
        list.push((kind, format!("{other}{good}--B--\r\n--C--\r\n")));
        list.push((kind, format!("{}--B--\r\n", part(HEADS[0], FOREIGN))));
    }
    list.into_iter().map(|(kind, body)| (kind.to_owned(), body)).collect()
}

#[test]
fn multipart_is_read_alike() {
    let mut arena = Arena::new();
    let keys = arena.keys.clone();
    for (number, (kind, body)) in forms().into_iter().enumerate() {
        let mut request = post("/v1/openapi/batch/upload").body(&kind, &body).key(&keys[number % 2]);
        if number % 4 == 0 {
            request = request.chunked(11);
        }
        let Some(record) = arena.ask(&request) else { continue };
        assert_eq!(record.body, body.as_bytes());
        Arena::assert_agreed(&record, &readings::of_multipart(&kind, &record.body), &request);
    }
    arena.assert_enough(500, 30);
}
