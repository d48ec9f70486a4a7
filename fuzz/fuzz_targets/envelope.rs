//! See `envelope` in src/fuzzing.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| greentic_session::fuzzing::envelope(bytes));
