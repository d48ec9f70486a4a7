//! The keys that a store has in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::data_key::DataKey;
use super::key_id::KeyId;

/// The keys that a store has in memory: bounded in number and in time. Times are given, so that a test
/// chooses them.
pub struct Cache {
    keys: usize,
    ttl: Duration,
    tenants: RwLock<Tenants>,
}

/// The keys of each tenant, `env:tenant`.
#[derive(Default)]
struct Tenants {
    keys_of: HashMap<Box<str>, Vec<Cached>>,
    count: usize,
}

struct Cached {
    key: Arc<DataKey>,
    since: Instant,
    /// Since when the key counts as the current one; none if it does not.
    current_since: Option<Instant>,
}

impl Cache {
    pub fn new(keys: usize, ttl: Duration) -> Self {
        Self {
            keys: keys.max(1),
            ttl,
            tenants: RwLock::default(),
        }
    }

    /// The current key of a tenant.
    pub fn current(&self, tenant: &str, now: Instant) -> Option<Arc<DataKey>> {
        let is_fresh = |since| self.is_fresh(since, now);
        self.find(tenant, |cached| cached.current_since.is_some_and(is_fresh))
    }

    /// The key with an id.
    pub fn by_id(&self, tenant: &str, id: KeyId, now: Instant) -> Option<Arc<DataKey>> {
        self.find(tenant, |cached| {
            cached.key.id() == id && self.is_fresh(cached.since, now)
        })
    }

    fn find(&self, tenant: &str, wanted: impl Fn(&Cached) -> bool) -> Option<Arc<DataKey>> {
        let tenants = self.tenants.read();
        let mut keys = tenants.keys_of.get(tenant)?.iter();
        let found = keys.find(|cached| wanted(cached))?;
        Some(Arc::clone(&found.key))
    }

    fn is_fresh(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) < self.ttl
    }

    /// Adds what the vault has told. The oldest key gives way to one too many.
    pub fn add(&self, tenant: &str, key: &Arc<DataKey>, is_current: bool, now: Instant) {
        let mut tenants = self.tenants.write();
        let was_current = tenants.remove(tenant, key.id());
        if tenants.count >= self.keys {
            tenants.remove_stale(|since| self.is_fresh(since, now));
        }
        if tenants.count >= self.keys {
            tenants.remove_oldest();
        }
        let keys = tenants.keys_of.entry(tenant.into()).or_default();
        if is_current {
            for other in keys.iter_mut() {
                other.current_since = None;
            }
        }
        keys.push(Cached {
            key: Arc::clone(key),
            since: now,
            current_since: if is_current { Some(now) } else { was_current },
        });
        tenants.count += 1;
    }

    /// Forgets the keys of a tenant.
    pub fn forget(&self, tenant: &str) {
        let mut tenants = self.tenants.write();
        let removed = tenants.keys_of.remove(tenant).map_or(0, |keys| keys.len());
        tenants.count -= removed;
    }
}

impl Tenants {
    /// Removes a key. Returns since when it counts as the current one.
    fn remove(&mut self, tenant: &str, id: KeyId) -> Option<Instant> {
        let keys = self.keys_of.get_mut(tenant)?;
        let at = keys.iter().position(|cached| cached.key.id() == id)?;
        self.count -= 1;
        keys.swap_remove(at).current_since
    }

    fn remove_stale(&mut self, is_fresh: impl Fn(Instant) -> bool) {
        for keys in self.keys_of.values_mut() {
            keys.retain(|cached| is_fresh(cached.since));
        }
        self.keys_of.retain(|_, keys| !keys.is_empty());
        self.count = self.keys_of.values().map(Vec::len).sum();
    }

    fn remove_oldest(&mut self) {
        let all = self.keys_of.iter();
        let all = all.flat_map(|(tenant, keys)| keys.iter().map(move |key| (key, tenant)));
        let oldest = all.min_by_key(|(cached, _)| cached.since);
        if let Some((cached, tenant)) = oldest {
            let (tenant, id) = (tenant.clone(), cached.key.id());
            let _ = self.remove(&tenant, id);
        }
        self.keys_of.retain(|_, keys| !keys.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const TTL: Duration = Duration::from_secs(600);

    fn key(byte: u8) -> Arc<DataKey> {
        let id = KeyId::from_bytes([byte; 16]);
        Arc::new(DataKey::new(id, Zeroizing::new([byte; 32])))
    }

    fn id(byte: u8) -> KeyId {
        KeyId::from_bytes([byte; 16])
    }

    #[test]
    fn a_key_is_known_until_its_time_ends() {
        let (cache, start) = (Cache::new(10, TTL), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        cache.add("e:a", &key(1), true, start);
        assert!(cache.current("e:a", at(599)).is_some());
        assert!(cache.by_id("e:a", id(1), at(599)).is_some());
        assert!(cache.current("e:a", at(600)).is_none());
        assert!(cache.by_id("e:a", id(1), at(600)).is_none());
        assert!(cache.by_id("e:b", id(1), start).is_none(), "another tenant");
    }

    #[test]
    fn one_key_of_a_tenant_is_current() {
        let (cache, start) = (Cache::new(10, TTL), Instant::now());
        cache.add("e:a", &key(1), true, start);
        cache.add("e:a", &key(2), false, start);
        assert_eq!(cache.current("e:a", start).unwrap().id(), id(1));
        cache.add("e:a", &key(3), true, start);
        assert_eq!(cache.current("e:a", start).unwrap().id(), id(3));
        assert!(cache.by_id("e:a", id(1), start).is_some());
        // Asked for by its id, it stays the current one, and no longer than before.
        cache.add("e:a", &key(3), false, start + TTL / 2);
        assert_eq!(cache.current("e:a", start).unwrap().id(), id(3));
        assert!(cache.current("e:a", start + TTL).is_none());
        assert!(cache.by_id("e:a", id(3), start + TTL).is_some());
    }

    #[test]
    fn there_are_never_more_keys_than_the_limit() {
        let (cache, start) = (Cache::new(4, TTL), Instant::now());
        for number in 0..50 {
            let at = start + Duration::from_secs(u64::from(number));
            cache.add(&format!("e:{}", number % 7), &key(number), true, at);
            let tenants = cache.tenants.read();
            let count: usize = tenants.keys_of.values().map(Vec::len).sum();
            assert_eq!(count, tenants.count);
            assert_eq!(count, usize::from(number + 1).min(4));
            assert!(tenants.keys_of.len() <= 4);
        }
        let end = start + Duration::from_secs(50);
        for number in 46..50 {
            let tenant = format!("e:{}", number % 7);
            assert!(cache.by_id(&tenant, id(number), end).is_some(), "{number}");
        }
    }

    #[test]
    fn c37_a_forgotten_tenant_has_no_keys() {
        let (cache, start) = (Cache::new(4, TTL), Instant::now());
        cache.add("e:a", &key(1), true, start);
        cache.add("e:b", &key(2), true, start);
        cache.forget("e:a");
        assert!(cache.by_id("e:a", id(1), start).is_none());
        assert!(cache.by_id("e:b", id(2), start).is_some());
        assert_eq!(cache.tenants.read().count, 1);
    }
}
