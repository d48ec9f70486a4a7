//! The file of `--config`: one store, or several with names.

use std::collections::BTreeMap;
use std::path::Path;

use greentic_session::StoreConfig;
use serde::Deserialize;

use crate::destination::read_small;
use crate::error::{Exit, Failure, Outcome};

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// The stores of a file.
pub enum Contexts {
    One(Box<StoreConfig>),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name of the store to use if none is given.
    default: Option<String>,
    contexts: BTreeMap<String, StoreConfig>,
}

impl Contexts {
    /// Reads a file in TOML or JSON. No error repeats a value of it (C18).
    pub fn read(path: &Path) -> Outcome<Self> {
        let wrong =
            |message: &str| Failure::usage(format!("{}: {}", path.display(), message.trim()));
        let content = read_small(path, MAX_BYTES)?.ok_or_else(|| {
            let message = format!("there is no file {}", path.display());
            Failure::new(Exit::NotFound, message)
        })?;
        let content = String::from_utf8(content).map_err(|_| wrong("it is not UTF-8"))?;
        let table = if content.trim_start().starts_with('{') {
            let table = serde_json::from_str::<toml::Table>(&content);
            table.map_err(|error| wrong(&format!("line {}: it is no JSON", error.line())))?
        } else {
            toml::from_str::<toml::Table>(&content).map_err(|error| {
                let line = error.span().map(|span| line_of(&content, span.start));
                let line = line.map_or_else(String::new, |line| format!("line {line}: "));
                wrong(&format!("{line}it is no TOML"))
            })?
        };
        let read = if table.contains_key("contexts") {
            table.try_into().map(Self::Named)
        } else {
            table.try_into().map(|config| Self::One(Box::new(config)))
        };
        read.map_err(|error: toml::de::Error| wrong(error.message()))
    }

    /// The store of this name.
    pub fn named(&self, name: &str) -> Outcome<StoreConfig> {
        match self {
            Self::One(_) => Err(Failure::usage(
                "the file of --config has one store without a name: leave out --store, or give a URL",
            )),
            Self::Named(named) => named.get(name).ok_or_else(|| {
                let known = named.names();
                Failure::usage(format!(
                    "the file of --config has no such store; it has {known}"
                ))
            }),
        }
    }

    /// The store to use if none is named.
    pub fn default(&self) -> Outcome<StoreConfig> {
        let named = match self {
            Self::One(config) => return Ok(StoreConfig::clone(config)),
            Self::Named(named) => named,
        };
        let of_default = named.default.as_deref().and_then(|name| named.get(name));
        let mut stores = named.contexts.values();
        let only = stores.next().filter(|_| stores.next().is_none());
        let known = named.names();
        match (&named.default, of_default, only) {
            (_, Some(config), _) => Ok(config),
            (None, None, Some(config)) => Ok(config.clone()),
            (Some(_), None, _) => Err(Failure::usage(format!(
                "the `default` of the file of --config is none of its stores, which are {known}"
            ))),
            (None, None, None) => Err(Failure::usage(format!(
                "the file of --config has several stores and no `default`: name one with --store; \
                 it has {known}"
            ))),
        }
    }
}

impl Named {
    fn get(&self, name: &str) -> Option<StoreConfig> {
        self.contexts.get(name).cloned()
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.contexts.keys().map(String::as_str).collect();
        if names.is_empty() {
            return "none".to_owned();
        }
        names.join(", ")
    }
}

fn line_of(content: &str, byte: usize) -> usize {
    let before = content.as_bytes().iter().take(byte);
    before.filter(|byte| **byte == b'\n').count() + 1
}
