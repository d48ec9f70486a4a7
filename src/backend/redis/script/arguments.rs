//! The scripts, and the arguments of each. A script is one atomic step on the server.
//!
//! Some scripts begin with a fast path: straight code without functions, for their most frequent
//! case. The server creates the functions of a script anew in each run, which costs more than most
//! of what they do. A fast path reads until it knows that the case is its own, and then has the
//! effects and the answer of the full path; otherwise it leaves the call to the full path, and has
//! written nothing. docs/decisions/0029-inlined-fast-paths-in-hot-scripts.md says what that gains.

use greentic_types::SessionKey;

use super::Script;
use super::wire::{
    Argument, Arguments, ClaimedBy, FirstSent, List, ScriptArguments, StoredTtl, arguments,
};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::message_id::MessageDigest;
use crate::options::{NextTtl, OperationId, TtlMillis};
use crate::owner::Owner;
use crate::scope::{ScopeDigest, ScopeDigests};
use crate::timeout::{NextTimeout, WaitTimeout};

macro_rules! scripts {
    ($(
        $(#[$meta:meta])*
        $mode:ident $path:literal $name:ident $(<$lifetime:lifetime>)? {
            $($field:ident: $type:ty,)*
            $(..$rest:ident: $rest_type:ty,)?
        }
    )+) => {
        $(
            arguments! {
                $(#[$meta])*
                $name $(<$lifetime>)? {
                    $($field: $type,)*
                    $(..$rest: $rest_type,)?
                }
            }

            impl<'a> ScriptArguments<'a> for $name $(<$lifetime>)? {
                fn script() -> &'static Script {
                    static SCRIPT: Script =
                        Script::$mode($path, include_str!(concat!("lua/", $path, ".lua")));
                    &SCRIPT
                }
            }
        )+

        /// All scripts.
        pub const ALL: &[Entry] = &[$(Entry {
            path: $path,
            file: include_str!(concat!("lua/", $path, ".lua")),
            writes: matches!(stringify!($mode).as_bytes(), b"writes" | b"removes"),
            #[cfg(test)]
            names: <$name as Arguments>::NAMES,
            #[cfg(test)]
            rest: <$name as Arguments>::REST,
        }),+];
    };
}

/// A script, as it is found in the list of all.
pub struct Entry {
    pub path: &'static str,
    pub file: &'static str,
    pub writes: bool,
    /// The names of its arguments.
    #[cfg(test)]
    pub names: &'static [&'static str],
    /// The names of the arguments behind these.
    #[cfg(test)]
    pub rest: &'static [&'static str],
}

