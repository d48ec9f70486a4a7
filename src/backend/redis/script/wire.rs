//! The form of scripts' arguments on the wire.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use greentic_types::SessionKey;

use super::keys::Keys;
use super::plain_read::PlainRead;
use super::{Call, Script};
use crate::claim::TokenSecret;
use crate::clock::{Timestamp, whole_millis};
use crate::holder::Holder;
use crate::message_id::MessageDigest;
use crate::options::{NextTtl, OperationId, StoreOptions, TtlMillis};
use crate::owner::Owner;
use crate::scope::ScopeDigest;
use crate::timeout::{NextTimeout, TimeoutKind, WaitTimeout};

/// The longest message window in milliseconds; with a longer one instants would exceed the numbers
/// of Lua.
const MAX_MESSAGE_WINDOW: u64 = 1 << 52;

/// The arguments of a call, in the form of the wire.
pub type List<'a> = Vec<Cow<'a, [u8]>>;

/// One argument, or several that belong together.
pub trait Argument<'a> {
    fn append_to(self, list: &mut List<'a>);
}

/// Arguments with names, or the rest of a script's arguments.
pub trait Arguments<'a> {
    /// Their names in the script; none of arguments that the script reads by their position.
    #[cfg(test)]
    const NAMES: &'static [&'static str];

    /// The names of the arguments behind these, as far as they have names.
    #[cfg(test)]
    const REST: &'static [&'static str] = &[];

    fn append_to(self, list: &mut List<'a>);
}

/// The arguments of a script that exists.
pub trait ScriptArguments<'a>: Arguments<'a> {
    fn script() -> &'static Script;
}

/// A struct whose fields are the arguments of a script, in their order. What stands behind `..` is
/// appended.
macro_rules! arguments {
    (
        $(#[$meta:meta])*
        $name:ident $(<$lifetime:lifetime>)? {
            $($field:ident: $type:ty,)*
            $(..$rest:ident: $rest_type:ty,)?
        }
    ) => {
        $(#[$meta])*
        pub struct $name $(<$lifetime>)? {
            $(pub $field: $type,)*
            $(pub $rest: $rest_type,)?
        }

        impl<'a> $crate::backend::redis::script::wire::Arguments<'a> for $name $(<$lifetime>)? {
            #[cfg(test)]
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            $(#[cfg(test)]
            const REST: &'static [&'static str] = <$rest_type as Arguments<'a>>::NAMES;)?

            fn append_to(self, _list: &mut $crate::backend::redis::script::wire::List<'a>) {
                $(Argument::append_to(self.$field, _list);)*
                $(Arguments::append_to(self.$rest, _list);)?
            }
        }
    };
}
pub(super) use arguments;

/// For how long the messages of an owner are remembered, in milliseconds, and how many.
pub struct MessageLimits {
    pub window: u64,
    pub limit: u64,
}

impl MessageLimits {
    pub fn new(options: &StoreOptions) -> Self {
        Self {
            window: whole_millis(options.message_window).min(MAX_MESSAGE_WINDOW),
            limit: u64::try_from(options.message_limit()).unwrap_or(u64::MAX),
        }
    }
}

/// The most waits of an owner, for a script; 0 is any number.
pub const fn wait_limit(max_waits: usize) -> usize {
    match max_waits {
        0 => usize::MAX,
        limit => limit,
    }
}

/// A call of a script on the keys of one owner.
pub struct OwnerCall<'a> {
    pub keys: Keys,
    pub call: Call<'a>,
}

impl<'a> OwnerCall<'a> {
    /// `key` is the key that decides on the slot. The script builds it and all other names by
    /// itself, from the beginning of the names, which is the first argument of every such script.
    /// Only the due index of a Cluster is named to scripts that write: its tag is no part of theirs.
    pub fn new<A: ScriptArguments<'a>>(keys: &Keys, key: String, arguments: A) -> Self {
        let mut args = vec![Cow::Owned(keys.base().as_bytes().to_vec())];
        arguments.append_to(&mut args);
        let mut names = vec![Cow::Owned(key.into_bytes())];
        let due = keys.told_due().filter(|_| A::script().writes);
        names.extend(due.map(|due| Cow::Owned(due.as_bytes().to_vec())));
        Self {
            keys: keys.clone(),
            call: Call {
                script: A::script(),
                keys: names,
                args,
                has_one_key: false,
                write_deadline: None,
                sent: None,
                plain: None,
            },
        }
    }

    /// The same call, which may write up to an instant by the server's clock at most, in
    /// microseconds.
    pub fn until(mut self, write_deadline: Option<u64>) -> Self {
        let both = [self.call.write_deadline, write_deadline];
        self.call.write_deadline = both.into_iter().flatten().min();
        self
    }

    /// The same call, of a script that reads, which tries a plain command first.
    pub fn plainly(mut self, read: PlainRead<'a>) -> Self {
        self.call.plain = Some(read);
        self
    }

    /// The same call, which sets `sent` when it is sent.
    pub fn noting(mut self, sent: &Arc<AtomicBool>) -> Self {
        self.call.sent = Some(Arc::clone(sent));
        self
    }
}

