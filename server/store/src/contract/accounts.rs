//! Accounts, devices, sessions, tokens and codes.

use futures::future::join_all;
use sync_core::id::{Digest, SessionId, Timestamp, UserId};
use sync_core::sign::{ED25519, PublicKey};

use super::{begin, commit, read};
use crate::accounts::{
    Account, Added, CodePurpose, Device, NewCode, NewRefreshToken, PasswordHash, Redeemed,
    RefreshToken, Session, SessionEnd, Successor,
};
use crate::personal::Personal;
use crate::{Store, StoreError};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 1_000);
const MUCH_LATER: Timestamp = Timestamp(NOW.0 + 1_000_000);

fn account(number: u8) -> Account {
    Account {
        user: UserId([number; 16]),
        user_name: format!("name-{number}").parse().expect("a user name"),
        display_name: Personal(format!("马秀兰 {number}")),
        password: Some(PasswordHash("$argon2id$…".to_owned())),
        created_at: NOW,
        disabled_at: None,
    }
}

fn device(number: u8, of: &Account) -> Device {
    let key = PublicKey {
        algorithm: ED25519,
        bytes: vec![number; 32],
    };
    Device {
        device: key.device(),
        user: of.user,
        key,
        enrolled_at: NOW,
        ended_at: None,
    }
}

fn session(number: u8, of: &Account, on: Option<&Device>) -> Session {
    Session {
        session: SessionId([number; 16]),
        user: of.user,
        device: on.map(|device| device.device),
        started_at: Timestamp(NOW.0 + i64::from(number)),
        expires_at: MUCH_LATER,
        ended: None,
    }
}

fn token(number: u8) -> NewRefreshToken {
    NewRefreshToken {
        hash: Digest([number; 32]),
        issued_at: NOW,
        expires_at: LATER,
    }
}

fn code(number: u8, purpose: CodePurpose, of: Option<&Account>) -> NewCode {
    NewCode {
        hash: Digest([number; 32]),
        purpose,
        user: of.map(|account| account.user),
        issued_at: NOW,
        expires_at: LATER,
    }
}

/// One account with one device, one session there (token 1) and one in a browser (token 2).
async fn signed_in(store: &dyn Store) -> (Account, Device) {
    let account = account(1);
    let device = device(1, &account);
    let mut unit = begin(store).await;
    unit.add_account(&account).await.expect("added");
    unit.add_device(&device).await.expect("added");
    unit.add_session(&session(1, &account, Some(&device)), &token(1))
        .await
        .expect("added");
    unit.add_session(&session(2, &account, None), &token(2))
        .await
        .expect("added");
    commit(unit).await;
    (account, device)
}

async fn going_on(store: &dyn Store, account: &Account) -> Vec<u8> {
    let sessions = read(store)
        .await
        .sessions_of(account.user, NOW)
        .await
        .expect("sessions");
    sessions
        .iter()
        .filter_map(|session| session.session.0.first().copied())
        .collect()
}

/// Accounts come back as they went in, passwords can be set, and names are found in any case.
pub async fn an_account_is_found_by_person_and_by_name(store: &dyn Store) {
    assert!(!read(store).await.has_accounts().await.expect("an answer"));
    let mut kept = Account {
        password: None,
        ..account(1)
    };
    let mut unit = begin(store).await;
    assert_eq!(unit.add_account(&kept).await.expect("added"), Added::Done);
    commit(unit).await;
    let mut reading = read(store).await;
    assert!(reading.has_accounts().await.expect("an answer"));
    assert_eq!(
        reading.account(kept.user).await.expect("an answer"),
        Some(kept.clone())
    );
    let name = "NAME-1".parse().expect("a user name");
    assert_eq!(
        reading.account_named(&name).await.expect("an answer"),
        Some(kept.clone())
    );
    assert_eq!(
        reading.account(UserId([9; 16])).await.expect("an answer"),
        None
    );
    drop(reading);

    kept.password = Some(PasswordHash("another".to_owned()));
    let mut unit = begin(store).await;
    unit.set_password(kept.user, &PasswordHash("another".to_owned()))
        .await
        .expect("set");
    commit(unit).await;
    assert_eq!(
        read(store)
            .await
            .account(kept.user)
            .await
            .expect("an answer"),
        Some(kept)
    );
}

