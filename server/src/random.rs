//! The one source of randomness.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rand_core::UnwrapErr;
use rand::rngs::{StdRng, SysRng};
use rand::{CryptoRng, SeedableRng};

/// Unpredictable bytes for keys, tokens, salts and ids.
#[derive(Clone)]
pub struct Random(Arc<Mutex<Box<dyn CryptoRng + Send>>>);

impl Random {
    /// The operating system's randomness. If it fails the process ends: nothing sound can be done without.
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(Box::new(UnwrapErr(SysRng)))))
    }

    /// The same bytes for the same seed: for tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Box::new(StdRng::seed_from_u64(seed)))))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.fill_bytes(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_repeats_itself_and_another_differs() {
        assert_eq!(Random::seeded(7).bytes::<32>(), Random::seeded(7).bytes());
        assert_ne!(Random::seeded(7).bytes::<32>(), Random::seeded(8).bytes());
        assert_ne!(Random::system().bytes::<32>(), Random::system().bytes());
    }
}