impl<'a> Call<'a> {
    /// A call of a script on one key.
    pub fn on_key<A: ScriptArguments<'a>>(key: String, arguments: A) -> Self {
        let mut args = Vec::new();
        arguments.append_to(&mut args);
        Self {
            script: A::script(),
            keys: vec![Cow::Owned(key.into_bytes())],
            args,
            has_one_key: true,
            write_deadline: None,
            sent: None,
            plain: None,
        }
    }
}

impl<'a> Argument<'a> for &'a str {
    fn append_to(self, list: &mut List<'a>) {
        list.push(Cow::Borrowed(self.as_bytes()));
    }
}

impl<'a> Argument<'a> for &'a [u8] {
    fn append_to(self, list: &mut List<'a>) {
        list.push(Cow::Borrowed(self));
    }
}

impl<'a> Argument<'a> for String {
    fn append_to(self, list: &mut List<'a>) {
        list.push(Cow::Owned(self.into_bytes()));
    }
}

impl<'a> Argument<'a> for &'a Owner {
    fn append_to(self, list: &mut List<'a>) {
        self.as_str().append_to(list);
    }
}

impl<'a> Argument<'a> for &'a SessionKey {
    fn append_to(self, list: &mut List<'a>) {
        self.as_str().append_to(list);
    }
}

/// Who holds a claim, as the record has it: behind an `@`, or `-`.
pub struct ClaimedBy<'a>(pub Option<&'a Holder>);

impl<'a> Argument<'a> for ClaimedBy<'a> {
    fn append_to(self, list: &mut List<'a>) {
        match self.0 {
            Some(holder) => format!("@{}", holder.as_str()).append_to(list),
            None => "-".append_to(list),
        }
    }
}

/// Empty for none.
impl<'a, A: Argument<'a>> Argument<'a> for Option<A> {
    fn append_to(self, list: &mut List<'a>) {
        match self {
            Some(argument) => argument.append_to(list),
            None => "".append_to(list),
        }
    }
}

impl<'a, A: Argument<'a>, B: Argument<'a>> Argument<'a> for (A, B) {
    fn append_to(self, list: &mut List<'a>) {
        self.0.append_to(list);
        self.1.append_to(list);
    }
}

impl<'a> Argument<'a> for bool {
    fn append_to(self, list: &mut List<'a>) {
        if self { "1" } else { "0" }.append_to(list);
    }
}

/// In a repeat an instant before the first attempt, which the client sets; otherwise empty.
pub struct FirstSent;

impl<'a> Argument<'a> for FirstSent {
    fn append_to(self, list: &mut List<'a>) {
        "".append_to(list);
    }
}

/// The TTL of a session as its record has it; none if it is not known.
pub struct StoredTtl(pub Option<TtlMillis>);

/// The letter of a kind of timeout, also in the record of a session.
pub const fn kind_letter(kind: TimeoutKind) -> char {
    match kind {
        TimeoutKind::Remind => 'r',
        TimeoutKind::Close => 'c',
    }
}

/// Arguments that are written as text.
macro_rules! as_text {
    ($($value:ident: $type:ty => $text:expr;)+) => {
        $(impl<'a> Argument<'a> for $type {
            fn append_to(self, list: &mut List<'a>) {
                let $value = self;
                $text.append_to(list);
            }
        })+
    };
}

as_text! {
    number: u32 => number.to_string();
    number: u64 => number.to_string();
    number: usize => number.to_string();
    ttl: TtlMillis => ttl.0;
    ttl: NextTtl => match ttl {
        NextTtl::Given(ttl) => ttl.0.map(|millis| millis.to_string()),
        NextTtl::Kept(TtlMillis(default)) => {
            Some(default.map_or_else(|| "=".to_owned(), |millis| format!("={millis}")))
        }
    };
    ttl: StoredTtl => match ttl.0 {
        Some(ttl) => ttl.to_number().to_string(),
        None => "-".to_owned(),
    };
    instant: Timestamp => instant.as_millis();
    timeout: NextTimeout => format!("{}{}", kind_letter(timeout.kind), timeout.after_millis);
    timeout: WaitTimeout => format!("{}{}", kind_letter(timeout.kind), timeout.at.as_millis());
    scope: ScopeDigest => scope.to_string();
    message: MessageDigest => hex::encode(message.0);
    secret: TokenSecret => format!("{:032x}", secret.0);
    operation: OperationId => format!("{:032x}", operation.as_u128());
}

/// Arguments that a script may get, or not.
impl<'a, A: Arguments<'a>> Arguments<'a> for Option<A> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = A::NAMES;

    fn append_to(self, list: &mut List<'a>) {
        if let Some(arguments) = self {
            arguments.append_to(list);
        }
    }
}

impl<'a, A: Argument<'a>> Arguments<'a> for Vec<A> {
    #[cfg(test)]
    const NAMES: &'static [&'static str] = &[];

    fn append_to(self, list: &mut List<'a>) {
        for argument in self {
            argument.append_to(list);
        }
    }
}
