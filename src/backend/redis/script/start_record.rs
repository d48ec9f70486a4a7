//! The record of a start claim: the value of a scope's field in `route` while no session waits there
//! and a flow may start (C27). Only scripts read and write it.

use super::line::{Field, Kind, Line};

pub const START: Line = Line {
    // No wait begins like this: its field begins with a digit.
    start: "@",
    fields: &[
        // The secret of the claim; `-` after a release.
        Field {
            name: "secret",
            kind: Kind::Word,
        },
        // Until when the lease runs, in epoch milliseconds.
        Field {
            name: "lease_until",
            kind: Kind::Instant,
        },
        // Until when the record is kept, in epoch milliseconds. It is the score in `expiry`.
        Field {
            name: "deadline",
            kind: Kind::Instant,
        },
        // How often the start was claimed.
        Field {
            name: "attempt",
            kind: Kind::Number,
        },
        // The fencing number of the last claim.
        Field {
            name: "fencing",
            kind: Kind::Number,
        },
        // The digest of the message for which it is claimed.
        Field {
            name: "message",
            kind: Kind::Word,
        },
        // The secret of the claim that was released last.
        Field {
            name: "released",
            kind: Kind::Word,
        },
        // The key of the session to be. It is last because it may contain spaces.
        Field {
            name: "key",
            kind: Kind::Rest,
        },
    ],
};
