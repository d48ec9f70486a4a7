//! `cargo xtask lint`: the rules about the shape of the source.
//!
//! - No two entries (files or folders) of a directory use each other, directly or around a circle.
//! - The layers of the Redis and the durable backend use only those before them.
//! - Links and mentions of documents lead to files of the repository.

mod cycles;
mod imports;
mod layers;
mod links;
mod resolve;
mod source;
#[cfg(test)]
mod tests;

use std::env;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::lint::imports::{Graph, Imports};
use crate::lint::layers::Fault;
use crate::lint::source::Source;
use crate::run::{WORKSPACES, metadata};

// As many places of one import as are shown.
const PLACES: usize = 3;

/// Checks every crate of the workspaces; with paths, only the directories under one of them.
pub fn run(paths: &[&str]) -> Outcome {
    if let Some(path) = paths.iter().find(|path| !Path::new(path).is_dir()) {
        return Err(format!("{path} is not a directory"));
    }
    let mut troubles = Vec::new();
    for workspace in WORKSPACES {
        for root in crate_roots(workspace)? {
            troubles.extend(check_crate(&root, paths)?);
        }
    }
    if paths.is_empty() {
        troubles.extend(links::broken(Path::new("."))?);
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

// The root files of the libraries and programs of a workspace, relative to the repository.
fn crate_roots(workspace: &str) -> Result<Vec<PathBuf>, String> {
    let repository = env::current_dir().map_err(|error| error.to_string())?;
    let metadata = metadata(workspace)?;
    let packages = metadata.workspace_packages();
    let targets = packages.iter().flat_map(|package| &package.targets);
    let built = targets.filter(|target| target.is_lib() || target.is_bin());
    let files = built.map(|target| target.src_path.as_std_path());
    let relative = files.map(|file| file.strip_prefix(&repository).unwrap_or(file).to_owned());
    Ok(relative.collect())
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
        for circle in cycles::find(graph) {
            troubles.push(describe(directory, graph, &circle));
        }
        let place = directory.display();
        let faults = layers::faults(directory, graph).into_iter();
        troubles.extend(faults.map(|fault| match fault {
            Fault::NoLayer(entry) => format!("layers in {place}: {entry} is in no layer"),
            Fault::UsesLater(from, to) => {
                let arrow = arrow(graph, from, to);
                format!("layers in {place}: {from} stands before {to} and uses it\n{arrow}")
            }
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
