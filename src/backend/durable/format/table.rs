//! The tables of the file, and their names and numbers.

use redb::TableDefinition;

pub type Key = &'static [u8];
pub type Value = &'static [u8];

/// A table of the file. Names and numbers are part of the file format: journals and cursors contain
/// the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The version of the format, and the state of the store.
    Meta = 0,
    /// Session key to head.
    Sessions = 1,
    /// Session key to the data, as JSON.
    Payloads = 2,
    /// Owner and scope to the key of the session that waits.
    Routes = 3,
    /// Owner to the state of the owner.
    Owners = 4,
    /// Owner and message to when the message is forgotten.
    Messages = 5,
    /// Owner and age to the message.
    Ages = 6,
    /// Deadline and the session, message or start claim that ends then.
    Expiry = 7,
    /// Owner and age to the reply of the message.
    Replies = 8,
    /// Owner and scope to the start claim.
    Starts = 9,
    /// Instant, table and key of a row that could not be read, to its value as it was.
    Quarantine = 10,
    /// Instant and session key of a wait that is due then.
    Due = 11,
    /// Owner to the queues of the owner.
    Queues = 12,
    /// Owner and number to the body of a message of a queue.
    Bodies = 13,
    /// Instant and owner of a queue that is due then.
    QueuesDue = 14,
}

impl Table {
    /// All tables, by number.
    pub const ALL: [Self; 15] = [
        Self::Meta,
        Self::Sessions,
        Self::Payloads,
        Self::Routes,
        Self::Owners,
        Self::Messages,
        Self::Ages,
        Self::Expiry,
        Self::Replies,
        Self::Starts,
        Self::Quarantine,
        Self::Due,
        Self::Queues,
        Self::Bodies,
        Self::QueuesDue,
    ];

    pub const fn number(self) -> u8 {
        self as u8
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Sessions => "sessions",
            Self::Payloads => "payloads",
            Self::Routes => "routes",
            Self::Owners => "owners",
            Self::Messages => "messages",
            Self::Ages => "ages",
            Self::Expiry => "expiry",
            Self::Replies => "replies",
            Self::Starts => "starts",
            Self::Quarantine => "quarantine",
            Self::Due => "due",
            Self::Queues => "queues",
            Self::Bodies => "bodies",
            Self::QueuesDue => "queues_due",
        }
    }

    pub const fn definition(self) -> TableDefinition<'static, Key, Value> {
        TableDefinition::new(self.name())
    }
}