/// A taken name is an answer, not a failure, and the unit goes on.
pub async fn a_user_name_is_given_once(store: &dyn Store) {
    let first = account(1);
    let second = Account {
        user_name: first.user_name.clone(),
        ..account(2)
    };
    let mut unit = begin(store).await;
    assert_eq!(unit.add_account(&first).await.expect("added"), Added::Done);
    assert_eq!(
        unit.add_account(&second).await.expect("an answer"),
        Added::NameTaken
    );
    commit(unit).await;
    let mut reading = read(store).await;
    assert!(
        reading
            .account(first.user)
            .await
            .expect("an answer")
            .is_some()
    );
    assert!(
        reading
            .account(second.user)
            .await
            .expect("an answer")
            .is_none()
    );
}

/// A unit that is dropped leaves nothing.
pub async fn what_is_dropped_was_never_written(store: &dyn Store) {
    let mut unit = begin(store).await;
    unit.add_account(&account(1)).await.expect("added");
    drop(unit);
    assert!(!read(store).await.has_accounts().await.expect("an answer"));
    assert_eq!(
        begin(store)
            .await
            .add_account(&account(1))
            .await
            .expect("added"),
        Added::Done
    );
}

/// A write that the rules forbid fails, and nothing that its unit wrote remains.
pub async fn a_refused_write_undoes_its_unit(store: &dyn Store) {
    let (account, _) = signed_in(store).await;
    let mut unit = begin(store).await;
    unit.add_session(&session(3, &account, None), &token(3))
        .await
        .expect("added");
    unit.add_session(&session(3, &account, None), &token(4))
        .await
        .expect_err("a session twice");
    let halved = unit.commit().await;
    assert!(matches!(halved, Err(StoreError::Refused(_))), "{halved:?}");
    let mut unit = begin(store).await;
    unit.add_session(&session(4, &self::account(2), None), &token(4))
        .await
        .expect_err("nobody's session");
    drop(unit);
    assert_eq!(going_on(store, &account).await, [2, 1]);
    assert_eq!(
        read(store)
            .await
            .refresh_token(token(3).hash)
            .await
            .expect("an answer"),
        None
    );
}

/// What is committed meanwhile does not show in a reading that has begun.
pub async fn a_reading_sees_one_state(store: &dyn Store) {
    let mut reading = read(store).await;
    assert!(!reading.has_accounts().await.expect("an answer"));
    signed_in(store).await;
    assert!(!reading.has_accounts().await.expect("an answer"));
    assert!(read(store).await.has_accounts().await.expect("an answer"));
}

/// The first end of a session stays; ending it again changes nothing.
pub async fn a_session_ends_once(store: &dyn Store) {
    let (account, device) = signed_in(store).await;
    let mut expected = session(1, &account, Some(&device));
    for (why, first) in SessionEnd::ALL
        .into_iter()
        .zip([true, false, false, false, false, false])
    {
        let mut unit = begin(store).await;
        assert_eq!(
            unit.end_session(expected.session, why, LATER)
                .await
                .expect("an answer"),
            first
        );
        commit(unit).await;
    }
    expected.ended = Some((LATER, SessionEnd::LoggedOut));
    assert_eq!(
        read(store)
            .await
            .session(expected.session)
            .await
            .expect("an answer"),
        Some(expected)
    );
    assert_eq!(going_on(store, &account).await, [2]);
    let all = read(store)
        .await
        .sessions_of(account.user, MUCH_LATER)
        .await
        .expect("sessions");
    assert!(all.is_empty(), "an expired session does not go on");
}

/// Who may no longer sign in is no longer signed in.
pub async fn ending_a_device_or_an_account_ends_its_sessions(store: &dyn Store) {
    let (account, device) = signed_in(store).await;
    for now in [LATER, MUCH_LATER] {
        let mut unit = begin(store).await;
        unit.end_device(device.device, now).await.expect("ended");
        commit(unit).await;
    }
    assert_eq!(going_on(store, &account).await, [2]);
    let ended = Device {
        ended_at: Some(LATER),
        ..device.clone()
    };
    assert_eq!(
        read(store)
            .await
            .device(device.device)
            .await
            .expect("an answer"),
        Some(ended)
    );

    for now in [LATER, MUCH_LATER] {
        let mut unit = begin(store).await;
        unit.disable_account(account.user, now)
            .await
            .expect("disabled");
        commit(unit).await;
    }
    assert_eq!(going_on(store, &account).await, [] as [u8; 0]);
    let mut reading = read(store).await;
    let disabled = reading
        .account(account.user)
        .await
        .expect("an answer")
        .expect("an account");
    assert_eq!(disabled.disabled_at, Some(LATER));
    let ended = reading
        .session(SessionId([2; 16]))
        .await
        .expect("an answer")
        .and_then(|session| session.ended);
    assert_eq!(ended, Some((LATER, SessionEnd::AccountDisabled)));
}