scripts! {
    reads "ops/read" Read<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
    }

    writes "ops/create" Create<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        flags: &'a str,
        ttl: TtlMillis,
        operation: OperationId,
        payload: &'a [u8],
        reservation: String,
    }

    writes "ops/update" Update<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
        owner_prefix: String,
        user: &'a str,
        revision: Option<u64>,
        claim: Option<TokenSecret>,
        operation: OperationId,
        payload: &'a [u8],
    }

    removes "ops/remove" Remove<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
        revision: Option<u64>,
        first_sent: FirstSent,
    }

    writes "ops/park" Park<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        scope: ScopeDigest,
        legacy_scope: ScopeDigest,
        ttl: NextTtl,
        timeout: Option<NextTimeout>,
        operation: OperationId,
        if_absent: bool,
        max_waits: usize,
        payload: &'a [u8],
        reservation: String,
    }

    reads "ops/find" Find<'a> {
        owner: &'a Owner,
        scope: ScopeDigest,
        legacy_scope: ScopeDigest,
    }

    reads "ops/waits" Waits<'a> {
        owner: &'a Owner,
        cursor: &'a str,
    }

    reads "ops/latest" Latest<'a> {
        owner: &'a Owner,
        sees: &'a str,
    }

    removes "ops/clear" Clear<'a> {
        owner: &'a Owner,
        scope: ScopeDigest,
        legacy_scope: ScopeDigest,
        first_sent: FirstSent,
    }

    writes "ops/claim" Claim<'a> {
        owner: &'a Owner,
        message: MessageDigest,
        secret: TokenSecret,
        claimed_by: ClaimedBy<'a>,
        lease: u64,
        ..scopes: ScopesInOrder<'a>,
    }

    writes "ops/renew" Renew<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        secret: TokenSecret,
        lease: u64,
        ..start: Option<StartOf>,
    }

    writes "ops/release" Release<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        secret: TokenSecret,
        ..start: Option<StartOf>,
    }

    writes "ops/commit" Commit<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        message: MessageDigest,
        secret: TokenSecret,
        window: u64,
        limit: u64,
        ..next: NextAndReply<'a>,
    }

    writes "ops/commit_start" CommitStart<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        message: MessageDigest,
        secret: TokenSecret,
        window: u64,
        limit: u64,
        start_scope: ScopeDigest,
        ..begun: BegunAndReply<'a>,
    }

    writes "ops/set_timeout" SetTimeout<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
        timeout: Option<NextTimeout>,
    }

    writes "ops/claim_due" ClaimDue<'a> {
        lease: u64,
        claimed_by: ClaimedBy<'a>,
        ..secrets: Vec<TokenSecret>,
    }

    reads "admin/read_entries" ReadEntries<'a> {
        depth: &'a str,
        ..entries: Vec<(&'a str, &'a str)>,
    }

    writes "admin/check" Check<'a> {
        mode: &'a str,
        cursor: &'a str,
        ..entries: Vec<(&'a str, &'a str)>,
    }

    writes "admin/check_due" CheckDue<'a> {
        repair: bool,
        cursor: &'a str,
    }

    writes "admin/extend" Extend<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
        ttl: NextTtl,
        extended: String,
    }

    writes "admin/revoke" Revoke<'a> {
        key: &'a SessionKey,
        fence: Option<&'a Owner>,
        operation: OperationId,
    }

    writes "admin/erase_owner" EraseOwner<'a> {
        owner: &'a Owner,
        part: String,
        cursor: String,
        more: bool,
        ..keys_and_scopes: KeysAndScopes<'a>,
    }

    #[cfg_attr(not(feature = "encryption"), allow(dead_code))]
    writes "admin/exchange" Exchange<'a> {
        key: &'a SessionKey,
        expected: &'a [u8],
        size: usize,
        payload: &'a [u8],
    }

    #[cfg_attr(not(feature = "encryption"), allow(dead_code))]
    writes "admin/exchange_reply" ExchangeReply<'a> {
        owner: &'a Owner,
        message: MessageDigest,
        expected: &'a [u8],
        reply: &'a [u8],
    }

    writes "admin/import" Import<'a> {
        owner: &'a Owner,
        key: &'a SessionKey,
        flags: &'a str,
        revision: u64,
        created: Option<Timestamp>,
        deadline: Option<Timestamp>,
        ttl: StoredTtl,
        fencing: u64,
        if_absent: bool,
        operation: OperationId,
        payload: &'a [u8],
        reservation: String,
        ..wait: Option<ImportedWait>,
    }

    writes "admin/import_messages" ImportMessages<'a> {
        owner: &'a Owner,
        window: u64,
        limit: u64,
        ..messages: Vec<(MessageDigest, (Timestamp, ImportedReply<'a>))>,
    }

    writes "pointer/reserve" ReservePointer<'a> {
        new_owner: &'a Owner,
        life: Option<u64>,
        replaced: Option<u64>,
        above: u64,
    }

    writes "pointer/delete" DeletePointer<'a> {
        expected_owner: &'a Owner,
        expected_stamp: u64,
    }

    reads "pointer/inspect" InspectPointer {}

    writes "pointer/confirm" ConfirmPointer<'a> {
        key: &'a SessionKey,
        extended: String,
    }

    writes "pointer/fence" Fence<'a> {
        key: &'a SessionKey,
        stamp: u64,
    }

    writes "pointer/sweep_lease" SweepLease<'a> {
        token: &'a str,
        time: u64,
    }
}

arguments! {
    /// A session that is parked again with a commit.
    ParkAgain<'a> {
        scope: Option<ScopeDigest>,
        legacy_scope: Option<ScopeDigest>,
        ttl: NextTtl,
        timeout: Option<NextTimeout>,
        extended: String,
        payload: &'a [u8],
    }
}

/// What a commit does besides remembering its message.
pub struct NextAndReply<'a> {
    /// None removes the session.
    pub park: Option<ParkAgain<'a>>,
    pub reply: Option<&'a [u8]>,
}

impl<'a> Arguments<'a> for NextAndReply<'a> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &[
        "scope",
        "legacy_scope",
        "ttl",
        "timeout",
        "extended",
        "payload",
        "reply",
    ];

    fn append_to(self, list: &mut List<'a>) {
        append_with_reply(self.park, self.reply, list);
    }
}

/// What a commit of a start does besides remembering its message.
pub struct BegunAndReply<'a> {
    /// None leaves nothing.
    pub park: Option<ParkNew<'a>>,
    pub reply: Option<&'a [u8]>,
}

impl<'a> Arguments<'a> for BegunAndReply<'a> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &[
        "scope",
        "legacy_scope",
        "ttl",
        "timeout",
        "payload",
        "reservation",
        "reply",
    ];

    fn append_to(self, list: &mut List<'a>) {
        append_with_reply(self.park, self.reply, list);
    }
}

