//! Stored data that is not as it should be, and input at the edge of what is allowed (C8, C17).

mod given;
mod stored;
