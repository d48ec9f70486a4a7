#![doc = include_str!("../README.md")]

mod instrument;
mod observer;
mod spans;

pub use observer::OtelObserver;
