//! The configuration a gateway is started with, as a value that tests alter, written out as YAML.

use serde_json::{Value, json};

/// Names of the organization, its projects and the foreign ones that most tests use. Opaque on purpose:
/// `g` and `h` are no hexadecimal digits (trap 1).
pub(crate) const ORG: &str = "68da2880b45d7a01d90a3c51";
pub(crate) const SLUG: &str = "my-org";
pub(crate) const P1: &str = "68db4aa2967d9c03fa9b5e74";
pub(crate) const P2: &str = "68db5cc4c78g1e17gd4c7h85";
pub(crate) const P_INACTIVE: &str = "inactive-project";
pub(crate) const OTHER_ORG: &str = "org-zz-2";
pub(crate) const OTHER_SLUG: &str = "other-org";
pub(crate) const FOREIGN: &str = "68ff0000000000000000f0f0";

/// A configuration without its addresses, which the gateway's harness fills in.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) value: Value,
    /// Further listeners with TLS, by certificate file stems; the harness picks their addresses.
    pub(crate) tls: Vec<&'static str>,
}

impl Settings {
    /// The usual APIs of both dialects, in front of this upstream.
    pub(crate) fn usual(upstream: &str) -> Self {
        let mut value = json!({
            "listeners": [],
            "store": { "url": "sqlite://portcullis.db" },
            // Tests share an address, and many show keys that nobody has: `unknown_keys` has gateways of its own.
            "limits": { "unknown_keys": { "requests": 1_000_000, "per": "1s" } },
            "jwt": { "secret": super::jwt::SECRET, "upstream": { "issuer": "https://gateway.test" } },
            "upstreams": {
                "main": { "endpoints": [upstream] },
                // A reserved port that nothing listens on.
                "dead": { "endpoints": ["http://127.0.0.1:1"] },
                "impatient": { "endpoints": [upstream], "timeouts": { "response": "300ms" } },
            },
            "apis": [open_api(), ocore_api()],
            "telemetry": { "access_log": { "path": "access.log" } },
        });
        for (name, identity) in [("headers-only", "headers"), ("anonymous", "none")] {
            let api = json!({ "name": name, "dialect": "ocriva", "prefixes": [format!("/{name}")],
                "identity": identity, "builtin": false,
                "routes": [{ "path": format!("/{name}/**"), "upstream": "main" }] });
            value["apis"].as_array_mut().expect("apis").push(api);
        }
        Self { value, tls: vec![] }
    }

    /// The usual configuration, altered.
    pub(crate) fn with(mut self, alter: impl FnOnce(&mut Value)) -> Self {
        alter(&mut self.value);
        self
    }

    /// Without limits, for tests that send more than a key may.
    pub(crate) fn unlimited(self) -> Self {
        self.with(|value| {
            for api in value["apis"].as_array_mut().expect("apis") {
                api["rate_limit"] = json!({ "requests": 1_000_000, "per": "1s" });
            }
        })
    }

    /// One more listener, with TLS and these certificates (`<stem>.pem`, `<stem>.key`).
    pub(crate) fn tls(mut self, stems: &[&'static str]) -> Self {
        self.tls = stems.to_vec();
        self
    }

    /// As YAML.
    pub(crate) fn yaml(&self) -> String {
        yaml(&self.value)
    }
}

fn open_api() -> Value {
    json!({
        "name": "open-api", "dialect": "ocriva", "prefixes": ["/v1", "/api/v1", "/upload"],
        "rate_limit": { "requests": 60, "per": "1m" }, "identity": "jwt", "body_limit": "256KiB",
        "routes": [
            { "path": "/v1/openapi/templates", "methods": ["GET"], "upstream": "main" },
            { "path": "/v1/openapi/templates", "methods": ["POST"], "project": { "in": "json" },
              "upstream": "main" },
            { "path": "/v1/openapi/upload", "methods": ["POST"],
              "project": { "in": "multipart", "required": "always" }, "upstream": "main" },
            { "path": "/v1/openapi/batch/upload", "methods": ["POST"], "project": { "in": "multipart" },
              "upstream": "main" },
            { "path": "/v1/openapi/batch", "methods": ["GET"], "project": { "in": "query" }, "upstream": "main" },
            { "path": "/v1/openapi/processing-history/**", "project": { "in": "query" }, "upstream": "main" },
            { "path": "/upload/{organizationId}/file", "methods": ["POST"], "project": { "in": "multipart" },
              "upstream": "main" },
            { "path": "/v1/openapi/scoped", "require": { "scopes": ["อ่าน ได้"] }, "upstream": "main" },
            { "path": "/v1/openapi/permitted", "require": { "permissions": ["banana"] }, "upstream": "main" },
            { "path": "/v1/openapi/dead", "upstream": "dead" },
            { "path": "/v1/openapi/slow", "upstream": "impatient" },
            { "path": "/v1/openapi/fixed", "respond": { "status": 203, "body": "{\"fixed\":true}" } },
            { "path": "/v1/open/**", "auth": "none", "upstream": "main" },
            { "path": "/v1/openapi/**", "upstream": "main" },
        ],
    })
}

fn ocore_api() -> Value {
    let mut routes = vec![
        json!({ "path": "/api/anything/**", "upstream": "main" }),
        json!({ "path": "/api/open", "auth": "none", "upstream": "main" }),
        json!({ "path": "/api/dead", "upstream": "dead" }),
        json!({ "path": "/api/slow", "upstream": "impatient" }),
    ];
    for resource in ["servers", "instances", "members", "roles"] {
        let path = format!("/api/{resource}/**");
        routes.push(json!({ "path": path, "methods": ["GET"], "upstream": "main",
            "require": { "permissions": [format!("view:{resource}")] } }));
        routes.push(json!({ "path": path, "methods": ["POST", "PUT", "PATCH", "DELETE"], "upstream": "main",
            "require": { "permissions": [format!("manage:{resource}")] } }));
    }
    json!({ "name": "ocore", "dialect": "ocore", "prefixes": ["/api"], "body_limit": "256KiB",
        "rate_limit": { "requests": 600, "per": "1m" }, "routes": routes })
}

/// Writes a value as YAML in block style, strings quoted.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    emit(&mut text, value, 0);
    text.push('\n');
    text.trim_start().to_owned()
}

fn emit(text: &mut String, value: &Value, indent: usize) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                text.push_str(&format!("\n{margin}{name}:"));
                emit(text, member, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("\n{margin}-"));
                emit(text, item, indent + 2);
            }
        }
        scalar => text.push_str(&format!(" {scalar}")),
    }
}
