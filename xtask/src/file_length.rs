//! Files stay small.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Outcome;

const LIMIT: usize = 400;
const DIRECTORIES: &[&str] = &["src", "crates", "xtask", "tests", "examples", "benches"];
const KINDS: &[&str] = &["rs", "lua"];

/// Fails if a source file has more than 400 lines.
pub fn check() -> Outcome {
    let mut long = Vec::new();
    let mut count = 0;
    for file in files().map_err(|error| error.to_string())? {
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let lines = text.lines().count();
        count += 1;
        if lines > LIMIT {
            long.push(format!("{} has {lines} lines", file.display()));
        }
    }
    println!("{count} files");
    if long.is_empty() {
        return Ok(());
    }
    Err(format!("more than {LIMIT} lines:\n{}", long.join("\n")))
}

fn files() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories: Vec<PathBuf> = DIRECTORIES.iter().map(PathBuf::from).collect();
    directories.retain(|directory| directory.is_dir());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name() != Some(OsStr::new("target")) {
                directories.push(path);
            } else if is_source(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn is_source(path: &Path) -> bool {
    let kind = path.extension().and_then(OsStr::to_str);
    kind.is_some_and(|kind| KINDS.contains(&kind))
}
