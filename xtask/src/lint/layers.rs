//! Folders whose entries are layers.

use std::path::Path;

use crate::lint::imports::Graph;

struct Layered {
    directory: &'static str,
    /// Each uses only those before it. The names of one layer are independent of each other.
    layers: &'static [&'static [&'static str]],
}

const LAYERED: &[Layered] = &[
    Layered {
        directory: "src/backend/redis",
        layers: &[
            &["config"],
            &["transport"],
            &["script"],
            &["client"],
            &["ownership"],
            &["store", "claims", "health", "admin"],
        ],
    },
    Layered {
        directory: "src/backend/durable",
        layers: &[
            &["config", "clock"],
            &["format"],
            &["file"],
            &["rows"],
            &["writer"],
            &["admin"],
            &["store"],
        ],
    },
];

/// The pairs of entries of a directory of which the first uses a later layer.
pub fn wrong_arrows<'a>(directory: &Path, graph: &'a Graph) -> Vec<(&'a str, &'a str)> {
    let layered = LAYERED
        .iter()
        .find(|layered| directory == Path::new(layered.directory));
    let Some(Layered { layers, .. }) = layered else {
        return Vec::new();
    };
    let layer = |entry: &str| layers.iter().position(|names| names.contains(&entry));
    let arrows = graph
        .iter()
        .flat_map(|(from, uses)| uses.keys().map(move |to| (from.as_str(), to.as_str())));
    arrows
        .filter(
            |(from, to)| matches!((layer(from), layer(to)), (Some(from), Some(to)) if from < to),
        )
        .collect()
}
