//! Entries of a directory that use each other, directly or around a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::lint::imports::Graph;

/// The circles of a directory: each pair of entries that use each other, and for entries that are
/// on a longer circle alone, the shortest such circle.
pub fn find(graph: &Graph) -> Vec<Vec<&str>> {
    let mut covered = BTreeSet::new();
    let mut circles = Vec::new();
    for (entry, uses) in graph {
        for other in uses.keys().filter(|other| entry < *other) {
            if graph
                .get(other)
                .is_some_and(|uses| uses.contains_key(entry))
            {
                covered.extend([entry.as_str(), other]);
                circles.push(vec![entry.as_str(), other]);
            }
        }
    }
    for entry in graph.keys() {
        if !covered.contains(entry.as_str())
            && let Some(circle) = shortest_from(graph, entry)
        {
            covered.extend(circle.iter().copied());
            circles.push(circle);
        }
    }
    circles
}

// The shortest way from an entry back to itself, by search in breadth.
fn shortest_from<'a>(graph: &'a Graph, start: &'a str) -> Option<Vec<&'a str>> {
    let mut reached_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(entry) = queue.pop_front() {
        for next in graph.get(entry)?.keys().map(String::as_str) {
            if next == start {
                let mut circle = vec![entry];
                while let Some(before) = reached_from.get(circle[circle.len() - 1]) {
                    circle.push(before);
                }
                circle.reverse();
                return Some(circle);
            }
            if graph.contains_key(next) && !reached_from.contains_key(next) {
                reached_from.insert(next, entry);
                queue.push_back(next);
            }
        }
    }
    None
}
