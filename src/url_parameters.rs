//! The parameters of a store's URL that every backend has.

use std::str::FromStr;
use std::time::Duration;

use crate::error::{SessionResult, invalid_input};
use crate::options::StoreOptions;

impl StoreOptions {
    /// Sets the option that a URL parameter names; false if it names none.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> SessionResult<bool> {
        match name {
            "ttl_ms" => self.default_ttl = Some(millis(name, value)?),
            "find_by_user" => self.find_by_user = value.parse()?,
            "max_waits" => self.max_waits = number(name, value)?,
            "max_payload_bytes" => self.max_payload_bytes = number(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets the options that the query of a URL holds, for a store that has no other parameters.
    pub(crate) fn set_all(&mut self, query: &str) -> SessionResult<()> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !self.set(name, value)? {
                return Err(invalid_input(
                    "unknown parameter in a store's URL; known are ttl_ms, find_by_user, \
                     max_waits and max_payload_bytes",
                ));
            }
        }
        Ok(())
    }
}

/// A positive number of milliseconds, from a parameter of a URL.
pub(crate) fn millis(name: &str, value: &str) -> SessionResult<Duration> {
    match number(name, value)? {
        0 => Err(invalid_input(format!(
            "the parameter `{name}` must be at least 1"
        ))),
        millis => Ok(Duration::from_millis(millis)),
    }
}

/// A number, from a parameter of a URL.
pub(crate) fn number<T: FromStr>(name: &str, value: &str) -> SessionResult<T> {
    value
        .parse()
        .map_err(|_| invalid_input(format!("the parameter `{name}` must be a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::FindByUser;

    #[test]
    fn a_query_sets_options() {
        let mut options = StoreOptions::new();
        let query = "ttl_ms=5&find_by_user=waits-only&max_waits=7&max_payload_bytes=7";
        options.set_all(query).unwrap();
        let expected = StoreOptions::new()
            .max_waits(7)
            .default_ttl(Duration::from_millis(5))
            .find_by_user(FindByUser::WaitsOnly)
            .max_payload_bytes(7);
        assert_eq!(options, expected);
        options.set_all("find_by_user=waits-and-created").unwrap();
        assert_eq!(options.find_by_user, FindByUser::WaitsAndCreated);
        options.set_all("").unwrap();
    }

    #[test]
    fn c18_a_wrong_query_is_refused_and_not_repeated() {
        for query in [
            "hunter2",
            "hunter2=1",
            "ttl_ms=hunter2",
            "ttl_ms=0",
            "ttl_ms",
            "find_by_user=hunter2",
            "max_waits=hunter2",
            "max_waits=-1",
            "find_by_user",
            "max_payload_bytes=-1",
        ] {
            let error = StoreOptions::new().set_all(query).unwrap_err();
            assert!(!error.message.contains("hunter2"), "{error}");
        }
    }
}
