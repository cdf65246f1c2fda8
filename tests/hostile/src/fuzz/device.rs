//! What a device takes in: a server's answer, and its own storage.

use std::sync::{Mutex, OnceLock, PoisonError};

use sync_core::batch::Bytes;
use sync_core::cbor;
use sync_core::sync::device::{Device, Key};
use sync_core::sync::wire::SyncResponse;
use sync_core::vault::{DeviceSecret, VaultState};

use super::samples::{self, Samples};

fn with_samples<T>(work: impl FnOnce(&mut Samples) -> T) -> T {
    static SAMPLES: OnceLock<Mutex<Samples>> = OnceLock::new();
    let samples = SAMPLES.get_or_init(|| Mutex::new(Samples::new()));
    work(&mut samples.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A lying server: what is not verified changes nothing, and what is taken in is there after a restart.
pub(super) fn response(bytes: &[u8]) {
    let Ok(response) = cbor::decode::<SyncResponse>(bytes) else {
        return;
    };
    assert_eq!(cbor::encode(&response), bytes);
    with_samples(|samples| {
        let storage = samples.phone.storage.clone();
        let before = samples.phone.device.position(samples.village.journal);
        let taken = samples.phone.take(&response, samples::NOW);
        if taken.is_err() {
            assert_eq!(samples.phone.storage, storage);
            assert_eq!(
                samples.phone.device.position(samples.village.journal),
                before
            );
            return;
        }
        let loaded = samples.phone.loaded();
        for journal in samples.phone.device.journals() {
            let device = &samples.phone.device;
            assert_eq!(loaded.position(journal), device.position(journal));
            assert_eq!(loaded.records(journal), device.records(journal));
        }
        assert!(!samples.phone.request(samples::NOW).cursors.is_empty());
        // The next input meets the phone as it was.
        samples.phone.storage = storage;
        samples.phone.restart();
    });
}

/// A device loads any storage, or says where it is damaged.
pub(super) fn stored(bytes: &[u8]) {
    let Ok(values) = cbor::decode::<Vec<(String, Bytes)>>(bytes) else {
        return;
    };
    let mut keyed = Vec::new();
    for (name, value) in values {
        let Some(key) = Key::parse(&name) else {
            continue;
        };
        assert_eq!(key.name(), name);
        keyed.push((key, value.0));
    }
    with_samples(|samples| {
        let identity = samples.phone.device.identity().clone();
        let catalogues = samples.host.catalogues().clone();
        let Ok(mut device) = Device::load(identity, catalogues, keyed) else {
            return;
        };
        for journal in device.journals() {
            for record in device.records(journal) {
                let _ = device.view(journal, record, samples::NOW);
            }
        }
        let mut world = sync_core::sync::device::World {
            now: samples::NOW,
            rng: &mut samples.phone.rng,
        };
        let _ = device.seal(&mut world);
        let request = device.request();
        assert!(
            cbor::decode::<sync_core::sync::wire::SyncRequest>(&cbor::encode(&request)).is_ok()
        );
    });
}

pub(super) fn vault(bytes: &[u8]) {
    let Ok(state) = VaultState::from_cbor(bytes) else {
        return;
    };
    assert_eq!(state.to_cbor(), bytes);
    // A try is counted, and never more of them than there are.
    if let Ok(attempt) = state.begin(&DeviceSecret::from_bytes([5; 32])) {
        assert_eq!(attempt.state().tries_left() + 1, state.tries_left());
    }
}
