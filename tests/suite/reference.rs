//! The interactive reference at `/docs`, in a real Chromium: it shows both dialects, its requests work, and nothing of it
//! asks any other host.

use crate::support::browser::Browser;
use crate::support::client::Connection;
use crate::support::get;
use crate::support::person::House;
use crate::support::settings::ORG;
use crate::support::wait;
use serde_json::Value;

/// The block of an operation, opened.
fn opened<'s>(browser: &Browser, id: &'s str) -> impl Fn(&str) -> String + use<'s> {
    let inside = move |selector: &str| format!(".opblock[id$='-{id}'] {selector}");
    browser.find(&inside(".opblock-summary-control")).click();
    inside
}

/// Executes an opened operation; gives status and body.
fn executed(browser: &Browser, inside: impl Fn(&str) -> String) -> (String, Value) {
    browser.find(&inside(".execute")).click();
    let status = browser.find(&inside(".live-responses-table tbody .response-col_status")).text();
    let body = browser.find(&inside(".live-responses-table tbody .response-col_description pre")).text();
    let status = status.split_whitespace().next().unwrap_or_default().to_owned();
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

/// Has the reference show this token of a person with what is executed next.
fn authorize(browser: &Browser, token: &str) {
    browser.find(".auth-wrapper .authorize").click();
    let form = "Array.from(document.querySelectorAll('.auth-container'))
        .find(it => it.querySelector('h4 code')?.innerText === 'session')";
    browser.find(".auth-container input");
    browser.run(&format!("{form}.querySelector('input').id = 'session-token'"));
    browser.find("#session-token").enter(token);
    browser.run(&format!("{form}.querySelector('button[type=submit]').id = 'session-submit'"));
    browser.find("#session-submit").click();
    browser.find(".auth-container .btn-done").click();
}

#[test]
fn the_reference_shows_both_dialects_and_its_requests_work() {
    let house = House::open();
    let admin = format!("http://{}", house.gateway.admin);
    let browser = Browser::start();
    browser.open(&format!("{admin}/docs"));
    browser.find(".opblock");
    wait::until("every operation is shown", || browser.all(".opblock").len() > 70);
    let text = browser.text();
    for chapter in ["Ocriva: keys", "oCore: API keys", "Edge: by key"] {
        assert!(text.contains(chapter), "{chapter}");
    }

    // The example in the document is somebody of this house.
    let (status, login) = executed(&browser, opened(&browser, "logIn"));
    assert_eq!(status, "200", "{login}");
    let token = login["accessToken"].as_str().expect("an access token");
    let before = opened(&browser, "listApiKeys");
    assert_eq!(executed(&browser, &before).0, "401");
    authorize(&browser, token);
    let tokens = opened(&browser, "listTokens");
    browser.find(&tokens("tr[data-param-name='organizationId'] input")).enter(ORG);
    let (status, page) = executed(&browser, &tokens);
    assert_eq!((status.as_str(), page["data"].is_array()), ("200", true), "{page}");
    browser.find(&before(".btn-clear")).click();
    let (status, page) = executed(&browser, &before);
    assert_eq!((status.as_str(), page["has_more"].is_boolean()), ("200", true), "{page}");

    let requests = browser.requests();
    let sent = |path: &str| requests.iter().any(|it| it.starts_with(&format!("{admin}{path}")));
    assert!(sent("/docs") && sent("/openapi.json") && sent("/v1/auth/login"), "{requests:?}");
    let own = |url: &&String| url.starts_with(&format!("{admin}/")) || url.starts_with("data:");
    let foreign: Vec<&String> = requests.iter().filter(|url| !own(url)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    // (It says that the first request was answered 401.)
    let said = browser.console();
    let broken: Vec<&String> = said.iter().filter(|it| !it.contains("status of 401")).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn the_reference_and_its_files_are_cached_and_can_load_nothing_from_elsewhere() {
    let admin = crate::support::world::world().gateway.admin;
    let ask = |path: &str| Connection::open(admin).send(&get(path).header("Accept-Encoding", "gzip"));
    let page = Connection::open(admin).send(&get("/docs/")).expect(200);
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let text = page.text();
    let files: Vec<&str> = text.split('"').filter(|it| it.starts_with("/assets/")).collect();
    assert!(files.len() > 1, "was the front end built? (make console)\n{text}");
    for file in files {
        let reply = ask(file).expect(200);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"), "{file}");
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{file}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        let etag = reply.header("etag").expect("ETag").to_owned();
        let again = get(file).header("Accept-Encoding", "gzip").header("If-None-Match", etag);
        Connection::open(admin).send(&again).expect(304);
    }
    ask("/assets/none.js").expect(404);
}
