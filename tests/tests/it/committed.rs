//! Files that are generated and committed all the same, because people read their changes. `cargo xtask prepare` writes them.

use expect_test::expect_file;

#[test]
fn the_description_of_the_interface_is_as_committed() {
    let description = server::routes::description()
        .to_pretty_json()
        .expect("the description can be written");
    expect_file!["../../../server/openapi.json"].assert_eq(&format!("{description}\n"));
}
