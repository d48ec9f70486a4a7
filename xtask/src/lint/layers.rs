//! Folders whose entries are layers.

use std::collections::BTreeSet;
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
            &["config", "hash_slot"],
            &["transport"],
            &["script"],
            &["client"],
            &["ownership"],
            &["dispatch"],
            &[
                "store",
                "claims",
                "due",
                "starts",
                "permissions",
                "health",
                "admin",
                "fuzzing",
            ],
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
            &["store", "fuzzing"],
        ],
    },
];

/// What breaks the order of layers.
pub enum Fault<'a> {
    /// An entry is in no layer.
    NoLayer(&'a str),
    /// The first entry uses the second, of a later layer.
    UsesLater(&'a str, &'a str),
}

/// The faults in a directory; none in one without layers.
pub fn faults<'a>(directory: &Path, graph: &'a Graph) -> Vec<Fault<'a>> {
    let mut layered = LAYERED.iter();
    let layered = layered.find(|layered| directory.ends_with(layered.directory));
    let Some(Layered { layers, .. }) = layered else {
        return Vec::new();
    };
    let layer = |entry: &str| layers.iter().position(|names| names.contains(&entry));
    let used = graph.values().flat_map(|uses| uses.keys());
    let entries: BTreeSet<&str> = graph.keys().chain(used).map(String::as_str).collect();
    let mut faults: Vec<_> = entries
        .into_iter()
        .filter(|entry| layer(entry).is_none())
        .map(Fault::NoLayer)
        .collect();
    for (from, uses) in graph {
        for to in uses
            .keys()
            .filter(|to| layer(from).is_some_and(|own| layer(to) > Some(own)))
        {
            faults.push(Fault::UsesLater(from, to));
        }
    }
    faults
}
