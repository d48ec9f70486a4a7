//! The names of all keys. docs/redis-layout.md describes what they hold.

use std::borrow::Cow;
use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use sha2::{Digest, Sha256};

use crate::backend::redis::hash_slot::{slot_of, tag_of};
use crate::error::printable;
use crate::owner::Owner;
use crate::payload::unreadable;

/// How the keys of one store begin; on a Cluster, those of one owner.
///
/// The scripts get this beginning, and build all names from it in one function of their own: they
/// meet session keys and owners that only the stored data names.
#[derive(Clone)]
pub struct Keys {
    base: Arc<str>,
    /// On a Cluster the due index of the slot; otherwise scripts know its name.
    due: Option<Arc<str>>,
}

impl Keys {
    pub fn new(namespace: &str) -> Self {
        Self {
            base: format!("{namespace}:").into(),
            due: None,
        }
    }

    /// The names on a Cluster: the owner decides on the slot.
    ///
    /// A tag ends with the first brace, and the key of a session without a user may hold some.
    pub fn tagged(namespace: &str, owner: &Owner) -> Self {
        let tag = if owner.has_user() {
            Cow::Borrowed(owner.as_str())
        } else {
            Cow::Owned(hex::encode(Sha256::digest(owner.as_str())))
        };
        Self::tagged_as(namespace, &tag)
    }

    /// The names on a Cluster that have a tag.
    pub fn tagged_as(namespace: &str, tag: &str) -> Self {
        Self {
            base: format!("{namespace}:{{{tag}}}:").into(),
            due: Some(due_of(namespace, slot_of(tag.as_bytes()))),
        }
    }

    /// The names of all owners of a slot, on a Cluster: their scripts build the tags.
    pub fn of_slot(namespace: &str, slot: u16) -> Self {
        Self {
            base: format!("{namespace}:").into(),
            due: Some(due_of(namespace, slot)),
        }
    }

    /// The due index: on one server of all owners, on a Cluster of the owners of the slot.
    pub fn due(&self) -> String {
        match &self.due {
            Some(due) => due.to_string(),
            None => format!("{}due", self.base),
        }
    }

    /// The due index, if its name must be told to scripts.
    pub fn told_due(&self) -> Option<&str> {
        self.due.as_deref()
    }

    /// What stands before the kind in every name.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The payload of a session.
    pub fn session(&self, key: &SessionKey) -> String {
        format!("{}session:{}", self.base, key.as_str())
    }

    /// The record of a session.
    pub fn record(&self, key: &SessionKey) -> String {
        format!("{}meta:{}", self.base, key.as_str())
    }

    /// An owner's index of waits: it stands for all that belongs to the owner.
    pub fn route(&self, owner: &Owner) -> String {
        format!("{}route:{}", self.base, owner.as_str())
    }

    /// The error of a key that cannot be read. The part of a name that may be a user is cut (C18).
    pub fn unreadable(&self, name: &[u8], reason: &str) -> GreenticError {
        let name = String::from_utf8_lossy(name);
        let rest = name.strip_prefix(&*self.base).unwrap_or_default();
        let (kind, of) = rest.split_once(':').unwrap_or((rest, ""));
        match kind {
            "session" | "meta" | "owner" => {
                unreadable(&SessionKey::new(of), &format!("{kind}: {reason}"))
            }
            _ => {
                let parts = if kind == "waits" { 4 } else { 3 };
                let place: Vec<_> = of.split(':').take(parts).collect();
                // A tag holds the user too.
                let namespace = self.base.split('{').next().unwrap_or_default();
                let shown = SessionKey::new(format!("{namespace}{kind}:{}", place.join(":")));
                GreenticError::new(
                    ErrorCode::Internal,
                    format!("the key {}:… cannot be read: {reason}", printable(&shown)),
                )
            }
        }
    }
}

fn due_of(namespace: &str, slot: u16) -> Arc<str> {
    format!("{namespace}:{{{}}}:due", tag_of(slot)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_an_owner_are_in_one_slot() {
        for owner in ["dev:acme:%2D:ada", "dev:acme:-:@a}b{c}"] {
            let owner = Owner::from_encoded(owner);
            let keys = Keys::tagged("a:b", &owner);
            let slots = [
                keys.session(&SessionKey::new("x{y}z")),
                keys.session(&SessionKey::new("other")),
                keys.route(&owner),
                keys.due(),
            ];
            let slots = slots.map(|name| slot_of(name.as_bytes()));
            assert_eq!(slots, [slots[0]; 4]);
        }
    }

    #[test]
    fn c18_a_tag_is_not_shown() {
        let keys = Keys::tagged("a:b", &Owner::from_encoded("dev:acme:-:ada"));
        let name = "a:b:{dev:acme:-:ada}:expiry:dev:acme:-:ada";
        let message = keys.unreadable(name.as_bytes(), "why").message;
        assert!(message.contains("a:b:expiry:dev:acme:-:…"), "{message}");
        assert!(!message.contains("ada"), "{message}");
    }

    #[test]
    fn c18_an_unreadable_key_is_named_without_its_user() {
        let keys = Keys::new("a:b");
        for name in [
            "a:b:expiry:dev:acme:-:ada",
            "a:b:waits:user:dev:acme:-:ada",
            "a:b:waits:scope:dev:acme:-:ada:0f",
        ] {
            let message = keys.unreadable(name.as_bytes(), "why").message;
            assert!(message.contains("dev:acme:-:…"), "{message}");
            assert!(!message.contains("ada"), "{message}");
        }
        let message = keys.unreadable(b"a:b:meta:run:1", "why").message;
        assert!(message.contains("run:1") && message.contains("meta: why"));
    }
}
