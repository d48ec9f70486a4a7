//! The arguments of a script, in the order that the head of its file tells.

use std::borrow::Cow;

use super::keys::Keys;
use super::script::{Call, Script};
use crate::claim::{ClaimToken, TokenSecret};
use crate::options::OperationId;

/// A call in the making. The first argument of every script is how all keys begin.
pub(super) struct Args<'a>(Call<'a>);

impl<'a> Args<'a> {
    /// A call that reads. `key` is the one key that a router needs to know; the script names it and
    /// all others of the same owner itself.
    pub fn reading(keys: &'a Keys, script: &'static Script, key: String) -> Self {
        Self(Call {
            script,
            keys: vec![Cow::Owned(key.into_bytes())],
            args: vec![Cow::Borrowed(keys.base().as_bytes())],
            mutating: false,
        })
    }

    /// A call that writes.
    pub fn writing(keys: &'a Keys, script: &'static Script, key: String) -> Self {
        let mut args = Self::reading(keys, script, key);
        args.0.mutating = true;
        args
    }

    /// A call that writes to what a token has claimed.
    pub fn of_token(keys: &'a Keys, script: &'static Script, token: &'a ClaimToken) -> Self {
        Self::writing(keys, script, keys.session(&token.key))
            .text(token.owner.as_str())
            .text(token.key.as_str())
    }

    pub fn text(mut self, text: &'a str) -> Self {
        self.0.args.push(Cow::Borrowed(text.as_bytes()));
        self
    }

    pub fn owned(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.0.args.push(Cow::Owned(value.into()));
        self
    }

    /// A number, or empty for none.
    pub fn number(self, number: impl Into<Option<u64>>) -> Self {
        match number.into() {
            Some(number) => self.owned(number.to_string()),
            None => self.text(""),
        }
    }

    pub fn call(self) -> Call<'a> {
        self.0
    }
}

/// An operation id for every write, so that an attempt finds what an earlier one did (C14).
pub(super) fn named(operation: Option<OperationId>) -> String {
    let operation = operation.unwrap_or_else(OperationId::random);
    format!("{:032x}", operation.as_u128())
}

pub(super) fn shown(secret: TokenSecret) -> String {
    format!("{:032x}", secret.0)
}
