//! The Lua scripts and their arguments ([`arguments`], [`wire`]), their replies ([`reply`]), the
//! record of a session ([`record`]) and the names of keys ([`keys`]).

pub mod arguments;
pub mod assembly;
mod index_header;
pub mod keys;
pub mod known_pointer;
mod line;
pub mod permissions;
pub mod plain_read;
pub mod record;
pub mod reply;
mod start_record;
pub mod status;
pub mod wire;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use redis::{Cmd, Value};

use self::assembly::assemble;
use self::plain_read::PlainRead;

/// A Lua script that the server runs as one atomic step.
pub struct Script {
    /// The path of its file, such as `ops/claim`.
    path: &'static str,
    /// The text of its file, without what it includes.
    file: &'static str,
    writes: bool,
    /// Its last argument is empty, and in a repeat an instant before the first attempt.
    bounds_repeats: bool,
    assembled: OnceLock<Assembled>,
}

struct Assembled {
    text: String,
    /// The name under which the server caches the script.
    sha1: String,
}

impl Script {
    /// A script that reads.
    pub const fn reads(path: &'static str, file: &'static str) -> Self {
        Self {
            path,
            file,
            writes: false,
            bounds_repeats: false,
            assembled: OnceLock::new(),
        }
    }

    /// A script that writes.
    pub const fn writes(path: &'static str, file: &'static str) -> Self {
        Self {
            path,
            file,
            writes: true,
            bounds_repeats: false,
            assembled: OnceLock::new(),
        }
    }

    /// A script that removes a session, and cannot see that an earlier attempt did so. Its last
    /// argument is a [`FirstSent`](wire::FirstSent).
    pub const fn removes(path: &'static str, file: &'static str) -> Self {
        Self {
            path,
            file,
            writes: true,
            bounds_repeats: true,
            assembled: OnceLock::new(),
        }
    }

    /// The name of the script, such as `claim`.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    fn assembled(&self) -> &Assembled {
        self.assembled.get_or_init(|| {
            let text = assemble(self.file, self.writes);
            let sha1 = redis::Script::new(&text).get_hash().to_owned();
            Assembled { text, sha1 }
        })
    }
}

/// The form in which a script is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ScriptForm {
    /// The command that stands for it.
    Plain,
    /// Its name, for a server that has the script in its cache.
    Sha1,
    Text,
}

/// One call of a script.
pub struct Call<'a> {
    pub script: &'static Script,
    pub keys: Vec<Cow<'a, [u8]>>,
    pub args: Vec<Cow<'a, [u8]>>,
    /// Whether the script uses the first key only.
    pub has_one_key: bool,
    /// An instant by the server's clock, in microseconds, up to which the script may write, where a
    /// reservation sets one. A script that writes also has the deadline of its attempt.
    pub write_deadline: Option<u64>,
    /// Set when the call is sent, for a caller that must know it.
    pub sent: Option<Arc<AtomicBool>>,
    /// A command that is tried first, for a script that reads.
    pub plain: Option<PlainRead<'a>>,
}

impl Call<'_> {
    /// Whether the script writes.
    pub const fn mutating(&self) -> bool {
        self.script.writes
    }

    /// The form of the first attempt.
    pub const fn first_form(&self) -> ScriptForm {
        match self.plain {
            Some(_) => ScriptForm::Plain,
            None => ScriptForm::Sha1,
        }
    }

    /// The key that decides where the call goes.
    pub fn key(&self) -> &[u8] {
        self.keys.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Notes that the call is sent.
    pub fn note_sent(&self) {
        if let Some(sent) = &self.sent {
            sent.store(true, Ordering::Relaxed);
        }
    }

    /// What the script answers, from the answer to the form that was sent; none if the script must be
    /// asked itself.
    pub fn answer(&self, form: ScriptForm, value: Value) -> Option<Value> {
        match (form, &self.plain) {
            (ScriptForm::Plain, Some(plain)) => plain.answer(value),
            _ => Some(value),
        }
    }

    /// The command that runs the script. A script that writes refuses to after `deadline`. A repeat
    /// has `first_sent`, an instant before the first attempt. Both are by the server's clock in
    /// microseconds.
    pub fn command(&self, form: ScriptForm, deadline: u64, first_sent: Option<u64>) -> Cmd {
        let script = self.script.assembled();
        let (verb, script) = match (form, &self.plain) {
            (ScriptForm::Plain, Some(plain)) => return plain.command(),
            (ScriptForm::Plain | ScriptForm::Sha1, _) => ("EVALSHA", &script.sha1),
            (ScriptForm::Text, _) => ("EVAL", &script.text),
        };
        let parts = || self.keys.iter().chain(&self.args);
        let size: usize = parts().map(|part| part.len()).sum();
        let mut command =
            Cmd::with_capacity(parts().count() + 4, verb.len() + script.len() + size + 36);
        command.arg(verb).arg(script).arg(self.keys.len());
        let first_sent = first_sent.filter(|_| self.script.bounds_repeats);
        let kept = parts().count() - usize::from(first_sent.is_some());
        for part in parts().take(kept) {
            command.arg(part.as_ref());
        }
        if let Some(first_sent) = first_sent {
            command.arg(first_sent);
        }
        if self.script.writes {
            command.arg(self.write_deadline.unwrap_or(u64::MAX).min(deadline));
        }
        command
    }
}

/// What the server answered.
pub struct Reply {
    pub value: Value,
    /// An earlier attempt of this call had an unknown outcome: it may have been done already.
    pub repeated: bool,
}
