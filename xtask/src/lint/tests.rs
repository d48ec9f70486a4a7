use std::fs;
use std::path::PathBuf;

use super::{check_crate, links};

// A directory with these files.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, folder: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("xtask-lint-{}-{name}", std::process::id());
        let tree = Self(std::env::temp_dir().join(name));
        for (path, text) in files {
            let path = tree.0.join(folder).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// What the check finds in a crate of these files.
fn findings(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    let tree = Tree::new(name, "src", files);
    let found = check_crate(&tree.0.join("src/lib.rs"), &[]).unwrap();
    let prefix = format!("{}/", tree.0.display());
    let relative = found.into_iter().map(|text| text.replace(&prefix, ""));
    relative.collect()
}

#[test]
fn two_files_that_import_each_other_are_named_with_both_lines() {
    let found = findings(
        "pair",
        &[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::B;\npub struct A(B);"),
            ("b.rs", "pub struct B;\nfn f() { super::a::g(); }"),
        ],
    );
    let expected = "cycle in src: a -> b -> a\n  a -> b\n    src/a.rs:1: crate::b::B\n  \
                    b -> a\n    src/b.rs:2: super::a::g";
    assert_eq!(found, [expected]);
}

#[test]
fn two_folders_that_import_each_other_are_a_cycle_though_no_two_files_do() {
    let found = findings(
        "folders",
        &[
            ("lib.rs", "mod a;\nmod b;"),
            ("a/mod.rs", "mod x;\nmod y;\npub use y::Y;"),
            ("a/x.rs", "use crate::b::P;"),
            ("a/y.rs", "pub struct Y;"),
            ("b.rs", "mod p;\nmod q;\npub use p::P;"),
            ("b/p.rs", "pub struct P;"),
            ("b/q.rs", "use crate::a::Y;"),
        ],
    );
    let expected = "cycle in src: a -> b -> a\n  a -> b\n    src/a/x.rs:1: crate::b::P\n  \
                    b -> a\n    src/b/q.rs:1: crate::a::Y";
    assert_eq!(found, [expected]);
}

#[test]
fn a_circle_of_three_is_found() {
    let found = findings(
        "three",
        &[
            ("lib.rs", "mod a;\nmod b;\nmod c;\nmod user;"),
            ("a.rs", "use crate::b::f;"),
            ("b.rs", "use crate::c;\nfn f() { c::f() }"),
            ("c.rs", "fn f() { println!(\"{}\", crate::a::g()) }"),
            ("user.rs", "use crate::a;"),
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("cycle in src: a -> b -> c -> a\n"),
        "{found:?}"
    );
}

#[test]
fn a_reexport_counts_for_the_file_that_defines_the_item() {
    let found = findings(
        "reexport",
        &[
            ("lib.rs", "mod a;\nmod b;\nmod all;\npub use b::B;"),
            ("all.rs", "pub use crate::b::*;"),
            ("a.rs", "use crate::B;"),
            ("b.rs", "pub struct B;\nuse crate::a::A;"),
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
    let found = findings(
        "glob",
        &[
            ("lib.rs", "mod a;\nmod b;\nmod all;"),
            ("all.rs", "pub use crate::b::*;"),
            ("a.rs", "use crate::all::B;"),
            ("b.rs", "pub struct B;\nuse crate::a::A;"),
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn reexports_parents_and_tests_do_not_count() {
    let found = findings(
        "allowed",
        &[
            (
                "lib.rs",
                "mod a;\nmod b;\npub struct Root;\nfn f() { a::f() }",
            ),
            (
                "a/mod.rs",
                "mod x;\nuse x::X;\npub struct A;\npub use crate::b::B;",
            ),
            ("a/x.rs", "use super::A;\nuse crate::Root;\npub struct X;"),
            (
                "b.rs",
                "use crate::a::A;\n#[cfg(test)]\nmod tests { use crate::a; }\n\
                 #[cfg(all(test, unix))]\nuse crate::a::x::X;\npub struct B;",
            ),
        ],
    );
    assert!(found.is_empty(), "{found:?}");
    let found = findings(
        "test-files",
        &[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "#[cfg(test)]\nmod tests;\npub struct A;"),
            ("a/tests.rs", "use crate::b::B;"),
            ("b.rs", "use crate::a::A;"),
        ],
    );
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_reexport_that_the_file_itself_uses_counts() {
    let found = findings(
        "used-reexport",
        &[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "pub(crate) use crate::b::B;\nfn f() -> B { B }"),
            ("b.rs", "use crate::a::A;\npub struct B;"),
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_layer_that_uses_a_later_one_and_an_entry_without_a_layer_are_named() {
    let found = findings(
        "layers",
        &[
            ("lib.rs", "mod backend;"),
            ("backend/mod.rs", "mod redis;"),
            (
                "backend/redis/mod.rs",
                "mod client;\nmod misc;\nmod script;\nmod store;",
            ),
            (
                "backend/redis/client.rs",
                "use super::script::S;\nuse super::store::T;",
            ),
            ("backend/redis/misc.rs", "use super::script::S;"),
            ("backend/redis/script.rs", "pub struct S;"),
            ("backend/redis/store.rs", "pub struct T;"),
        ],
    );
    let expected = [
        "layers in src/backend/redis: misc is in no layer",
        "layers in src/backend/redis: client stands before store and uses it\n  \
         client -> store\n    src/backend/redis/client.rs:2: super::store::T",
    ];
    assert_eq!(found, expected);
}

#[test]
fn links_to_missing_files_and_headings_are_named() {
    let readme = "[a](docs/contract.md#two-words) [b](docs/b.md)\n[c](https://c)\n[d](#no)";
    let missing = "docs/b.md";
    let code = format!("let x = \"{missing}\";\n// See docs/contract.md and {missing}.");
    let files = [
        ("README.md", readme),
        (
            "docs/contract.md",
            "## Two `words`\n[up](../README.md)\n```\n[x](y)\n```",
        ),
        ("src/lib.rs", &code),
    ];
    let tree = Tree::new("links", "", &files);
    let expected = [
        "README.md:1: docs/b.md does not exist",
        "README.md:3: #no does not exist",
        "src/lib.rs:2: docs/b.md does not exist",
    ];
    assert_eq!(links::broken(&tree.0).unwrap(), expected);
}
