//! The Lua scripts ([`registry`]), their arguments ([`args`]) and replies ([`reply`]), the record
//! of a session ([`record`]) and the names of keys ([`keys`]).

pub mod args;
pub mod assembly;
mod index_header;
pub mod keys;
pub mod known_pointer;
mod line;
pub mod record;
pub mod registry;
pub mod reply;
pub mod status;

use std::borrow::Cow;
use std::sync::OnceLock;

use redis::Cmd;

use self::assembly::assemble;

/// A Lua script that the server runs as one atomic step.
pub struct Script {
    /// The file of the script, without what it includes.
    file: &'static str,
    writes: bool,
    assembled: OnceLock<Assembled>,
}

struct Assembled {
    text: String,
    /// The name under which the server caches the script.
    sha1: String,
}

impl Script {
    /// A script that reads.
    pub const fn reads(file: &'static str) -> Self {
        Self {
            file,
            writes: false,
            assembled: OnceLock::new(),
        }
    }

    /// A script that writes.
    pub const fn writes(file: &'static str) -> Self {
        Self {
            file,
            writes: true,
            assembled: OnceLock::new(),
        }
    }

    fn assembled(&self) -> &Assembled {
        self.assembled.get_or_init(|| {
            let text = assemble(self.file);
            let sha1 = redis::Script::new(&text).get_hash().to_owned();
            Assembled { text, sha1 }
        })
    }
}

/// One call of a script.
pub struct Call<'a> {
    pub script: &'static Script,
    pub keys: Vec<Cow<'a, [u8]>>,
    pub args: Vec<Cow<'a, [u8]>>,
    /// Whether the script uses the first key only.
    pub has_one_key: bool,
}

impl Call<'_> {
    /// Whether the script writes.
    pub const fn mutating(&self) -> bool {
        self.script.writes
    }

    /// The key that decides where the call goes.
    pub fn key(&self) -> &[u8] {
        self.keys.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// The short form, for a server that has the script in its cache.
    pub fn by_sha1(&self) -> Cmd {
        self.command("EVALSHA", &self.script.assembled().sha1)
    }

    /// The form that carries the whole script.
    pub fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.assembled().text)
    }

    fn command(&self, verb: &str, script: &str) -> Cmd {
        let parts = || self.keys.iter().chain(&self.args);
        let size: usize = parts().map(|part| part.len()).sum();
        let mut command =
            Cmd::with_capacity(parts().count() + 3, verb.len() + script.len() + size + 20);
        command.arg(verb).arg(script).arg(self.keys.len());
        for part in parts() {
            command.arg(part.as_ref());
        }
        command
    }
}

/// What the server answered.
pub struct Reply {
    pub value: redis::Value,
    /// An earlier attempt of this call had an unknown outcome: it may have been done already.
    pub repeated: bool,
}
