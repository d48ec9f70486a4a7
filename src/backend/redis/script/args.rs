//! The arguments of a script, in the order that the head of its file tells.

use std::borrow::Cow;

use super::keys::Keys;
use super::{Call, Script};
use crate::claim::{ClaimToken, TokenSecret};
use crate::clock::whole_millis;
use crate::options::{OperationId, StoreOptions};

/// The longest message window in milliseconds; with a longer one instants would exceed the numbers of Lua.
const MAX_MESSAGE_WINDOW: u64 = 1 << 52;

/// A call in the making. The first argument of every script is how all keys begin.
pub struct Args<'a> {
    pub keys: Keys,
    call: Call<'a>,
}

impl<'a> Args<'a> {
    /// A call that reads. `key` is the one key that a router needs to know; the script names it and
    /// all others of the same owner itself.
    pub fn reading(keys: &Keys, script: &'static Script, key: String) -> Self {
        let call = Call {
            script,
            keys: vec![Cow::Owned(key.into_bytes())],
            args: vec![Cow::Owned(keys.base().as_bytes().to_vec())],
            has_one_key: false,
            mutating: false,
        };
        Self {
            keys: keys.clone(),
            call,
        }
    }

    /// A call that writes.
    pub fn writing(keys: &Keys, script: &'static Script, key: String) -> Self {
        let mut args = Self::reading(keys, script, key);
        args.call.mutating = true;
        args
    }

    /// A call that writes to what a token has claimed.
    pub fn of_token(keys: &Keys, script: &'static Script, token: &'a ClaimToken) -> Self {
        Self::writing(keys, script, keys.session(&token.key))
            .text(token.owner.as_str())
            .text(token.key.as_str())
    }

    pub fn text(self, text: &'a str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub fn bytes(mut self, bytes: &'a [u8]) -> Self {
        self.call.args.push(Cow::Borrowed(bytes));
        self
    }

    pub fn owned(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.call.args.push(Cow::Owned(value.into()));
        self
    }

    /// A number, or empty for none.
    pub fn number(self, number: impl Into<Option<u64>>) -> Self {
        match number.into() {
            Some(number) => self.owned(number.to_string()),
            None => self.text(""),
        }
    }

    /// For how long messages are remembered, and how many of an owner.
    pub fn message_limits(self, options: &StoreOptions) -> Self {
        self.number(whole_millis(options.message_window).min(MAX_MESSAGE_WINDOW))
            .number(u64::try_from(options.max_messages.max(1)).unwrap_or(u64::MAX))
    }

    pub fn call(self) -> Call<'a> {
        self.call
    }
}

/// An operation id for every write, so that an attempt finds what an earlier one did (C14).
pub fn named(operation: Option<OperationId>) -> String {
    let operation = operation.unwrap_or_else(OperationId::random);
    format!("{:032x}", operation.as_u128())
}

pub fn shown(secret: TokenSecret) -> String {
    format!("{:032x}", secret.0)
}
