use super::*;

fn builtin() -> Catalogue {
    match Catalogue::parse(&builtin::files()) {
        Ok(catalogue) => catalogue,
        Err(mistakes) => panic!(
            "{}",
            mistakes
                .iter()
                .map(|mistake| format!("{mistake}\n"))
                .collect::<String>()
        ),
    }
}

#[test]
fn the_shipped_files_make_a_catalogue() {
    let catalogue = builtin();
    let kinds: Vec<&str> = catalogue.kinds().map(|kind| kind.name.as_str()).collect();
    assert_eq!(kinds, ["household", "person", "review", "task", "visit"]);
    assert_eq!(catalogue.roles().count(), 11);
    assert_eq!(catalogue.measures().count(), 109);
}
