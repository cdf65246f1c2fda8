use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::limits::PIN_TRIES_MAX;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn pin() -> Pin {
    Pin::typed("258013")
}

fn device() -> DeviceSecret {
    DeviceSecret::from_bytes([6; 32])
}

fn vault() -> (VaultState, Vault) {
    VaultState::create(&pin(), &device(), PinCost::USUAL, &mut rng(1))
}

fn try_pin(state: &VaultState, pin: &str) -> (VaultState, Result<Vault, UnlockError>) {
    state.begin(&device()).unwrap().unlock(&Pin::typed(pin))
}

#[test]
fn what_is_stored_opens_after_unlocking_again() {
    let (state, first) = vault();
    let sealed = first
        .data_key()
        .seal("entry/1", "走访记录".as_bytes(), &mut rng(2));
    let stored = VaultState::from_cbor(&state.to_cbor()).unwrap();
    let (after, unlocked) = try_pin(&stored, "258013");
    let opened = unlocked
        .unwrap()
        .data_key()
        .open("entry/1", &sealed)
        .unwrap();
    assert_eq!(*opened, "走访记录".as_bytes());
    assert_eq!(after, state);
}

#[test]
fn wrong_pins_are_counted_and_a_right_one_sets_the_count_back() {
    let (state, _) = vault();
    let (state, wrong) = try_pin(&state, "258014");
    assert_eq!(
        wrong.unwrap_err(),
        UnlockError::WrongPin {
            tries_left: PIN_TRIES_MAX - 1
        }
    );
    let (state, wrong) = try_pin(&state, "");
    assert_eq!(
        wrong.unwrap_err(),
        UnlockError::WrongPin {
            tries_left: PIN_TRIES_MAX - 2
        }
    );
    let (state, right) = try_pin(&state, "258013");
    assert!(right.is_ok());
    assert_eq!(state.tries_left(), PIN_TRIES_MAX);
}

/// At the edge: the last try still opens; one past it, nothing does.
#[test]
fn the_data_key_goes_with_the_last_wrong_pin_and_not_before() {
    let (mut state, _) = vault();
    state.tries = PIN_TRIES_MAX - 1;
    assert_eq!(state.tries_left(), 1);
    let (_, right) = try_pin(&state, "258013");
    assert!(right.is_ok());
    let (destroyed, wrong) = try_pin(&state, "000000");
    assert_eq!(wrong.unwrap_err(), UnlockError::WrongPin { tries_left: 0 });
    assert!(destroyed.is_destroyed());
    assert_eq!(destroyed.wrapped, None);
    assert_eq!(
        destroyed.begin(&device()).unwrap_err(),
        UnlockError::Destroyed
    );
    let stored = VaultState::from_cbor(&destroyed.to_cbor()).unwrap();
    assert_eq!(stored.begin(&device()).unwrap_err(), UnlockError::Destroyed);
}

#[test]
fn killing_the_app_before_the_verdict_does_not_give_the_try_back() {
    let (mut state, _) = vault();
    for left in (0..PIN_TRIES_MAX).rev() {
        let attempt = state.begin(&device()).unwrap();
        state = VaultState::from_cbor(&attempt.state().to_cbor()).unwrap();
        assert_eq!(state.tries_left(), left);
    }
    assert_eq!(state.begin(&device()).unwrap_err(), UnlockError::Destroyed);
}

#[test]
fn another_device_secret_is_told_apart_and_costs_no_try() {
    let (state, _) = vault();
    let other = DeviceSecret::generate(&mut rng(9));
    assert_eq!(state.begin(&other).unwrap_err(), UnlockError::OtherDevice);
    // Nor does it help to pass the check off.
    let forged = VaultState {
        device: check(&other),
        ..state
    };
    let (_, verdict) = forged.begin(&other).unwrap().unlock(&pin());
    assert!(matches!(verdict, Err(UnlockError::WrongPin { .. })));
}

