//! The rows of the source papers' coverage, from end to end.

use tests::rows;

#[test]
fn each_row_of_the_papers_works_from_end_to_end() {
    rows::play().unwrap_or_else(|error| panic!("{error:?}"));
}
