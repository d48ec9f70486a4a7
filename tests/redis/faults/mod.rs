//! Connections and servers that fail: whatever happens to a call, it is done or not
//! done, and making it again brings the promised state (C14, C17).

mod crash;
mod cuts;
mod line;
mod reach;
mod trial;
mod unknown;
