//! The scripts, one for each operation. Each is one atomic step on the server.

use super::script::Script;

macro_rules! scripts {
    ($($name:ident = $($part:literal)+;)+) => {
        $(pub(super) static $name: Script =
            Script::new(concat!(
                include_str!("scripts/names.lua"),
                $(include_str!(concat!("scripts/", $part, ".lua"))),+
            ));)+
    };
}

scripts! {
    READ = "glance" "prelude" "record" "published" "load" "read";
    CREATE = "prelude" "record" "published" "load" "write" "purge" "seal" "create";
    UPDATE = "prelude" "record" "published" "load" "write" "purge" "update";
    REMOVE = "prelude" "record" "published" "load" "write" "purge" "remove";
    PARK = "prelude" "record" "published" "load" "write" "purge" "seal" "index" "register" "park";
    FIND = "prelude" "record" "published" "load" "find";
    WAITS = "prelude" "record" "published" "load" "write" "list" "waits";
    LATEST = "prelude" "record" "published" "load" "write" "list" "latest";
    CLEAR = "prelude" "record" "published" "load" "write" "purge" "clear";
    CLAIM = "prelude" "record" "published" "load" "write" "purge" "index" "claim";
    RENEW = "prelude" "record" "published" "load" "write" "purge" "renew";
    RELEASE = "prelude" "record" "published" "load" "write" "purge" "release";
    COMMIT = "prelude" "record" "published" "load" "write" "purge" "index" "register" "messages" "commit";
    PEEK = "prelude" "record" "published" "load" "peek";
    FORGET = "prelude" "record" "published" "load" "write" "purge" "forget";
    EXTEND = "prelude" "record" "published" "load" "write" "purge" "extend";
    REVOKE = "prelude" "record" "published" "load" "write" "purge" "revoke";
    IMPORT = "prelude" "record" "published" "load" "write" "purge" "seal" "index" "import";
    RECALL = "prelude" "write" "messages" "recall";
    CHECK = "prelude" "record" "published" "load" "write" "purge" "index" "check";
    FENCE = "prelude" "fence";
    RESERVE = "pointer" "reserve";
    LENGTHEN = "pointer" "lengthen";
    KEEP = "pointer" "keep";
    RETIRE = "pointer" "retire";
    INSPECT = "pointer" "inspect";
    RESTORE = "pointer" "restore";
}
