//! Fuzz targets of the server, replayed on what their corpora hold and on mutations of it.

use std::collections::BTreeSet;

use hostile::fuzz::{committed, replay, write_seeds};
use tests::fuzz::TARGETS;
use tests::house::read;

#[test]
fn every_target_of_the_server_stands_its_corpus_and_what_becomes_of_it() {
    for target in &TARGETS {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            write_seeds(target).expect("the corpus can be written");
        }
        let tried = replay(target);
        println!("{target:?}: {tried} inputs");
        assert!(tried > 0, "{target:?} has no corpus");
    }
}

#[test]
fn every_fuzz_target_has_a_corpus_and_is_replayed() {
    let manifest = read("fuzz/Cargo.toml").expect("the crate of the targets");
    let built: BTreeSet<&str> = (manifest.split("[[bin]]").skip(1))
        .filter_map(|bin| bin.split('"').nth(1))
        .collect();
    let all = hostile::fuzz::TARGETS.iter().chain(&TARGETS);
    let replayed: BTreeSet<&str> = all.map(|target| target.name).collect();
    assert_eq!(built, replayed);
    for name in built {
        let corpus = committed(name).expect("a target has a corpus");
        assert!(!corpus.is_empty(), "{name}");
    }
}
