//! The scripts, one for each operation. Each is one atomic step on the server.
//!
//! The busy ones begin with their usual case, in brackets. It stands before all else, as a script makes
//! its functions anew each time that it runs, and that costs more than most of what they do. A usual case
//! reads until it knows that it is one, and then leaves what the long way would leave; all others, and all
//! trouble, it leaves to that. docs/decisions/0029-usual-case-first.md tells what that gains.

use super::script::Script;

macro_rules! pieces {
    ($($part:expr),+ $(,)?) => {
        concat!($(include_str!(concat!("scripts/", $part, ".lua"))),+)
    };
}

macro_rules! scripts {
    ($($name:ident = $([$($usual:literal)+])? $($part:literal)+;)+) => {
        $(pub(super) static $name: Script =
            Script::new(pieces!("names", $($($usual,)+)? $($part),+));)+

        /// Of each script its usual case alone, if it has one, and its long way alone.
        #[cfg(test)]
        pub(super) const WAYS: &[(&str, &[&str], &str)] = &[$((
            stringify!($name),
            &[$(concat!(pieces!("names", $($usual),+), "return {'UNUSUAL'}"))?],
            pieces!("names", $($part),+),
        )),+];
    };
}

scripts! {
    READ = ["usual_read"] "prelude" "record" "published" "load" "read";
    CREATE = "prelude" "record" "published" "load" "write" "fencing" "purge" "seal" "create";
    UPDATE = "prelude" "record" "published" "load" "write" "fencing" "purge" "update";
    REMOVE = "prelude" "record" "published" "load" "write" "fencing" "purge" "remove";
    PARK = ["usual_park" "usual_wait"] "prelude" "record" "published" "load" "write" "fencing" "purge" "seal" "index" "register" "park";
    FIND = ["usual_find"] "prelude" "record" "published" "load" "find";
    WAITS = "prelude" "record" "published" "load" "write" "list" "waits";
    LATEST = "prelude" "record" "published" "load" "write" "list" "latest";
    CLEAR = ["usual_clear"] "prelude" "record" "published" "load" "write" "fencing" "purge" "clear";
    CLAIM = ["usual_claim"] "prelude" "record" "published" "load" "write" "fencing" "purge" "index" "claim";
    RENEW = "prelude" "record" "published" "load" "write" "fencing" "purge" "renew";
    RELEASE = "prelude" "record" "published" "load" "write" "fencing" "purge" "release";
    COMMIT = ["usual_commit" "usual_wait"] "prelude" "record" "published" "load" "write" "fencing" "purge" "index" "register" "messages" "commit";
    PEEK = "prelude" "record" "published" "load" "peek";
    FORGET = "prelude" "record" "published" "load" "write" "fencing" "purge" "forget";
    EXTEND = "prelude" "record" "published" "load" "write" "fencing" "purge" "seal" "extend";
    REVOKE = "prelude" "record" "published" "load" "write" "fencing" "purge" "revoke";
    IMPORT = "prelude" "record" "published" "load" "write" "fencing" "purge" "seal" "index" "import";
    RECALL = "prelude" "write" "messages" "recall";
    CHECK = "prelude" "record" "published" "load" "write" "fencing" "purge" "index" "check";
    FENCE = "prelude" "fencing" "fence";
    RESERVE = "pointer" "reserve";
    LENGTHEN = "pointer" "lengthen";
    KEEP = "pointer" "keep";
    RETIRE = "pointer" "retire";
    INSPECT = "pointer" "inspect";
    RESTORE = "pointer" "restore";
    TURN = "turn";
}
