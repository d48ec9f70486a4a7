//! The bytes of a store, read without the library.

use std::fs;

use greentic_session_testkit::Reply;

use crate::fixture::Fixture;
use crate::space::Space;

/// Returns true if the bytes of a store contain a text.
pub fn holds(store: &Fixture, text: &str) -> bool {
    let contains = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    match &store.space {
        Some(space) => everything(space).iter().any(|bytes| contains(bytes)),
        None => {
            let files = fs::read_dir(store.directory.path()).unwrap();
            let paths = files.map(|file| file.unwrap().path());
            paths
                .filter(|path| path.is_file())
                .any(|path| contains(&fs::read(path).unwrap()))
        }
    }
}

/// All names and values of a namespace.
fn everything(space: &Space) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for key in space.keys() {
        all.push(key.clone().into_bytes());
        let kind = space.command(&["TYPE", &key]).text();
        let reply = match kind.as_str() {
            "string" => space.command(&["GET", &key]),
            "hash" => space.command(&["HGETALL", &key]),
            "zset" => space.command(&["ZRANGE", &key, "0", "-1"]),
            "set" => space.command(&["SMEMBERS", &key]),
            "none" => continue,
            other => panic!("{key} is a {other}"),
        };
        collect(&reply, &mut all);
    }
    all
}

fn collect(reply: &Reply, all: &mut Vec<Vec<u8>>) {
    match reply {
        Reply::Bulk(bytes) => all.push(bytes.clone()),
        Reply::Array(parts) => parts.iter().for_each(|part| collect(part, all)),
        _ => {}
    }
}