/// Others' sessions, and the one that is excepted, go on.
pub async fn a_person_can_end_all_sessions_but_one(store: &dyn Store) {
    let (account, _) = signed_in(store).await;
    let other = self::account(2);
    let mut unit = begin(store).await;
    unit.add_account(&other).await.expect("added");
    unit.add_session(&session(3, &other, None), &token(3))
        .await
        .expect("added");
    unit.end_sessions_of(
        account.user,
        Some(SessionId([2; 16])),
        SessionEnd::PasswordChanged,
        NOW,
    )
    .await
    .expect("ended");
    commit(unit).await;
    assert_eq!(going_on(store, &account).await, [2]);
    assert_eq!(going_on(store, &other).await, [3]);
    let mut unit = begin(store).await;
    unit.end_sessions_of(account.user, None, SessionEnd::PasswordChanged, NOW)
        .await
        .expect("ended");
    commit(unit).await;
    assert_eq!(going_on(store, &account).await, [] as [u8; 0]);
}

/// The successor is kept for a repeated request until it is used; then its seal is broken for good.
pub async fn a_token_is_exchanged_once_and_its_successor_sealed_until_used(store: &dyn Store) {
    signed_in(store).await;
    let (first, second, third) = (
        token(1),
        NewRefreshToken {
            expires_at: MUCH_LATER,
            ..token(3)
        },
        token(4),
    );
    let sealed = Digest([0xAA; 32]);
    let mut expected = RefreshToken {
        session: SessionId([1; 16]),
        expires_at: LATER,
        successor: None,
    };
    assert_eq!(
        read(store)
            .await
            .refresh_token(first.hash)
            .await
            .expect("an answer"),
        Some(expected)
    );

    let mut unit = begin(store).await;
    unit.exchange(first.hash, &second, sealed)
        .await
        .expect("exchanged");
    commit(unit).await;
    expected.successor = Some(Successor::Unused {
        sealed,
        expires_at: MUCH_LATER,
    });
    assert_eq!(
        read(store)
            .await
            .refresh_token(first.hash)
            .await
            .expect("an answer"),
        Some(expected)
    );
    begin(store)
        .await
        .exchange(first.hash, &third, sealed)
        .await
        .expect_err("it was exchanged before");
    begin(store)
        .await
        .exchange(third.hash, &third, sealed)
        .await
        .expect_err("nobody issued it");

    let mut unit = begin(store).await;
    unit.exchange(second.hash, &third, sealed)
        .await
        .expect("exchanged");
    commit(unit).await;
    expected.successor = Some(Successor::Used);
    assert_eq!(
        read(store)
            .await
            .refresh_token(first.hash)
            .await
            .expect("an answer"),
        Some(expected)
    );
}

/// Of units that read a token as unused and exchange it, one succeeds.
pub async fn units_that_race_for_a_token_exchange_it_once(store: &dyn Store) {
    signed_in(store).await;
    let exchanges = (10..18).map(|number| async move {
        let mut unit = begin(store).await;
        let presented = unit
            .refresh_token(token(1).hash)
            .await
            .expect("an answer")
            .expect("it was issued");
        if presented.successor.is_none() {
            unit.exchange(token(1).hash, &token(number), Digest([number; 32]))
                .await
                .expect("exchanged");
        }
        commit(unit).await;
        presented.successor.is_none()
    });
    let first = join_all(exchanges)
        .await
        .into_iter()
        .filter(|first| *first)
        .count();
    assert_eq!(first, 1);
}

