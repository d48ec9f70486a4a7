//! The first word of a script's answer.

macro_rules! statuses {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)+) => {
        /// What a script did, found, or refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Status {
            $($(#[$meta])* $name,)+
        }

        impl Status {
            pub fn parse(word: &[u8]) -> Option<Self> {
                $(if word == $word.as_bytes() {
                    return Some(Self::$name);
                })+
                None
            }

            #[cfg(test)]
            const WORDS: &[&str] = &[$($word),+];
        }
    };
}

statuses! {
    /// Done, or found.
    Ok = "OK",
    /// Nothing was found.
    None = "NONE",
    NotFound = "NOT_FOUND",
    /// The session exists, or another one waits on the scope.
    Exists = "EXISTS",
    /// The key is another owner's.
    Foreign = "FOREIGN",
    /// The new data has another owner.
    Owner = "OWNER",
    RevisionConflict = "REVISION_CONFLICT",
    /// The session came after the first attempt of the call.
    Newer = "NEWER",
    /// A live claim keeps the call from writing.
    Claimed = "CLAIMED",
    /// The claim was taken over or is over.
    Lost = "LOST",
    /// Another worker has claimed the wait.
    Busy = "BUSY",
    /// The message was committed.
    Duplicate = "DUPLICATE",
    NoWait = "NO_WAIT",
    /// What could not be read was set aside.
    Quarantined = "QUARANTINED",
    /// A flow may start.
    Started = "STARTED",
    /// The owner has as many waits as it may have.
    Full = "FULL",
    NotClaimed = "NOT_CLAIMED",
    /// The session does not wait on a scope.
    NotWaiting = "NOT_WAITING",
    /// Another session waits on the scope, and stays.
    ScopeTaken = "SCOPE_TAKEN",
    /// The timeout does not come before the deadline.
    LateTimeout = "LATE_TIMEOUT",
    /// The owner has several waits.
    Many = "MANY",
    /// The call has to be made in another way, or from the beginning.
    Again = "AGAIN",
    /// The deadline has passed.
    Expired = "EXPIRED",
    /// A wait of 1.2, whose deadline stays.
    Legacy = "LEGACY",
    /// A key has a value that cannot be read.
    Unreadable = "UNREADABLE",
    /// The user may not run a command of the script.
    NotPermitted = "NOT_PERMITTED",
    /// The write deadline has passed.
    Late = "LATE",
    /// The pointer of the session key is not valid.
    Stale = "STALE",
    /// The pointer of the session key ends too early.
    ExtendPointer = "EXTEND_POINTER",
    /// A pointer was created.
    Created = "CREATED",
    /// The pointer existed.
    Existing = "EXISTING",
    /// The pointer or the sweep lease is another's.
    Other = "OTHER",
    /// The pointer is missing.
    Gone = "GONE",
    /// An entry of a walk is a session.
    Session = "SESSION",
    /// An entry of a walk is the messages of an owner.
    Done = "DONE",
    /// A fault: an entry leads to nothing.
    Dangling = "DANGLING",
    /// A fault: nothing leads to an entry.
    Missing = "MISSING",
    /// A fault: a record without a session.
    Orphan = "ORPHAN",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::script::arguments::ALL;
    use crate::backend::redis::script::assembly::assemble;

    /// The words in quotes that are a status by their place: the first of a table, or a choice of
    /// two.
    fn words(text: &str) -> impl Iterator<Item = &str> {
        let is_word = |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let quoted = text.split('\'').zip(text.split('\'').skip(1));
        quoted.filter_map(move |(before, word)| {
            let is_first = ["{", " and ", " or ", "report("]
                .iter()
                .any(|end| before.ends_with(end));
            (is_first && word.len() > 1 && is_word(word) && word != "PXAT").then_some(word)
        })
    }

    #[test]
    fn scripts_answer_the_words_of_the_enum() {
        let texts: Vec<_> = ALL
            .iter()
            .map(|entry| assemble(entry.file, entry.writes))
            .collect();
        let mut used: Vec<_> = texts.iter().flat_map(|text| words(text)).collect();
        used.push("LATE"); // an error in lib/write_deadline, which the client reads
        used.sort_unstable();
        used.dedup();
        let mut known = Status::WORDS.to_vec();
        known.sort_unstable();
        assert_eq!(used, known);
    }
}
