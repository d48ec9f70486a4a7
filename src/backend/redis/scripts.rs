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
    READ = "glance" "prelude" "load" "read";
    CREATE = "prelude" "load" "index" "create";
    UPDATE = "prelude" "load" "index" "update";
    REMOVE = "prelude" "load" "index" "remove";
    PARK = "prelude" "load" "index" "register" "park";
    FIND = "prelude" "load" "find";
    WAITS = "prelude" "load" "list" "waits";
    LATEST = "prelude" "load" "list" "latest";
    CLEAR = "prelude" "load" "index" "clear";
    CLAIM = "prelude" "load" "index" "register" "claim";
    RENEW = "prelude" "load" "index" "renew";
    RELEASE = "prelude" "load" "index" "release";
    COMMIT = "prelude" "load" "index" "register" "messages" "commit";
    PEEK = "prelude" "load" "peek";
    FORGET = "prelude" "load" "index" "forget";
    EXTEND = "prelude" "load" "index" "extend";
    REVOKE = "prelude" "load" "index" "revoke";
    IMPORT = "prelude" "load" "index" "register" "import";
    RECALL = "prelude" "load" "index" "messages" "recall";
    CHECK = "prelude" "load" "index" "register" "check";
    FENCE = "prelude" "fence";
    RESERVE = "pointer" "reserve";
    LENGTHEN = "pointer" "lengthen";
    KEEP = "pointer" "keep";
    RETIRE = "pointer" "retire";
    INSPECT = "pointer" "inspect";
    RESTORE = "pointer" "restore";
}
