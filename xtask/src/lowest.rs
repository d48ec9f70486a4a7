//! The lowest versions of dependencies that Cargo.toml asks for.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::run::{cargo, must};

const DIRECTORY: &str = "target/lowest";

/// Compiles the library with the lowest version of each dependency that its manifest allows. A
/// program whose lock file has older versions than that keeps the published crate when it patches
/// it.
///
/// The dependencies of tests are left out: they would raise the versions.
pub fn check() -> Outcome {
    let manifest = fs::read_to_string("Cargo.toml").map_err(|error| error.to_string())?;
    let place = Path::new(DIRECTORY).join("Cargo.toml");
    let written = fs::create_dir_all(DIRECTORY).and_then(|()| fs::write(&place, alone(&manifest)));
    written.map_err(|error| error.to_string())?;
    let manifest = format!("{DIRECTORY}/Cargo.toml");
    let resolve = ["generate-lockfile", "-Z", "direct-minimal-versions"];
    let mut resolve = cargo(&resolve);
    resolve.args(["--manifest-path", &manifest]);
    // Lets the cargo of this toolchain take the option, which a nightly has too.
    must(resolve.env("RUSTC_BOOTSTRAP", "1"))?;
    let check = ["check", "--quiet", "--locked", "--all-features"];
    must(cargo(&check).args(["--manifest-path", &manifest]))
}

/// The manifest of the library, without its tests and examples, in a workspace of its own. Paths
/// lead out of [`DIRECTORY`].
fn alone(manifest: &str) -> String {
    let mut text = String::new();
    let mut is_left_out = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_left_out = matches!(line, "[dev-dependencies]" | "[[example]]" | "[[test]]");
        }
        if is_left_out || line.starts_with("members = ") {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\n[lib]\npath = \"../../src/lib.rs\"\n");
    text
}

#[cfg(test)]
mod tests {
    use super::alone;

    #[test]
    fn dependencies_of_tests_are_left_out() {
        let manifest = "[dependencies]\na = \"1\"\n\n[dev-dependencies]\nb = \"2\"\n\n[[example]]\nname = \
                        \"e\"\n\n[workspace]\nmembers = [\"x\"]\nresolver = \"3\"\n";
        let expected = "[dependencies]\na = \"1\"\n\n[workspace]\nresolver = \"3\"\n\n[lib]\npath = \
                        \"../../src/lib.rs\"\n";
        assert_eq!(alone(manifest), expected);
    }
}
