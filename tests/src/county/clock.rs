//! Two days pass in a minute.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use server::clock::{Clock, SystemClock};
use sync_core::id::{Date, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// The machine's clock, set to where the story is. Between two leaps it runs as any clock does.
#[derive(Debug)]
pub(crate) struct StoryClock {
    machine: SystemClock,
    behind_ms: AtomicI64,
    leapt_ms: AtomicI64,
}

impl StoryClock {
    pub(crate) fn start() -> Self {
        Self {
            machine: SystemClock::start(),
            behind_ms: AtomicI64::new(0),
            leapt_ms: AtomicI64::new(0),
        }
    }

    /// The last day of the story, which is yesterday: when it has been told, the clock can run on as it is.
    pub(crate) fn last_day(&self) -> Date {
        self.machine.now().date().plus_days(-1)
    }

    /// Leaps to a time of day, in the county's own time.
    pub(crate) fn leap(&self, day: Date, hour: i64, minute: i64) {
        let to = day.starts_at().plus_ms((hour * 60 + minute) * MINUTE_MS);
        self.leap_to(to);
    }

    /// Leaps to the present.
    pub(crate) fn leap_to_present(&self) {
        self.leap_to(self.machine.now());
    }

    fn leap_to(&self, to: Timestamp) {
        let before = self.now();
        self.behind_ms
            .store(self.machine.now().0 - to.0, Ordering::SeqCst);
        let leap = (to.0 - before.0).max(0);
        self.leapt_ms.fetch_add(leap, Ordering::SeqCst);
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        self.machine
            .now()
            .plus_ms(-self.behind_ms.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        let leapt = u64::try_from(self.leapt_ms.load(Ordering::SeqCst)).unwrap_or(0);
        self.machine.elapsed() + Duration::from_millis(leapt)
    }
}
