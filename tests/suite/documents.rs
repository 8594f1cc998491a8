//! The documents keep their promises: examples load, links lead somewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).expect("a document")
}

/// The first YAML example of a document that holds `marker`.
fn example(document: &str, marker: &str) -> String {
    let text = read(document);
    let mut blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(marker)).expect("an example").to_owned()
}

/// A folder in which the README's configuration finds the files that it names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::create_dir_all(folder.path().join("tls")).expect("a folder");
    std::fs::create_dir_all(folder.path().join("data")).expect("a folder");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("tls/fullchain.pem", made.cert.pem());
    write("tls/privkey.pem", made.signing_key.serialize_pem());
    write("portcullis.yaml", example("README.md", "listeners:"));
    folder
}

fn portcullis(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(arguments)
        .current_dir(folder)
        .env("JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .output()
        .expect("the program runs")
}

#[track_caller]
fn assert_good(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

#[test]
fn the_readme_s_configuration_is_valid() {
    let folder = folder();
    assert_good(&portcullis(folder.path(), &["check", "--config", "portcullis.yaml"]));
    // And it is looked at: a misspelt key of it is not.
    let text = example("README.md", "listeners:").replace("prefixes:", "prefixs:");
    std::fs::write(folder.path().join("bad.yaml"), text).unwrap();
    assert_eq!(portcullis(folder.path(), &["check", "--config", "bad.yaml"]).status.code(), Some(1));
}

#[test]
fn the_fixture_of_the_import_page_imports_twice() {
    let folder = folder();
    std::fs::write(folder.path().join("tenants.yaml"), example("docs/import.md", "organizations:")).unwrap();
    let import = ["import", "--config", "portcullis.yaml", "tenants.yaml"];
    assert_good(&portcullis(folder.path(), &import));
    assert_good(&portcullis(folder.path(), &import));
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let mut documents: Vec<PathBuf> = [root().into(), root().join("docs"), root().join("benches")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    documents.sort();
    assert!(documents.len() > 8, "{documents:?}");
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !link.is_empty() && !link.contains("://") {
                let target = document.parent().unwrap().join(link);
                assert!(target.exists(), "{} links to {link}", document.display());
            }
        }
    }
}
