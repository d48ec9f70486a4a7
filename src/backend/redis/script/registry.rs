//! The scripts. Each is one atomic step on the server.
//!
//! Some scripts begin with a fast path: straight code without functions, for their most frequent case. The
//! server creates the functions of a script anew in each run, which costs more than most of what they do. A
//! fast path reads until it knows that the case is its own, and then has the effects and the answer of the
//! full path; otherwise it leaves the call to the full path, and has written nothing.
//! docs/decisions/0029-inlined-fast-paths-in-hot-scripts.md says what that gains.

use super::Script;

macro_rules! scripts {
    ($($name:ident = $path:literal;)+) => {
        $(pub static $name: Script = Script::new(include_str!(concat!("lua/", $path, ".lua")));)+

        /// The name, the path and the file of each script.
        #[cfg(test)]
        pub const ALL: &[(&str, &str, &str)] = &[$((
            stringify!($name),
            $path,
            include_str!(concat!("lua/", $path, ".lua")),
        )),+];
    };
}

scripts! {
    READ = "ops/read";
    CREATE = "ops/create";
    UPDATE = "ops/update";
    REMOVE = "ops/remove";
    PARK = "ops/park";
    FIND = "ops/find";
    WAITS = "ops/waits";
    LATEST = "ops/latest";
    CLEAR = "ops/clear";
    CLAIM = "ops/claim";
    RENEW = "ops/renew";
    RELEASE = "ops/release";
    COMMIT = "ops/commit";

    READ_ENTRIES = "admin/read_entries";
    CHECK = "admin/check";
    EXTEND = "admin/extend";
    REVOKE = "admin/revoke";
    FORGET = "admin/forget";
    IMPORT = "admin/import";
    IMPORT_MESSAGES = "admin/import_messages";

    RESERVE_POINTER = "pointer/reserve";
    EXTEND_POINTER = "pointer/extend";
    SET_POINTER_EXPIRY = "pointer/set_expiry";
    DELETE_POINTER = "pointer/delete";
    INSPECT_POINTER = "pointer/inspect";
    RESTORE_POINTER = "pointer/restore";
    FENCE = "pointer/fence";
    SWEEP_LEASE = "pointer/sweep_lease";
}
