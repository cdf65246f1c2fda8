//! Publishing another catalogue for a deployment: a kind as a file, with the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::cli::Operator;
use crate::program::Server;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A founded deployment, and a copy of the shipped catalogue to change.
struct County(Operator);

impl County {
    fn new() -> Self {
        let county = Self(Operator::of_a_county());
        copy(&Path::new(ROOT).join("catalog"), &county.catalogue());
        county
    }

    fn folder(&self) -> &Path {
        self.0.0.path()
    }

    fn catalogue(&self) -> PathBuf {
        self.folder().join("catalogue")
    }

    /// Whether it went well, and all that was said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.0.run(arguments);
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        (status.success(), said)
    }

    fn publish(&self) -> (bool, String) {
        let folder = self.catalogue();
        self.run(&["catalogue", "publish", folder.to_str().unwrap()])
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.catalogue().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Adds a kind to the next version.
    fn invent(&self) {
        let kind = Path::new(ROOT).join("tests/fixtures/kinds/well.toml");
        fs::copy(kind, self.catalogue().join("kinds/well.toml")).unwrap();
        self.change("catalogue.toml", "version = 1", "version = 2");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_kind_that_was_added_as_a_file_is_published_and_in_force() {
    let county = County::new();
    county.invent();
    let (published, said) = county.publish();
    assert!(published && said.starts_with("2\t"), "{said}");
    let (_, listed) = county.run(&["catalogue", "list"]);
    let in_force = listed.lines().find(|line| line.ends_with("in force"));
    assert!(in_force.unwrap().starts_with("2\t"), "{listed}");

    // It is served from what was kept, whatever became of the folder.
    fs::remove_dir_all(county.catalogue()).unwrap();
    let server = Server::start(county.folder()).await;
    drop(server);
    fs::remove_dir_all(county.folder().join("data/catalogues")).unwrap();
    let without = Server::try_run(&mut Server::command(county.folder())).await;
    assert!(
        without.is_none(),
        "what is written under it would be refused"
    );
}

#[test]
fn what_may_not_be_published_is_named_and_changes_nothing() {
    let county = County::new();
    let refused = |remedy: &str| {
        let before = county.run(&["catalogue", "list"]);
        let (published, said) = county.publish();
        assert!(!published && said.contains(remedy), "{remedy}: {said}");
        assert_eq!(county.run(&["catalogue", "list"]), before);
    };
    refused("its version 1 is not larger than 1");
    county.invent();
    county.change("kinds/well.toml", "class = ", "clas = ");
    refused("kinds/well.toml:5:1");
    county.change("kinds/well.toml", "clas = ", "class = ");
    county.change("kinds/visit.toml", "[fields.met]", "[fields.seen]");
    refused("met");
    county.change("kinds/visit.toml", "[fields.seen]", "[fields.met]");
    county.change("catalogue.toml", "issued = 20", "issued = 21");
    refused("publish it then");
    county.change("catalogue.toml", "issued = 21", "issued = 20");
    assert!(county.publish().0);
    refused("its version 2 is not larger than 2");
}
