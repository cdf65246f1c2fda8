//! The workspace as its own tests see it: packages, arrows between them, files, and code without comments.

mod code;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub use code::{tests_of, without_comments_and_tests};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
        .to_owned()
}

/// One package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, from the root.
    pub folder: String,
    /// What its manifest lists.
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependencies.
#[derive(Debug)]
pub struct Dependency {
    /// The package depended on.
    pub name: String,
    /// Whether the tests alone need it.
    pub dev: bool,
    /// The features asked for.
    pub features: Vec<String>,
}

impl Package {
    /// What its code, not only its tests, depends on directly.
    pub fn direct(&self) -> BTreeSet<&str> {
        self.dependencies
            .iter()
            .filter(|dependency| !dependency.dev)
            .map(|dependency| dependency.name.as_str())
            .collect()
    }
}

/// All packages of the workspace, in the order of their names.
pub fn packages() -> Vec<Package> {
    let metadata = metadata(&["--no-deps"]);
    let mut packages: Vec<Package> = list(&metadata["packages"]).map(package).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages
}

fn package(value: &Value) -> Package {
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    let folder = manifest.parent().expect("a manifest lies in a folder");
    let dependencies = list(&value["dependencies"]).map(|dependency| Dependency {
        name: text(&dependency["name"]),
        dev: dependency["kind"] == "dev",
        features: list(&dependency["features"]).map(text).collect(),
    });
    Package {
        name: text(&value["name"]),
        folder: relative(folder),
        dependencies: dependencies.collect(),
    }
}

/// What `cargo metadata` says.
pub fn metadata(arguments: &[&str]) -> Value {
    let all = [
        &["metadata", "--format-version", "1", "--locked"],
        arguments,
    ]
    .concat();
    serde_json::from_str(&cargo(&all)).expect("cargo prints JSON")
}

/// The names of all packages that a package's code reaches, itself included, on this machine's platform.
pub fn reachable(package: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    tree.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo {} failed: {errors}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// A JSON array's items; none if it is no array.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A JSON string's text; empty if it is no string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every file of the workspace that is part of it, in order, as a path from the root.
pub fn files() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
}

/// What builds and tools leave behind.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "dist", "mutants.out"];

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let entry = entry.expect("a folder of the workspace can be read");
        let name = entry.file_name();
        if NOT_OURS.iter().any(|other| name == *other) {
            continue;
        }
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            walk(&entry.path(), found);
        } else if kind.is_file() {
            found.push(relative(&entry.path()));
        }
    }
}

fn relative(path: &Path) -> String {
    let inside = path
        .strip_prefix(root())
        .expect("the path lies in the workspace");
    inside
        .to_str()
        .expect("names in the workspace are UTF-8")
        .to_owned()
}

/// A file's text, if it is text.
pub fn read(path: &str) -> Option<String> {
    fs::read(root().join(path))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The Rust files below a folder with their code, without comments and tests. A folder that is not there has none.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    let inside = format!("{folder}/");
    let rust = files()
        .into_iter()
        .filter(|path| path.starts_with(&inside) && path.ends_with(".rs"));
    rust.filter(|path| {
        !path.ends_with("/tests.rs") && !path.trim_start_matches(&inside).contains("tests/")
    })
    .map(|path| {
        let code = without_comments_and_tests(&read(&path).unwrap_or_default());
        (path, code)
    })
    .collect()
}

/// Where any of `words` stands in the code below a folder, as `path: line`; `except` are paths that may hold them.
pub fn mentions(folder: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, code) in sources(folder) {
        if except.contains(&path.as_str()) {
            continue;
        }
        let lines = code
            .lines()
            .filter(|line| words.iter().any(|word| holds(line, word)));
        found.extend(lines.map(|line| format!("{path}: {}", line.trim())));
    }
    found
}

/// Whether a line holds a word that is not part of a longer name.
pub fn holds(line: &str, word: &str) -> bool {
    let part_of_name =
        |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (
            line[..at].bytes().next_back(),
            line[at + word.len()..].bytes().next(),
        );
        let begins = !part_of_name(before) || !part_of_name(word.bytes().next());
        let ends = !part_of_name(after) || !part_of_name(word.bytes().next_back());
        begins && ends
    })
}