/// The reply is last. It keeps its place, behind six other arguments, if nothing is parked.
fn append_with_reply<'a>(
    park: Option<impl Arguments<'a>>,
    reply: Option<&'a [u8]>,
    list: &mut List<'a>,
) {
    match (park, reply) {
        (Some(park), _) => park.append_to(list),
        (None, Some(_)) => {
            for _place in 0..6 {
                "".append_to(list);
            }
        }
        (None, None) => {}
    }
    if let Some(reply) = reply {
        reply.append_to(list);
    }
}

/// The reply of a message that is imported: empty for none, else behind a `+`.
pub struct ImportedReply<'a>(pub Option<&'a [u8]>);

impl<'a> Argument<'a> for ImportedReply<'a> {
    fn append_to(self, list: &mut List<'a>) {
        let text = self.0.map(|reply| [b"+", reply].concat());
        list.push(text.unwrap_or_default().into());
    }
}

arguments! {
    /// A session that is parked with the commit of its start.
    ParkNew<'a> {
        scope: Option<ScopeDigest>,
        legacy_scope: Option<ScopeDigest>,
        ttl: TtlMillis,
        timeout: Option<NextTimeout>,
        payload: &'a [u8],
        reservation: String,
    }
}

arguments! {
    /// The start that a token is for.
    StartOf {
        start_scope: ScopeDigest,
        message: MessageDigest,
    }
}

/// The start that a claim asks for where no session waits.
pub struct Asked<'a> {
    pub max_waits: usize,
    /// Whether the key is known to be another owner's.
    pub is_foreign: bool,
    /// The key of the session to be.
    pub key: &'a SessionKey,
}

impl<'a> Argument<'a> for Asked<'a> {
    fn append_to(self, list: &mut List<'a>) {
        let is_foreign = u8::from(self.is_foreign);
        format!("{} {is_foreign} {}", self.max_waits, self.key.as_str()).append_to(list);
    }
}

arguments! {
    /// The wait of a session that is imported.
    ImportedWait {
        scope: ScopeDigest,
        order: u64,
        since: Option<Timestamp>,
        attempt: u32,
        timeout: Option<WaitTimeout>,
    }
}

/// The scopes of a claim, in the order in which they are tried, and what starts on the last.
pub struct ScopesInOrder<'a> {
    pub scopes: &'a [ScopeDigests],
    pub start: Option<Asked<'a>>,
}

impl<'a> Arguments<'a> for ScopesInOrder<'a> {
    /// Those of the first scope; the script reads the others by their position.
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &["scope", "legacy_scope"];

    fn append_to(self, list: &mut List<'a>) {
        for scope in self.scopes {
            scope.ours.append_to(list);
            scope.legacy.append_to(list);
        }
        // No argument says that nothing starts: each one costs.
        if let Some(start) = self.start {
            start.append_to(list);
        }
    }
}

/// What else to look at when an owner is erased: session keys, and scopes under which 1.2 stored
/// waits.
pub struct KeysAndScopes<'a> {
    pub keys: &'a [SessionKey],
    pub legacy_scopes: &'a [ScopeDigest],
}

impl<'a> Arguments<'a> for KeysAndScopes<'a> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &["key_count"];

    fn append_to(self, list: &mut List<'a>) {
        self.keys.len().append_to(list);
        for key in self.keys {
            key.append_to(list);
        }
        for scope in self.legacy_scopes {
            scope.append_to(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::script::assembly::assemble;

    /// The names of the line `local first, second = unpack(ARGV, …)`, and what stands behind
    /// `ARGV`.
    fn head(file: &str) -> Option<(Vec<&str>, &str)> {
        let (before, after) = file.split_once(" = unpack(ARGV")?;
        let (_, names) = before.rsplit_once("local ")?;
        let names = names.split(',').map(str::trim).collect();
        Some((names, after.split_once(')')?.0))
    }

    #[test]
    fn the_arguments_of_a_script_are_those_of_its_head() {
        for entry in ALL {
            let declared = [entry.names, entry.rest].concat();
            let Some((names, range)) = head(entry.file) else {
                assert!(declared.is_empty(), "{}", entry.path);
                continue;
            };
            assert_eq!(names, declared, "{}", entry.path);
            // The first argument of a script on an owner's keys is how they begin.
            let has_base = assemble(entry.file, entry.writes).contains("base = ARGV[1]");
            let first = if has_base { ", 2" } else { "" };
            let all = format!("{first}, {}", declared.len() + usize::from(has_base));
            assert!(range == first || range == all, "{}: {range}", entry.path);
        }
    }
}
