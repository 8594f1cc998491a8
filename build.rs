//! Makes the built front end part of the program: writes a table of the files in `console/dist`. It builds nothing
//! itself, and an empty folder makes an empty table: `make console` fills it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("console").join("dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    gather(&dist, &mut files)?;
    files.sort();
    let mut table = String::from("static FILES: &[Built] = &[\n");
    for file in files.iter().filter(|file| file.extension().is_none_or(|kind| kind != "gz")) {
        let name = file.strip_prefix(&dist).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
        let packed = PathBuf::from(format!("{}.gz", file.display()));
        let gzip = if files.contains(&packed) {
            format!("Some(include_bytes!({:?}))", packed.display().to_string())
        } else {
            "None".to_owned()
        };
        let plain = format!("include_bytes!({:?})", file.display().to_string());
        table.push_str(&format!("    Built {{ name: {name:?}, plain: {plain}, gzip: {gzip} }},\n"));
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("console.rs"), table)
}

/// The files of a folder and those below it, without hidden ones.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            gather(&path, files)?;
        } else if !hidden {
            files.push(path);
        }
    }
    Ok(())
}