#[test]
fn a_changed_pin_opens_the_same_data_and_the_old_one_does_not() {
    let (_, vault) = vault();
    let sealed = vault.data_key().seal("entry/1", b"kept", &mut rng(2));
    let cost = PinCost::new(limits::PIN_MEMORY_KIB_MIN + 8, 3).unwrap();
    let changed = VaultState::rewrap(&vault, &Pin::typed("new pin"), &device(), cost, &mut rng(3));
    drop(vault);
    let (_, old) = try_pin(&changed, "258013");
    assert!(old.is_err());
    let (_, new) = try_pin(&changed, "new pin");
    assert_eq!(
        *new.unwrap().data_key().open("entry/1", &sealed).unwrap(),
        b"kept"
    );
}

#[test]
fn the_outbox_outlives_the_data_key_and_opens_for_this_device_alone() {
    let (mut state, vault) = vault();
    let sealed = Vault::outbox_key(&device()).seal("sealed/1", b"a batch", &mut rng(2));
    let kept = vault.data_key().seal("entry/1", b"a visit", &mut rng(3));
    state.wrapped = None;
    assert!(state.is_destroyed());
    let outbox = Vault::outbox_key(&device());
    assert_eq!(*outbox.open("sealed/1", &sealed).unwrap(), b"a batch");
    assert_eq!(
        outbox.open("entry/1", &kept).unwrap_err(),
        StorageError::Opening
    );
    assert_eq!(
        vault.data_key().open("sealed/1", &sealed).unwrap_err(),
        StorageError::Opening
    );
    let other = Vault::outbox_key(&DeviceSecret::from_bytes([7; 32]));
    assert_eq!(
        other.open("sealed/1", &sealed).unwrap_err(),
        StorageError::Opening
    );
}

#[test]
fn a_value_cannot_be_put_in_the_place_of_another() {
    let (_, vault) = vault();
    let sealed = vault.data_key().seal("entry/1", b"first", &mut rng(2));
    assert_eq!(
        vault.data_key().open("entry/2", &sealed).unwrap_err(),
        StorageError::Opening
    );
    assert_eq!(
        vault.data_key().open("", &sealed).unwrap_err(),
        StorageError::Opening
    );
}

#[test]
fn every_changed_or_missing_byte_is_noticed() {
    let (_, vault) = vault();
    let sealed = vault.data_key().seal("name", b"value", &mut rng(2));
    assert_eq!(sealed.len(), b"value".len() + 41);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(
            vault.data_key().open("name", &changed).is_err(),
            "byte {at}"
        );
        assert!(
            vault.data_key().open("name", &sealed[..at]).is_err(),
            "cut at {at}"
        );
    }
    let later = [&[2], &sealed[1..]].concat();
    assert_eq!(
        vault.data_key().open("name", &later).unwrap_err(),
        StorageError::UnknownForm(2)
    );
}

#[test]
fn a_wrapped_key_is_bound_to_its_cost_and_salt() {
    let (state, _) = vault();
    let dearer = VaultState {
        cost: PinCost::new(limits::PIN_MEMORY_KIB_MIN, 3).unwrap(),
        ..state.clone()
    };
    assert!(try_pin(&dearer, "258013").1.is_err());
    let salted = VaultState {
        salt: [0; SALT_BYTES],
        ..state.clone()
    };
    assert!(try_pin(&salted, "258013").1.is_err());
    let mut wrapped = state.wrapped.clone().unwrap();
    *wrapped.last_mut().unwrap() ^= 1;
    assert!(
        try_pin(
            &VaultState {
                wrapped: Some(wrapped),
                ..state
            },
            "258013"
        )
        .1
        .is_err()
    );
}

#[test]
fn equal_values_are_not_seen_to_be_equal() {
    let (state, vault) = vault();
    let mut rng = rng(2);
    let sealed: Vec<_> = (0..2)
        .map(|_| vault.data_key().seal("name", b"value", &mut rng))
        .collect();
    assert_ne!(sealed[0], sealed[1]);
    let (again, _) = VaultState::create(&pin(), &device(), PinCost::USUAL, &mut rng);
    assert_ne!(again.salt, state.salt);
    assert_ne!(again.wrapped, state.wrapped);
}