/// A code is for one purpose, until its time has passed, once.
pub async fn a_code_is_good_once_for_its_purpose_and_time(store: &dyn Store) {
    let (account, _) = signed_in(store).await;
    let kept = code(1, CodePurpose::SetPassword, Some(&account));
    let mut unit = begin(store).await;
    unit.add_code(&kept).await.expect("added");
    commit(unit).await;

    let mut unit = begin(store).await;
    assert_eq!(
        unit.redeem_code(kept.hash, CodePurpose::EnrolDevice, NOW)
            .await
            .expect("an answer"),
        None
    );
    assert_eq!(
        unit.redeem_code(kept.hash, kept.purpose, LATER)
            .await
            .expect("an answer"),
        None
    );
    assert_eq!(
        unit.redeem_code(Digest([9; 32]), kept.purpose, NOW)
            .await
            .expect("an answer"),
        None
    );
    let redeemed = Some(Redeemed {
        user: Some(account.user),
    });
    assert_eq!(
        unit.redeem_code(kept.hash, kept.purpose, NOW)
            .await
            .expect("an answer"),
        redeemed
    );
    drop(unit);

    let mut unit = begin(store).await;
    assert_eq!(
        unit.redeem_code(kept.hash, kept.purpose, NOW)
            .await
            .expect("an answer"),
        redeemed,
        "the drop undid it"
    );
    commit(unit).await;
    assert_eq!(
        begin(store)
            .await
            .redeem_code(kept.hash, kept.purpose, NOW)
            .await
            .expect("an answer"),
        None
    );
}

/// Issuing a code makes earlier ones for the same purpose and person worthless, and leaves all others.
pub async fn a_new_code_replaces_the_one_before(store: &dyn Store) {
    let (account, _) = signed_in(store).await;
    let codes = [
        code(1, CodePurpose::FirstAdmin, None),
        code(2, CodePurpose::FirstAdmin, None),
        code(3, CodePurpose::SetPassword, Some(&account)),
        code(4, CodePurpose::EnrolDevice, Some(&account)),
        code(5, CodePurpose::EnrolDevice, Some(&account)),
    ];
    let mut unit = begin(store).await;
    for code in &codes {
        unit.add_code(code).await.expect("added");
    }
    let mut good = Vec::new();
    for code in &codes {
        good.push(
            unit.redeem_code(code.hash, code.purpose, NOW)
                .await
                .expect("an answer")
                .is_some(),
        );
    }
    assert_eq!(good, [false, true, true, false, true]);
}

/// Of units that redeem one code at one time, one succeeds.
pub async fn units_that_race_for_a_code_redeem_it_once(store: &dyn Store) {
    let kept = code(1, CodePurpose::FirstAdmin, None);
    let mut unit = begin(store).await;
    unit.add_code(&kept).await.expect("added");
    commit(unit).await;
    let redemptions = (0..8).map(|_| async move {
        let mut unit = begin(store).await;
        let redeemed = unit
            .redeem_code(kept.hash, kept.purpose, NOW)
            .await
            .expect("an answer");
        commit(unit).await;
        redeemed.is_some()
    });
    let good = join_all(redemptions)
        .await
        .into_iter()
        .filter(|good| *good)
        .count();
    assert_eq!(good, 1);
}

/// Sessions that ended or expired go, with their tokens, and so do codes; what goes on stays.
pub async fn what_ended_long_ago_is_forgotten(store: &dyn Store) {
    let (account, _) = signed_in(store).await;
    let used = code(1, CodePurpose::FirstAdmin, None);
    let open = NewCode {
        expires_at: MUCH_LATER,
        ..code(2, CodePurpose::SetPassword, Some(&account))
    };
    let mut unit = begin(store).await;
    unit.add_code(&used).await.expect("added");
    unit.add_code(&open).await.expect("added");
    unit.end_session(SessionId([1; 16]), SessionEnd::LoggedOut, NOW)
        .await
        .expect("ended");
    commit(unit).await;

    let mut unit = begin(store).await;
    unit.forget_ended_before(LATER).await.expect("forgotten");
    commit(unit).await;
    let mut reading = read(store).await;
    assert!(
        reading
            .session(SessionId([1; 16]))
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(
        reading
            .refresh_token(token(1).hash)
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(
        reading
            .session(SessionId([2; 16]))
            .await
            .expect("an answer")
            .is_some()
    );
    drop(reading);
    let mut unit = begin(store).await;
    assert!(
        unit.redeem_code(open.hash, open.purpose, NOW)
            .await
            .expect("an answer")
            .is_some()
    );
    unit.forget_ended_before(Timestamp(MUCH_LATER.0 + 1))
        .await
        .expect("forgotten");
    commit(unit).await;
    assert!(
        read(store)
            .await
            .session(SessionId([2; 16]))
            .await
            .expect("an answer")
            .is_none()
    );
}
