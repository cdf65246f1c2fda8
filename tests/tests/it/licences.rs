//! What may enter the dependency tree, by `deny.toml`: the same rules as cargo-deny's, for machines without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::house::{files, list, metadata, read, text};

fn settings() -> toml::Table {
    read("deny.toml")
        .expect("there is a deny.toml")
        .parse()
        .expect("deny.toml is TOML")
}

/// All packages in the graph of the platforms that `deny.toml` names.
fn locked() -> Vec<Value> {
    let mut packages: BTreeMap<String, Value> = BTreeMap::new();
    for target in strings(&settings()["graph"]["targets"]) {
        let metadata = metadata(&["--filter-platform", &target]);
        let used: BTreeSet<String> = list(&metadata["resolve"]["nodes"])
            .map(|node| text(&node["id"]))
            .collect();
        let here =
            list(&metadata["packages"]).filter(|package| used.contains(&text(&package["id"])));
        packages.extend(here.map(|package| (text(&package["id"]), package.clone())));
    }
    packages.into_values().collect()
}

fn strings(value: &toml::Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(toml::Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether an SPDX expression can be met with the allowed licences. Knows `OR`, `AND`, `WITH`, parentheses and the old `/`.
fn allowed(expression: &str, licences: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, licences)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, licences: &[String]) -> bool {
    let mut met = all_of(words, licences);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, licences);
    }
    met
}

fn all_of(words: &mut Words<'_>, licences: &[String]) -> bool {
    let mut met = one(words, licences);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, licences);
    }
    met
}

fn one(words: &mut Words<'_>, licences: &[String]) -> bool {
    let Some(word) = words.next() else {
        return false;
    };
    if word == "(" {
        let met = any_of(words, licences);
        return words.next_if_eq(&")").is_some() && met;
    }
    let name = match words.next_if_eq(&"WITH") {
        Some(_) => format!("{word} WITH {}", words.next().unwrap_or_default()),
        None => word.to_owned(),
    };
    licences.contains(&name)
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let licences = ["MIT", "ISC"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR MIT AND Zlib", false),
        ("MIT WITH LLVM-exception", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression, &licences), expected, "{expression}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let licences = strings(&settings()["licenses"]["allow"]);
    let packages = locked();
    assert!(packages.len() > 100, "the graph was read");
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !allowed(&text(&package["license"]), &licences))
        .map(|package| format!("{} {}", package["name"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:?}");
}

/// A version of a crate that may stand beside another: a name and the first parts of a version.
#[derive(Debug)]
struct Skip {
    name: String,
    version: String,
}

impl Skip {
    fn covers(&self, name: &str, version: &str) -> bool {
        let rest = version.strip_prefix(&self.version);
        self.name == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

fn skips() -> Vec<Skip> {
    let read = |skip: &toml::Value| {
        let named = skip["crate"].as_str().and_then(|text| text.split_once('@'));
        let (name, version) = named.expect("a skipped crate is written name@version");
        let reason = skip
            .get("reason")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        assert!(!reason.is_empty(), "{name} has no reason");
        Skip {
            name: name.to_owned(),
            version: version.to_owned(),
        }
    };
    settings()["bans"]["skip"]
        .as_array()
        .into_iter()
        .flatten()
        .map(read)
        .collect()
}

#[test]
fn a_second_version_of_a_crate_has_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in locked() {
        versions
            .entry(text(&package["name"]))
            .or_default()
            .insert(text(&package["version"]));
    }
    versions.retain(|_, versions| versions.len() > 1);
    let skips = skips();
    for (name, versions) in &versions {
        let is_skipped = |version: &&String| skips.iter().any(|skip| skip.covers(name, version));
        let kept = versions
            .iter()
            .filter(|version| !is_skipped(version))
            .count();
        assert!(
            kept <= 1,
            "{name} comes in versions {versions:?}: use one, or skip the others in deny.toml with a reason"
        );
    }
    for skip in &skips {
        let mut twice = versions.get(&skip.name).into_iter().flatten();
        assert!(
            twice.any(|version| skip.covers(&skip.name, version)),
            "deny.toml need not skip {skip:?} any more"
        );
    }
}

#[test]
fn no_banned_crate_is_locked() {
    let lock: toml::Table = read("Cargo.lock")
        .expect("there is a Cargo.lock")
        .parse()
        .expect("Cargo.lock is TOML");
    let locked: BTreeSet<&str> = lock["package"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| package["name"].as_str())
        .collect();
    for banned in settings()["bans"]["deny"].as_array().into_iter().flatten() {
        let name = banned["crate"].as_str().expect("a banned crate is named");
        assert!(!locked.contains(name), "{name} is banned");
    }
}

#[test]
fn everything_comes_from_the_public_registry_and_no_lockfile_names_another_address() {
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let lock = read("Cargo.lock").expect("there is a Cargo.lock");
    for source in lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
    {
        assert_eq!(source.trim_matches('"'), CRATES_IO);
    }
    let npm: Vec<String> = files()
        .into_iter()
        .filter(|path| path.ends_with("package-lock.json"))
        .collect();
    assert!(!npm.is_empty(), "there is a package-lock.json");
    for path in npm {
        let lock = read(&path).unwrap_or_default();
        assert!(
            !lock.contains("\"resolved\""),
            "{path} names the addresses of a registry: npm config omit-lockfile-registry-resolved"
        );
    }
}
