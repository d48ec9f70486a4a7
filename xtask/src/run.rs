//! Running other programs.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// The package that this repository is about: that of the root, so commands that mean it name no
/// package. Its published self, which the tests compare it with, has the same name.
pub const LIBRARY: &str = "greentic-session";

/// Goes to the root of the repository, where all paths of this program begin.
pub fn enter_repository() -> Outcome {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.parent().ok_or("this program has no repository")?;
    env::set_current_dir(root).map_err(|error| error.to_string())
}

/// The cargo that runs us, with these arguments.
pub fn cargo<S: AsRef<str>>(arguments: &[S]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments.iter().map(AsRef::as_ref));
    command
}

/// Runs a command that must succeed, after saying what it is.
pub fn must(command: &mut Command) -> Outcome {
    let words = words_of(command);
    println!("+ {words}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{words}: {status}")),
        Err(error) => Err(format!("{words}: {error}")),
    }
}

/// What a command that must succeed prints.
pub fn output(command: &mut Command) -> Result<String, String> {
    let words = words_of(command);
    let output = command
        .output()
        .map_err(|error| format!("{words}: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{words}: {reason}"));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{words}: {error}"))
}

/// What `cargo metadata` says about the workspace, with all its dependencies.
pub fn metadata() -> Result<serde_json::Value, String> {
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let text = output(&mut cargo(&arguments))?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// What `cargo metadata` says about the library.
pub fn library() -> Result<serde_json::Value, String> {
    let metadata = metadata()?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let own = packages.find(|package| package["name"] == LIBRARY && package["source"].is_null());
    own.cloned()
        .ok_or_else(|| "the library is not in the workspace".to_owned())
}

/// The command as one would type it.
pub fn words_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![name.to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}