/// What phones have stored must open for ever: these bytes change only together with a version.
#[test]
fn stored_forms_stay_as_they_are() {
    let (state, vault) = vault();
    let sealed = vault.data_key().seal("entry/1", b"value", &mut rng(2));
    let outbox = Vault::outbox_key(&device()).seal("sealed/1", b"value", &mut rng(3));
    let digest = |bytes: &[u8]| crate::id::sha256(&[bytes]).short();
    let digests = [digest(&state.to_cbor()), digest(&sealed), digest(&outbox)];
    expect_test::expect!["02c9a756 24e97b3a 5f80d822"].assert_eq(&digests.join(" "));
}

#[test]
fn stored_vaults_are_checked() {
    let (state, _) = vault();
    let bytes = state.to_cbor();
    let later = cbor::encode(&VaultState {
        version: 2,
        ..state.clone()
    });
    assert_eq!(
        VaultState::from_cbor(&later),
        Err(VaultStateError::UnknownVersion(2))
    );
    for cost in [
        PinCost {
            memory_kib: limits::PIN_MEMORY_KIB_MIN - 1,
            ..PinCost::USUAL
        },
        PinCost {
            memory_kib: limits::PIN_MEMORY_KIB_MAX + 1,
            ..PinCost::USUAL
        },
        PinCost {
            passes: limits::PIN_PASSES_MIN - 1,
            ..PinCost::USUAL
        },
        PinCost {
            passes: limits::PIN_PASSES_MAX + 1,
            ..PinCost::USUAL
        },
        PinCost {
            algorithm: 2,
            ..PinCost::USUAL
        },
    ] {
        let state = VaultState {
            cost,
            ..state.clone()
        };
        assert_eq!(
            VaultState::from_cbor(&state.to_cbor()),
            Err(VaultStateError::Cost),
            "{cost:?}"
        );
    }
    assert!(PinCost::new(limits::PIN_MEMORY_KIB_MAX, limits::PIN_PASSES_MAX).is_some());
    assert!(PinCost::new(0, 2).is_none());
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(
        VaultState::from_cbor(&longer),
        Err(VaultStateError::Damaged(CborError::NotDeterministic))
    );
}

#[test]
fn pins_that_are_guessed_first_are_not_chosen() {
    for weak in ["000000", "111111", "123456", "987654", "abcdef", "456789"] {
        assert_eq!(Pin::typed(weak).check(), Err(WeakPin::Guessed), "{weak}");
    }
    for pin in ["258013", "112233", "135791", "驻村工作队员", "123457"] {
        assert_eq!(Pin::typed(pin).check(), Ok(()), "{pin}");
    }
    let least = "258013";
    assert_eq!(least.len(), limits::PIN_CHARS_MIN);
    assert_eq!(Pin::typed(least).check(), Ok(()));
    assert_eq!(Pin::typed("25801").check(), Err(WeakPin::Length));
    let long = "25".repeat(limits::PIN_CHARS_MAX / 2);
    assert_eq!(Pin::typed(long.clone()).check(), Ok(()));
    assert_eq!(Pin::typed(long + "2").check(), Err(WeakPin::Length));
}

#[test]
fn secrets_are_not_printed() {
    let (_, vault) = vault();
    let printed = format!(
        "{:?} {:?} {:?} {:?}",
        pin(),
        device(),
        vault,
        vault.data_key()
    );
    assert_eq!(
        printed,
        "Pin(<secret>) DeviceSecret(<secret>) Vault(<secret>) StorageKey(<secret>)"
    );
}

proptest! {
    #[test]
    fn any_value_comes_back_under_any_name(name: String, value: Vec<u8>, seed: u64) {
        let key = Vault::outbox_key(&device());
        let sealed = key.seal(&name, &value, &mut rng(seed));
        prop_assert_eq!(&*key.open(&name, &sealed).unwrap(), &value);
    }

    #[test]
    fn no_bytes_break_the_readers(bytes: Vec<u8>) {
        let _ = VaultState::from_cbor(&bytes);
        prop_assert!(Vault::outbox_key(&device()).open("name", &bytes).is_err());
    }
}
