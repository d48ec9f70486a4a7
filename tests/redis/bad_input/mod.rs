//! Damaged data, and input at the limits (C8, C17).

mod given;
mod stored;
