//! A real Chromium, driven over WebDriver (W3C) through Debian's chromedriver.

use super::client::Connection;
use super::request::{Request, delete, get, post};
use super::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The rest of the suite may have both cores.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one window. It ends with the test.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

/// An element of the page.
pub(crate) struct Element<'b> {
    browser: &'b Browser,
    id: String,
}

impl Browser {
    /// Starts one with an empty profile.
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: scripts/setup.sh test installs it");
        let said = BufReader::new(driver.stdout.take().expect("its output"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("started successfully on port ")?.1;
            port.trim_end_matches('.').parse().ok()
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("the port of chromedriver")));
        let profile = tempfile::tempdir().expect("a folder");
        let mut browser = Self { driver, address, session: String::new(), _profile: profile };
        let answer = browser.ask(post("/session").json(&browser.wanted()));
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        // What its own first page did is not ours.
        browser.open("about:blank");
        browser.log("performance");
        browser.log("browser");
        browser
    }

    fn wanted(&self) -> Value {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1400,1000",
            &profile,
        ];
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } })
    }

    /// The `value` of the driver's answer, which has to be a good one.
    #[track_caller]
    fn ask(&self, request: Request) -> Value {
        self.try_ask(request).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_ask(&self, request: Request) -> Result<Value, Value> {
        let reply = Connection::open(self.address).patient(PATIENCE).send(&request);
        let value = reply.json()["value"].take();
        if reply.status == 200 { Ok(value) } else { Err(value) }
    }

    fn path(&self, rest: &str) -> String {
        format!("/session/{}{rest}", self.session)
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) {
        self.ask(post(&self.path("/url")).json(&json!({ "url": url })));
    }

    /// Every element that a CSS selector finds now.
    pub(crate) fn all(&self, selector: &str) -> Vec<Element<'_>> {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.ask(post(&self.path("/elements")).json(&wanted));
        let ids = found.as_array().into_iter().flatten().filter_map(|it| it[ELEMENT].as_str());
        ids.map(|id| Element { browser: self, id: id.to_owned() }).collect()
    }

    /// The first element that a CSS selector finds, waited for.
    #[track_caller]
    pub(crate) fn find(&self, selector: &str) -> Element<'_> {
        let found = wait::poll(PATIENCE, || self.all(selector).into_iter().next());
        found.unwrap_or_else(|| panic!("{selector} does not appear on\n{}", self.text()))
    }

    /// What a script returns.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask(post(&self.path("/execute/sync")).json(&json!({ "script": script, "args": [] })))
    }

    /// The page's text.
    pub(crate) fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What the page said on its console, broken rules of the Content-Security-Policy among it.
    pub(crate) fn console(&self) -> Vec<String> {
        self.log("browser").iter().map(|it| it["message"].to_string()).collect()
    }

    /// The URL of every request that was sent so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.log("performance");
        let events = events.iter().filter_map(|it| serde_json::from_str(it["message"].as_str()?).ok());
        let sent = events.filter(|it: &Value| it["message"]["method"] == "Network.requestWillBeSent");
        sent.map(|it| it["message"]["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.ask(post(&self.path("/se/log")).json(&json!({ "type": kind })));
        log.as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = Connection::open(self.address).try_send(&delete(&self.path("")));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Element<'_> {
    fn path(&self, rest: &str) -> String {
        self.browser.path(&format!("/element/{}{rest}", self.id))
    }

    /// Clicks it as soon as that is possible.
    #[track_caller]
    pub(crate) fn click(&self) {
        let click = || self.browser.try_ask(post(&self.path("/click")).json(&json!({})));
        let mut last = Value::Null;
        let clicked = wait::poll(PATIENCE, || click().map_err(|error| last = error).ok());
        assert!(clicked.is_some(), "it can not be clicked: {last}");
    }

    /// Types into it.
    #[track_caller]
    pub(crate) fn enter(&self, text: &str) {
        self.browser.ask(post(&self.path("/value")).json(&json!({ "text": text })));
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        self.browser.ask(get(&self.path("/text"))).as_str().unwrap_or_default().to_owned()
    }
}
