//! Replays the corpus of the fuzz targets: each file through the function that the fuzzer calls.

use std::fs;
use std::path::Path;

use greentic_session::fuzzing::TARGETS;

#[test]
fn every_file_of_the_corpus_is_parsed_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            target(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
}

#[test]
fn every_target_is_a_file_and_has_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    for (folder, suffix) in [("fuzz_targets", ".rs"), ("corpus", "")] {
        let entries = fs::read_dir(fuzz.join(folder)).unwrap();
        let entries = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = entries
            .map(|name| name.strip_suffix(suffix).unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, names, "{folder}");
    }
}
