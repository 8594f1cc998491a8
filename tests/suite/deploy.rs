//! What is in `deploy/`, each file judged by a program that is not ours: `tests/deploy/check.py`, a part at a time.

use crate::support::gateway::PROGRAM;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn hold(part: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = Command::new(root.join("target/deploy/bin/python"))
        .args(["tests/deploy/check.py", part, "--portcullis", PROGRAM])
        .current_dir(root)
        .output()
        .expect("run tests/deploy/check.py; scripts/setup.sh test installs what it needs");
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ran.status.success() && said.contains(" 0 failed"), "{said}");
}

#[test]
fn the_container_image_s_recipe() {
    hold("image");
}

#[test]
fn the_compose_file() {
    hold("compose");
}

#[test]
fn the_systemd_units() {
    hold("units");
}

#[test]
fn the_helm_chart() {
    hold("chart");
}

#[test]
fn the_debian_package() {
    hold("package");
}
