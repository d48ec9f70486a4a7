//! Running other programs.

use std::env;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::Outcome;

/// The manifests of the workspaces: that of the library, and that of the crates which depend on
/// greentic-session 1.2.0 as published.
pub const WORKSPACES: [&str; 2] = ["Cargo.toml", "published/Cargo.toml"];

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

/// A workspace, with all its dependencies.
pub fn metadata(workspace: &str) -> Result<Metadata, String> {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace);
    command.other_options(vec!["--locked".to_owned()]);
    command.exec().map_err(|error| error.to_string())
}

/// The library: the package at the root of its workspace.
pub fn library() -> Result<Package, String> {
    let metadata = metadata(WORKSPACES[0])?;
    let library = metadata.root_package().cloned();
    library.ok_or_else(|| "the workspace has no package at its root".to_owned())
}

/// The command as one would type it.
pub fn words_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![name.to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}
