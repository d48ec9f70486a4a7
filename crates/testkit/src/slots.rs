//! The slots and their masters, according to one node.

use std::ops::RangeInclusive;

use crate::server::RedisServer;

/// The number of slots of a cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// Ranges of slots with the port of their master.
pub(crate) struct SlotMap(Vec<(RangeInclusive<u16>, u16)>);

impl SlotMap {
    /// Reads CLUSTER SLOTS of `node`.
    pub(crate) fn seen_by(node: &RedisServer) -> Self {
        let reply = node.command(&["CLUSTER", "SLOTS"]);
        let number = |value: i64| u16::try_from(value).expect("a slot or a port");
        let ranges = reply.array().iter().map(|entry| {
            let fields = entry.array();
            let master = fields[2].array();
            let slots = number(fields[0].int())..=number(fields[1].int());
            (slots, number(master[1].int()))
        });
        Self(ranges.collect())
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<u16> {
        let range = self.0.iter().find(|(slots, _)| slots.contains(&slot));
        range.map(|(_, port)| *port)
    }

    /// The ports of all masters with slots, each once, in order.
    pub(crate) fn owners(&self) -> Vec<u16> {
        let mut ports: Vec<_> = self.0.iter().map(|(_, port)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The slots of the master on `port`, in order.
    pub(crate) fn slots_of(&self, port: u16) -> Vec<u16> {
        let own = self.0.iter().filter(|(_, owner)| *owner == port);
        let mut slots: Vec<_> = own.flat_map(|(slots, _)| slots.clone()).collect();
        slots.sort_unstable();
        slots
    }

    pub(crate) fn is_complete(&self) -> bool {
        let served: usize = self.0.iter().map(|(slots, _)| slots.len()).sum();
        served == usize::from(SLOTS)
    }
}
