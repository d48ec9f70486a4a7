//! Redirections in a cluster: MOVED and ASK.

use std::sync::Arc;

use super::topology::{Route, Topology};
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::runtime::Runtime;

/// Where a call goes.
pub struct Target<'a> {
    pub slot: u16,
    /// The route of its first attempt.
    pub route: &'a Route,
    /// A call with one key can follow it to a node that imports the slot.
    pub has_one_key: bool,
}

/// Returns the route of the attempt after a failed one.
///
/// MOVED corrects the slot map at once. MOVED, and failures that a failover explains, have the map
/// read anew. ASK redirects this call alone.
pub fn route_after(
    failure: &Failure,
    topology: &Topology,
    runtime: &Arc<Runtime>,
    target: &Target<'_>,
) -> Route {
    if let Topology::Cluster(cluster) = topology {
        match failure {
            Failure::Moved(master) => cluster.set_master(runtime, target.slot, master.clone()),
            Failure::Unreachable(_)
            | Failure::ConnectionLost
            | Failure::NoAnswer
            | Failure::Retryable("CLUSTERDOWN" | "READONLY" | "MASTERDOWN" | "LOADING") => {
                cluster.refresh_in_background(runtime);
            }
            _ => {}
        }
    }
    match failure {
        Failure::Ask(node) if target.has_one_key => Route::AskTarget(node.clone()),
        _ => target.route.clone(),
    }
}
