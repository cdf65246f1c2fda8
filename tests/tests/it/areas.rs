//! The sample of real areas, through the import that a county would use.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::area::{AreaRow, Level, import};
use tests::fixtures;

fn sample() -> Vec<AreaRow> {
    import(fixtures::AREAS, &BTreeSet::new()).expect("the sample has no mistake")
}

#[test]
fn the_sample_holds_one_county_whole_and_part_of_its_neighbour() {
    let areas = sample();
    let count = |level| {
        areas
            .iter()
            .filter(|area| area.code.level() == level)
            .count()
    };
    assert_eq!(Level::ALL.map(count), [1, 1, 2, 21, 330]);
    assert!(areas.iter().any(|area| area.name == "西吉县"));
}

#[test]
fn the_sample_has_villages_that_are_alike_in_name_only() {
    let mut codes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let areas = sample();
    for area in &areas {
        codes
            .entry(&area.name)
            .or_default()
            .push(area.code.to_string());
    }
    codes.retain(|_, codes| codes.len() > 1);
    assert_eq!(
        codes["庙湾村委会"],
        ["640422206209", "640423201207"],
        "one in each county"
    );
    assert_eq!(
        codes["团结村委会"],
        ["640422100200", "640422205203"],
        "both in one county"
    );
}
