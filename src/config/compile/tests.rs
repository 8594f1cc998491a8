//! What the configuration accepts, what it refuses, and with which words.

use super::from_str;
use crate::config::{Config, Problems};
use std::path::Path;

const SECRET: &str = "0123456789-0123456789-0123456789";

fn env(name: &str) -> Option<String> {
    (name == "JWT_SECRET").then(|| SECRET.to_owned())
}

fn load(source: &str) -> Result<Config, Problems> {
    from_str(source, "portcullis.yaml", Path::new("/nowhere"), &env)
}

/// A folder with a certificate and a key that can be read; nobody looks into them here.
fn folder_with_certificate() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tls")).unwrap();
    for name in ["fullchain.pem", "privkey.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.path().join("tls").join(name), "").unwrap();
    }
    folder
}

#[test]
fn the_commented_example_loads() {
    let folder = folder_with_certificate();
    let source = include_str!("../../../config/portcullis.yaml");
    let config = from_str(source, "portcullis.yaml", folder.path(), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((config.listeners.len(), config.apis.len(), config.upstreams.len()), (2, 2, 1));
    assert_eq!(config.apis[0].routes.len(), 7);
}

#[test]
fn the_demo_loads() {
    let folder = folder_with_certificate();
    let data = folder.path().display().to_string();
    let env = |name: &str| match name {
        "PORTCULLIS_DEMO_DATA" => Some(data.clone()),
        "PORTCULLIS_DEMO_UPSTREAM" => Some("http://127.0.0.1:9001".to_owned()),
        "JWT_SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let source = include_str!("../../../config/demo.yaml");
    let config = from_str(source, "demo.yaml", Path::new("/nowhere"), &env).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8443");
    assert!(config.listeners[1].tls.is_none());
}
