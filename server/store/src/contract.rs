//! What every backend must do: a suite that each calls from its tests with [`contract_tests!`](crate::contract_tests).
//!
//! Each check gets an empty store. They repeat what was done, drop what was begun, and let units race.

pub mod accounts;

/// Makes one test of each check. `$open` is an async function that gives an empty store and whatever must outlive it.
#[macro_export]
macro_rules! contract_tests {
    ($open:path) => {
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
