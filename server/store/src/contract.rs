//! What every backend must do: a suite that each calls from its tests with [`contract_tests!`](crate::contract_tests).
//!
//! Each check gets an empty store. They repeat what was done, drop what was begun, and let units race.

pub mod accounts;
pub mod files;
pub mod journals;

use crate::{Reading, Store, Unit};

async fn begin(store: &dyn Store) -> Box<dyn Unit> {
    store.begin().await.expect("a unit begins")
}

async fn read(store: &dyn Store) -> Box<dyn Reading> {
    store.read().await.expect("a reading begins")
}

async fn commit(unit: Box<dyn Unit>) {
    unit.commit().await.expect("a unit is committed");
}

/// Makes one test of each check. `$open` is an async function that gives an empty store and whatever must outlive it; `$reopen` one
/// that opens the same store again, given that.
#[macro_export]
macro_rules! contract_tests {
    ($open:path, $reopen:path) => {
        $crate::contract_tests!(@each $open, accounts:
            an_account_is_found_by_person_and_by_name,
            a_user_name_is_given_once,
            what_is_dropped_was_never_written,
            a_refused_write_undoes_its_unit,
            a_reading_sees_one_state,
            a_session_ends_once,
            ending_a_device_or_an_account_ends_its_sessions,
            a_person_can_end_all_sessions_but_one,
            a_token_is_exchanged_once_and_its_successor_sealed_until_used,
            units_that_race_for_a_token_exchange_it_once,
            a_code_is_good_once_for_its_purpose_and_time,
            a_new_code_replaces_the_one_before,
            units_that_race_for_a_code_redeem_it_once,
            what_ended_long_ago_is_forgotten,
        );
        $crate::contract_tests!(@each $open, journals:
            what_a_unit_appends_is_there_whole_or_not_at_all,
            an_entry_stands_at_the_next_position_or_nowhere,
            units_that_race_append_in_turn,
            lanes_and_chain_are_read_by_number,
            entries_come_in_pages_of_so_many_bytes,
            the_content_for_an_audience_can_be_taken_out,
            what_is_offered_again_is_found_under_its_origin,
            entries_are_found_at_their_positions,
            what_a_device_sends_adds_up_by_day,
            a_batch_under_a_used_number_is_kept_once,
            leaves_and_checkpoints_only_grow,
            a_filter_lets_through_what_it_names,
            a_list_in_pages_is_the_whole_list,
            what_is_folded_can_be_forgotten_and_folded_again,
            a_segment_is_kept_until_an_entry_of_its_journal_is_rewritten,
        );

        $crate::contract_tests!(@each $open, files:
            an_erased_file_is_noted_with_its_unit_until_it_is_struck_out,
        );

        #[tokio::test]
        async fn a_store_that_is_opened_again_holds_the_same() {
            let (store, keep) = $open().await;
            let before = $crate::contract::journals::written(&store).await;
            drop(store);
            $crate::contract::journals::same_as_before(&$reopen(&keep).await, &before).await;
        }
    };
    (@each $open:path, $part:ident: $($check:ident),* $(,)?) => {
        mod $part {
            $(
                #[tokio::test]
                async fn $check() {
                    let (store, _keep) = $open().await;
                    $crate::contract::$part::$check(&store).await;
                }
            )*
        }
    };
}
