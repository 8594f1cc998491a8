//! The fuzz targets without the fuzzer: every seed, and every case that was ever found.

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 19] = [
    ("answer", targets::answer::check),
    ("body", targets::body::check),
    ("certificate", targets::certificate::check),
    ("config", targets::config::check),
    ("credential", targets::credential::check),
    ("cursor", targets::cursor::check),
    ("dns", targets::dns::check),
    ("fixture", targets::fixture::check),
    ("forwarded", targets::forwarded::check),
    ("head", targets::head::check),
    ("json", targets::json::check),
    ("jwt", targets::jwt::check),
    ("log", targets::log::check),
    ("multipart", targets::multipart::check),
    ("path", targets::path::check),
    ("proxy", targets::proxy::check),
    ("query", targets::query::check),
    ("traceparent", targets::traceparent::check),
    ("webhook", targets::webhook::check),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The files of a folder, by name; none where it is not there.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

/// Seeds and cases of a target.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    ["seeds", "cases"].iter().flat_map(|kind| files(&folder(kind).join(target))).collect()
}

#[test]
fn the_fuzzer_tries_what_is_tried_here() {
    let names: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &Path| -> Vec<String> {
        let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut stems: Vec<_> =
            files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
        stems.sort();
        stems
    };
    assert_eq!(stems(&folder("fuzz_targets")), names);
    assert_eq!(stems(&folder("seeds")), names);
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest");
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
        let shim = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).expect("a target");
        assert!(shim.contains(&format!("portcullis_fuzz::{name}(data)")), "{name} tries something else");
    }
    let kept = folder("cases");
    let kept = if kept.exists() { stems(&kept) } else { Vec::new() };
    assert!(kept.iter().all(|name| names.contains(name)), "cases of no target: {kept:?}");
}

#[test]
fn every_seed_and_every_case_holds() {
    let mut broken = Vec::new();
    for (target, check) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() > 1, "{target} has no seeds");
        let fails = |bytes: &[u8]| catch_unwind(|| check(bytes)).is_err();
        broken.extend(inputs.into_iter().filter(|(_, bytes)| fails(bytes)).map(|(path, _)| path));
    }
    assert!(broken.is_empty(), "see above for what each of these does: {broken:#?}");
}
