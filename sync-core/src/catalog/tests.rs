mod calendar;
mod check;
mod mistakes;
mod shipped;

use std::sync::LazyLock;

use super::*;

/// The shipped catalogue, read once; a failure names every mistake in it.
fn shipped() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> =
        LazyLock::new(|| match Catalogue::parse(&builtin::files()) {
            Ok(catalogue) => catalogue,
            Err(mistakes) => panic!("{}", listed(&mistakes)),
        });
    &SHIPPED
}

fn listed(mistakes: &[Mistake]) -> String {
    mistakes
        .iter()
        .map(|mistake| format!("{mistake}\n"))
        .collect()
}

/// The shipped files with one text put in the place of another, which must stand there.
#[track_caller]
fn edited(file: &str, from: &str, to: &str) -> Vec<SourceFile> {
    let mut files = builtin::files();
    let found = files.iter_mut().find(|source| source.name == file);
    let source = found.unwrap_or_else(|| panic!("there is no {file}"));
    assert!(source.text.contains(from), "{file} does not say {from:?}");
    source.text = source.text.replacen(from, to, 1);
    files
}
