//! The map from the hash slots of a cluster to their masters.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use redis::{FromRedisValue, Value};
use sha2::{Digest, Sha256};

use crate::backend::redis::config::address::Address;

/// The answer of a node to CLUSTER SLOTS, with the corrections of later MOVED answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotMap {
    ranges: Vec<Range>,
    moved: HashMap<u16, Address>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    slots: RangeInclusive<u16>,
    master: Address,
    /// The node id of the master.
    id: String,
}

impl SlotMap {
    /// Parses the answer of the node at `asked` to CLUSTER SLOTS. None if it has another form.
    pub fn parse(answer: Value, asked: &Address) -> Option<Self> {
        let Value::Array(entries) = answer else {
            return None;
        };
        let ranges = entries.into_iter().map(|entry| range(entry, asked));
        Some(Self {
            ranges: ranges.collect::<Option<_>>()?,
            moved: HashMap::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The master of a slot.
    pub fn master(&self, slot: u16) -> Option<&Address> {
        let of_range = || {
            let mut ranges = self.ranges.iter();
            ranges.find(|range| range.slots.contains(&slot))
        };
        let moved = self.moved.get(&slot);
        moved.or_else(|| of_range().map(|range| &range.master))
    }

    /// Applies a MOVED answer.
    pub fn set_moved(&mut self, slot: u16, master: Address) {
        self.moved.insert(slot, master);
    }

    /// All masters, with repetitions.
    pub fn masters(&self) -> impl Iterator<Item = &Address> {
        let of_ranges = self.ranges.iter().map(|range| &range.master);
        of_ranges.chain(self.moved.values())
    }

    /// A digest that changes when other nodes serve the slots.
    pub fn fingerprint(&self) -> String {
        let line = |range: &Range| format!("{:?} {}", range.slots, range.id);
        let mut lines: Vec<_> = self.ranges.iter().map(line).collect();
        lines.sort();
        let digest = Sha256::digest(lines.join("\n"));
        hex::encode(&digest[..8])
    }
}

fn range(entry: Value, asked: &Address) -> Option<Range> {
    let Value::Array(fields) = entry else {
        return None;
    };
    let mut fields = fields.into_iter();
    let first = u16::from_redis_value(fields.next()?).ok()?;
    let last = u16::from_redis_value(fields.next()?).ok()?;
    let Value::Array(master) = fields.next()? else {
        return None;
    };
    let mut master = master.into_iter();
    // A node that does not know its own address omits it.
    let host = Option::<String>::from_redis_value(master.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?");
    let port = u16::from_redis_value(master.next()?).ok()?;
    let id = String::from_redis_value(master.next()?).ok()?;
    Some(Range {
        slots: first..=last,
        master: Address::new(host.unwrap_or_else(|| asked.host.clone()), port),
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), text("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    #[test]
    fn an_answer_is_parsed_and_corrected_by_moved() {
        let asked = Address::new("seed", 1);
        let answer = Value::Array(vec![
            entry(0, 99, text("one"), 7),
            entry(100, 16383, Value::Nil, 8),
        ]);
        let mut map = SlotMap::parse(answer, &asked).unwrap();
        assert_eq!(map.master(99), Some(&Address::new("one", 7)));
        assert_eq!(map.master(100), Some(&Address::new("seed", 8)));
        map.set_moved(99, Address::new("two", 9));
        assert_eq!(map.master(99), Some(&Address::new("two", 9)));
        assert_eq!(map.master(98), Some(&Address::new("one", 7)));
        assert_eq!(map.masters().count(), 3);
    }

    #[test]
    fn the_fingerprint_changes_with_the_slots_and_not_with_addresses() {
        let asked = Address::new("seed", 1);
        let of = |entries| {
            let map = SlotMap::parse(Value::Array(entries), &asked);
            map.unwrap().fingerprint()
        };
        let (low, high) = (
            |host| entry(0, 99, host, 7),
            |end| entry(100, end, Value::Nil, 8),
        );
        let known = of(vec![low(text("one")), high(16383)]);
        assert_eq!(of(vec![high(16383), low(text("another name"))]), known);
        assert_ne!(of(vec![low(text("one")), high(16382)]), known);
    }

    #[test]
    fn another_answer_is_refused() {
        let asked = Address::new("seed", 1);
        assert_eq!(SlotMap::parse(Value::Nil, &asked), None);
        assert_eq!(
            SlotMap::parse(Value::Array(vec![Value::Int(1)]), &asked),
            None
        );
        let empty = SlotMap::parse(Value::Array(Vec::new()), &asked).unwrap();
        assert!(empty.is_empty() && empty.master(0).is_none());
    }
}
