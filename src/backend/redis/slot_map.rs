//! Which node of a cluster serves which slot.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use redis::{FromRedisValue, Value};

use super::address::Address;

/// What a node has told, and what other nodes have corrected since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotMap {
    ranges: Vec<(RangeInclusive<u16>, Address)>,
    moved: HashMap<u16, Address>,
}

impl SlotMap {
    /// Reads the answer to CLUSTER SLOTS of a node that we reach as `asked`. None if it is no such
    /// answer.
    pub fn read(answer: Value, asked: &Address) -> Option<Self> {
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

    /// The master that serves a slot.
    pub fn master(&self, slot: u16) -> Option<&Address> {
        let of_range = || {
            let mut ranges = self.ranges.iter();
            ranges.find(|(slots, _)| slots.contains(&slot))
        };
        let moved = self.moved.get(&slot);
        moved.or_else(|| of_range().map(|(_, master)| master))
    }

    pub fn set_moved(&mut self, slot: u16, master: Address) {
        self.moved.insert(slot, master);
    }

    /// Every master, some of them several times.
    pub fn masters(&self) -> impl Iterator<Item = &Address> {
        let of_ranges = self.ranges.iter().map(|(_, master)| master);
        of_ranges.chain(self.moved.values())
    }
}

fn range(entry: Value, asked: &Address) -> Option<(RangeInclusive<u16>, Address)> {
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
    // A node that does not know its own address leaves it out.
    let host = Option::<String>::from_redis_value(master.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?");
    let port = u16::from_redis_value(master.next()?).ok()?;
    let address = Address::new(host.unwrap_or_else(|| asked.host.clone()), port);
    Some((first..=last, address))
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
    fn an_answer_is_read_and_corrected() {
        let asked = Address::new("seed", 1);
        let answer = Value::Array(vec![
            entry(0, 99, text("one"), 7),
            entry(100, 16383, Value::Nil, 8),
        ]);
        let mut map = SlotMap::read(answer, &asked).unwrap();
        assert_eq!(map.master(99), Some(&Address::new("one", 7)));
        assert_eq!(map.master(100), Some(&Address::new("seed", 8)));
        map.set_moved(99, Address::new("two", 9));
        assert_eq!(map.master(99), Some(&Address::new("two", 9)));
        assert_eq!(map.master(98), Some(&Address::new("one", 7)));
        assert_eq!(map.masters().count(), 3);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let asked = Address::new("seed", 1);
        assert_eq!(SlotMap::read(Value::Nil, &asked), None);
        assert_eq!(
            SlotMap::read(Value::Array(vec![Value::Int(1)]), &asked),
            None
        );
        let empty = SlotMap::read(Value::Array(Vec::new()), &asked).unwrap();
        assert!(empty.is_empty() && empty.master(0).is_none());
    }
}
