//! The scripts, one for each operation. Each is one atomic step on the server.
//!
//! The busy ones begin with their usual case, in brackets. It stands before all else, as a script makes
//! its functions anew each time that it runs, and that costs more than most of what they do. A usual case
//! reads until it knows that it is one, and then leaves what the long way would leave; all others, and all
//! trouble, it leaves to that. docs/decisions/0029-usual-case-first.md tells what that gains.

use super::Script;

macro_rules! pieces {
    ($($part:expr),+ $(,)?) => {
        concat!($(include_str!(concat!("lua/", $part, ".lua"))),+)
    };
}

macro_rules! scripts {
    ($($name:ident = $([$($usual:literal)+])? $($part:literal)+;)+) => {
        $(pub static $name: Script =
            Script::new(pieces!("lib/names", $($($usual,)+)? $($part),+));)+

        /// Of each script its usual case alone, if it has one, and its long way alone.
        #[cfg(test)]
        pub const WAYS: &[(&str, &[&str], &str)] = &[$((
            stringify!($name),
            &[$(concat!(pieces!("lib/names", $($usual),+), "return {'UNUSUAL'}"))?],
            pieces!("lib/names", $($part),+),
        )),+];
    };
}

scripts! {
    READ = ["fast/usual_read"] "lib/prelude" "lib/record" "lib/published" "lib/load" "ops/read";
    CREATE = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/seal" "ops/create";
    UPDATE = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "ops/update";
    REMOVE = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "ops/remove";
    PARK = ["fast/usual_park" "fast/usual_wait"] "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/seal" "lib/index" "lib/register" "ops/park";
    FIND = ["fast/usual_find"] "lib/prelude" "lib/record" "lib/published" "lib/load" "ops/find";
    WAITS = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/list" "ops/waits";
    LATEST = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/list" "ops/latest";
    CLEAR = ["fast/usual_clear"] "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "ops/clear";
    CLAIM = ["fast/usual_claim"] "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/index" "ops/claim";
    RENEW = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "ops/renew";
    RELEASE = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "ops/release";
    COMMIT = ["fast/usual_commit" "fast/usual_wait"] "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/index" "lib/register" "lib/messages" "ops/commit";
    PEEK = "lib/prelude" "lib/record" "lib/published" "lib/load" "admin/peek";
    FORGET = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "admin/forget";
    EXTEND = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/seal" "admin/extend";
    REVOKE = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "admin/revoke";
    IMPORT = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/seal" "lib/index" "admin/import";
    RECALL = "lib/prelude" "lib/write" "lib/messages" "admin/recall";
    CHECK = "lib/prelude" "lib/record" "lib/published" "lib/load" "lib/write" "lib/fencing" "lib/purge" "lib/index" "admin/check";
    FENCE = "lib/prelude" "lib/fencing" "pointer/fence";
    RESERVE = "pointer/pointer" "pointer/reserve";
    LENGTHEN = "pointer/pointer" "pointer/lengthen";
    KEEP = "pointer/pointer" "pointer/keep";
    RETIRE = "pointer/pointer" "pointer/retire";
    INSPECT = "pointer/pointer" "pointer/inspect";
    RESTORE = "pointer/pointer" "pointer/restore";
    TURN = "pointer/turn";
}
