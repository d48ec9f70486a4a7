//! The replies of a server.

/// The reply of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// An integer.
    Int(i64),
    /// A string of bytes.
    Bulk(Vec<u8>),
    /// A status such as `OK`.
    Status(String),
    /// An error, with its code.
    Error(String),
    /// A list of replies.
    Array(Vec<Self>),
}

impl Reply {
    /// The integer.
    ///
    /// # Panics
    /// If the reply is anything else.
    #[must_use]
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// The bytes of a string or a status, as UTF-8.
    ///
    /// # Panics
    /// If the reply is anything else, or is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8(bytes.clone()).expect("not UTF-8"),
            Self::Status(text) => text.clone(),
            other => panic!("not a string: {other:?}"),
        }
    }

    /// The list's replies.
    ///
    /// # Panics
    /// If the reply is anything else.
    #[must_use]
    pub fn array(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }

    /// The list's replies as text.
    ///
    /// # Panics
    /// If the reply is not a list of strings.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.array().iter().map(Self::text).collect()
    }

    /// Returns true if the reply is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Returns the reply.
    ///
    /// # Panics
    /// If it is an error.
    #[must_use]
    pub fn accepted(self) -> Self {
        assert!(!self.is_error(), "the server refused: {self:?}");
        self
    }
}
