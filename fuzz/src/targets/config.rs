//! Configurations: every mistake has a place, no message shows a secret, and what was accepted is normal.

use super::text;
use portcullis::config::{Config, Problems, compile};
use portcullis::pipeline::path::normalise;
use std::path::Path;

const SECRET: &str = "planted-3f9c1e7a5d-of-more-than-32-characters";

pub(crate) fn check(data: &[u8]) {
    let Some(source) = text(data) else { return };
    match read(source) {
        Ok(config) => {
            let again = read(source).expect("it was accepted before");
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
            for prefix in config.apis.iter().flat_map(|api| &api.prefixes) {
                assert_eq!(normalise(prefix).as_deref(), Ok(&**prefix), "a prefix that no path has");
            }
        }
        Err(problems) => {
            // A carriage return ends a line of YAML too.
            let lines = source.split(['\n', '\r']).count() + 1;
            assert!(problems.count() > 0 && !problems.to_string().is_empty(), "refused for no reason");
            for problem in problems.iter() {
                assert!((1..=lines).contains(&problem.line) && problem.column > 0, "{problem:?}");
                assert!(!problem.message.is_empty(), "{problem:?}");
            }
        }
    }
    // Whatever stands behind it, be it YAML or not.
    match read(&format!("jwt:\n  secret: {SECRET}\n{source}")) {
        Ok(config) => assert!(!format!("{config:?}").contains(SECRET), "the secret is shown"),
        Err(problems) => assert!(!problems.to_string().contains(SECRET), "the secret is shown: {problems}"),
    }
}

fn read(source: &str) -> Result<Config, Problems> {
    let variable = |_: &str| Some("127.0.0.1:8443".to_owned());
    compile::from_str(source, "portcullis.yaml", Path::new("/nonexistent/portcullis"), &variable)
}
