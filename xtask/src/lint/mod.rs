//! `cargo xtask lint`: the rules about the shape of the source.
//!
//! - No two entries (files or folders) of a directory use each other, directly or around a circle.
//! - The layers of the Redis and the durable backend use only those below them.

mod cycles;
mod imports;
mod layers;
mod resolve;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::lint::imports::{Graph, Imports};
use crate::lint::source::Source;
use crate::run::metadata;

// As many places of one import as are shown.
const PLACES: usize = 3;

/// Checks every crate of the workspace; with paths, only the directories under one of them.
pub fn run(paths: &[&str]) -> Outcome {
    let mut troubles = Vec::new();
    for root in crate_roots()? {
        troubles.extend(check_crate(&root, paths)?);
    }
    for trouble in &troubles {
        println!("{trouble}");
    }
    match troubles.len() {
        0 => Ok(()),
        1 => Err("1 finding".to_owned()),
        count => Err(format!("{count} findings")),
    }
}

// The root files of the libraries and programs of the workspace.
fn crate_roots() -> Result<Vec<PathBuf>, String> {
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let own = packages.filter(|package| package["source"].is_null());
    let targets = own.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let built = targets.filter(|target| target["kind"][0] == "lib" || target["kind"][0] == "bin");
    let roots = built.filter_map(|target| target["src_path"].as_str());
    Ok(roots.map(|root| relative(Path::new(root), &here)).collect())
}

fn relative(path: &Path, directory: &Path) -> PathBuf {
    path.strip_prefix(directory).unwrap_or(path).to_owned()
}

/// What is wrong in the crate whose root is this file.
fn check_crate(root: &Path, paths: &[&str]) -> Result<Vec<String>, String> {
    let source = Source::read(root)?;
    let directory = root.parent().unwrap_or(Path::new(""));
    let imports = Imports::collect(&source, directory);
    let mut troubles = Vec::new();
    for (directory, graph) in &imports.directories {
        if !paths.is_empty() && !paths.iter().any(|path| directory.starts_with(path)) {
            continue;
        }
        let circles = cycles::find(graph);
        troubles.extend(
            circles
                .iter()
                .map(|circle| describe(directory, graph, circle)),
        );
        let arrows = layers::wrong_arrows(directory, graph);
        troubles.extend(arrows.iter().map(|(from, to)| {
            let place = directory.display();
            let arrow = arrow(graph, from, to);
            format!("layers in {place}: {from} stands before {to} and uses it\n{arrow}")
        }));
    }
    Ok(troubles)
}

fn describe(directory: &Path, graph: &Graph, circle: &[&str]) -> String {
    let first = circle.first().copied().unwrap_or_default();
    let mut text = format!("cycle in {}: ", directory.display());
    for entry in circle {
        text.push_str(&format!("{entry} -> "));
    }
    text.push_str(first);
    let nexts = circle.iter().skip(1).copied().chain([first]);
    for (from, to) in circle.iter().zip(nexts) {
        text.push('\n');
        text.push_str(&arrow(graph, from, to));
    }
    text
}

// The places where one entry uses another.
fn arrow(graph: &Graph, from: &str, to: &str) -> String {
    let places = graph.get(from).and_then(|uses| uses.get(to));
    let places: Vec<_> = places.into_iter().flatten().collect();
    let mut text = format!("  {from} -> {to}");
    for place in places.iter().take(PLACES) {
        text.push_str(&format!("\n    {place}"));
    }
    if places.len() > PLACES {
        text.push_str(&format!("\n    and {} more", places.len() - PLACES));
    }
    text
}
