//! A journal host in memory and phones that sync with it: the real admission, chain and registry without HTTP or a database.
//!
//! For tests of this crate, the device and the simulation (feature `testing`). Everything is deterministic: the same calls with
//! the same seed give the same bytes. A [`Host`] is as honest as its caller: its journals can be reached into, to play a server
//! that lies.
//!
//! ```
//! use sync_core::id::Timestamp;
//! use sync_core::sync::device::Intent;
//! use sync_core::testing::{Host, Phone};
//! use sync_core::value::Value;
//!
//! let now = Timestamp(1_795_000_000_000);
//! let mut host = Host::found(1, now);
//! let village = host.add_village("半子沟村", now);
//! let secretary = host.add_user("马第一", now);
//! host.assign(secretary, "FS", village.area, now.date().plus_days(-100), None, now);
//! let mut phone = Phone::enrol(&mut host, secretary, now);
//! phone.sync(&mut host, now).expect("the host is honest");
//!
//! let household = Intent::create("household").with("householder", Value::text("张三"));
//! phone.save(village.journal, None, household, now).expect("the secretary keeps the register");
//! phone.sync(&mut host, now).expect("the host is honest");
//! assert_eq!(host.entries(village.journal).len(), 1);
//! ```

mod day;
mod host;
mod phone;

pub use day::VillageDay;
pub use host::{Backup, Host, HostJournal, NothingSigned, Village};
pub use phone::{Phone, Storage};

use crate::id::sha256;

/// Randomness that is the same for the same seed.
#[derive(Debug, Clone)]
pub struct TestRng {
    seed: u64,
    blocks: u64,
}

impl TestRng {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, blocks: 0 }
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            self.blocks += 1;
            let block = sha256(&[
                b"zhucun test rng",
                &self.seed.to_be_bytes(),
                &self.blocks.to_be_bytes(),
            ])
            .0;
            chunk
                .iter_mut()
                .zip(block)
                .for_each(|(to, from)| *to = from);
        }
        bytes
    }
}

impl rand_core::TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes(self.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_be_bytes(self.bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(32) {
            let block: [u8; 32] = self.bytes();
            chunk
                .iter_mut()
                .zip(block)
                .for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for TestRng {}
