//! The header of an owner's index of waits: the field `#` of `route`. Only scripts read and write
//! it.

use super::line::{Field, Kind, Line};

pub const INDEX_HEADER: Line = Line {
    start: "",
    fields: &[
        // The last order that was given to a wait.
        Field {
            name: "last",
            kind: Kind::Word,
        },
        // A lower bound of the soonest deadline in epoch milliseconds, or `inf`.
        Field {
            name: "soonest",
            kind: Kind::Word,
        },
        // The latest deadline in epoch milliseconds, or `inf`: both keys of the index expire then.
        Field {
            name: "latest",
            kind: Kind::Word,
        },
        // An upper bound of the number of waits, so that a park sees whether the owner may be full.
        Field {
            name: "count",
            kind: Kind::Word,
        },
    ],
};

/// The header of an index without waits.
pub const EMPTY: &str = "0 inf 0 0";
