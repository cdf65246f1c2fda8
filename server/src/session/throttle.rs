//! Attempts to log in are spaced out before anything costly is done for them, and so is what people without an account send and ask.
//! Nobody is ever locked out: waiting always helps.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use sync_core::id::{Digest, JournalId, sha256};

use crate::clock::Clock;
use crate::config::Reports;
use crate::random::Random;

/// Attempts at once, then one every so often.
#[derive(Debug, Clone, Copy)]
struct Spacing {
    at_once: NonZeroU32,
    then_every: Duration,
}

impl Spacing {
    const fn new(at_once: u32, then_every_seconds: u64) -> Self {
        let at_once = NonZeroU32::new(at_once).expect("somebody may try");
        Self {
            at_once,
            then_every: Duration::from_secs(then_every_seconds),
        }
    }

    /// So many at once, and then so many an hour.
    fn an_hour(number: u32) -> Self {
        let at_once = NonZeroU32::new(number).expect("settings let somebody through");
        Self {
            at_once,
            then_every: Duration::from_hours(1) / number,
        }
    }

    fn limiter(self, clock: &Stopwatch) -> Limiter {
        let quota = Quota::with_period(self.then_every)
            .expect("no period is zero")
            .allow_burst(self.at_once);
        RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
    }
}

/// One person mistyping: five tries, then six a minute.
const ACCOUNT_AT_ADDRESS: Spacing = Spacing::new(5, 10);
/// A county's office behind one address, all logging in at eight.
const ADDRESS: Spacing = Spacing::new(60, 1);
/// Everywhere at once against one account: 17,280 guesses a day, where a password takes at least 10^8. Higher than the first, so
/// that whoever attacks from elsewhere does not keep the person out.
const ACCOUNT: Spacing = Spacing::new(30, 5);
/// Somebody who asks what became of a report, and mistypes.
const QUESTIONS_AT_ADDRESS: Spacing = Spacing::new(10, 30);
/// Everywhere at once about one report: 17,280 guesses a day, of 2^80.
const QUESTIONS: Spacing = Spacing::new(30, 5);

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// After so many seconds.
    pub seconds: u64,
}

#[derive(Debug, Clone)]
struct Stopwatch(Arc<dyn Clock>);

impl governor::clock::Clock for Stopwatch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type Limiter = RateLimiter<u16, HashMapStateStore<u16>, Stopwatch, NoOpMiddleware<Duration>>;

/// Counts attempts by account, by address and by both. Memory is bounded: each count has 65,536 drawers, and names and
/// addresses fall into one by a keyed hash that an attacker cannot aim.
#[derive(Debug)]
pub struct Throttle {
    key: [u8; 32],
    clock: Stopwatch,
    account_at_address: Limiter,
    address: Limiter,
    account: Limiter,
    reports_at_address: Limiter,
    reports: Limiter,
    questions_at_address: Limiter,
    questions: Limiter,
}

impl Throttle {
    /// A throttle that has seen nobody.
    pub fn new(clock: Arc<dyn Clock>, random: &Random, reports: &Reports) -> Self {
        let clock = Stopwatch(clock);
        Self {
            key: random.bytes(),
            account_at_address: ACCOUNT_AT_ADDRESS.limiter(&clock),
            address: ADDRESS.limiter(&clock),
            account: ACCOUNT.limiter(&clock),
            reports_at_address: Spacing::an_hour(reports.an_hour_by_address.get()).limiter(&clock),
            reports: Spacing::an_hour(reports.an_hour_by_village.get()).limiter(&clock),
            questions_at_address: QUESTIONS_AT_ADDRESS.limiter(&clock),
            questions: QUESTIONS.limiter(&clock),
            clock,
        }
    }

    /// Takes note of an attempt on an account, or says how long to wait.
    pub fn attempt(&self, account: &str, address: IpAddr) -> Result<(), Wait> {
        let network = network(address);
        // The narrowest first: what it refuses does not count against others at the address.
        self.check(&self.account_at_address, &[&network, account.as_bytes()])?;
        self.check(&self.address, &[&network])?;
        self.check(&self.account, &[account.as_bytes()])
    }

    /// Takes note of an attempt that names no account, or says how long to wait.
    pub fn attempt_from(&self, address: IpAddr) -> Result<(), Wait> {
        self.check(&self.address, &[&network(address)])
    }

    /// Takes note of a report for a village, or says how long to wait.
    pub fn report(&self, village: JournalId, address: IpAddr) -> Result<(), Wait> {
        self.check(&self.reports_at_address, &[&network(address)])?;
        self.check(&self.reports, &[&village.0])
    }

    /// Takes note of a question about a report, or says how long to wait.
    pub fn question(&self, village: JournalId, number: &str, address: IpAddr) -> Result<(), Wait> {
        self.check(&self.questions_at_address, &[&network(address)])?;
        self.check(&self.questions, &[&village.0, number.as_bytes()])
    }

    fn check(&self, limiter: &Limiter, subject: &[&[u8]]) -> Result<(), Wait> {
        let parts: Vec<&[u8]> = [&self.key[..]]
            .into_iter()
            .chain(subject.iter().copied())
            .collect();
        let Digest([high, low, ..]) = sha256(&parts);
        limiter
            .check_key(&u16::from_be_bytes([high, low]))
            .map_err(|until| {
                let wait = until.wait_time_from(self.clock.now());
                Wait {
                    seconds: wait.as_secs() + 1,
                }
            })
    }
}

/// Whoever has one IPv6 address has the other 2^64 of its network.
fn network(address: IpAddr) -> [u8; 16] {
    let bits = match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    };
    Ipv6Addr::from_bits(bits).octets()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use sync_core::id::Timestamp;

    fn throttle() -> (Throttle, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        let throttle = Throttle::new(clock.clone(), &Random::seeded(1), &Reports::default());
        (throttle, clock)
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_person_who_mistypes_waits_seconds_and_is_never_locked_out() {
        let (throttle, clock) = throttle();
        for _ in 0..5 {
            assert_eq!(throttle.attempt("ma", address(1)), Ok(()));
        }
        let wait = throttle.attempt("ma", address(1)).unwrap_err();
        assert!((1..=11).contains(&wait.seconds), "{wait:?}");
        for _ in 0..1_000 {
            assert!(throttle.attempt("ma", address(1)).is_err());
        }
        // However often somebody tried meanwhile, the wait that was told is enough.
        clock.advance(Duration::from_secs(wait.seconds));
        assert_eq!(throttle.attempt("ma", address(1)), Ok(()));
    }

    #[test]
    fn others_are_not_held_up() {
        let (throttle, _) = throttle();
        while throttle.attempt("ma", address(1)).is_ok() {}
        assert_eq!(throttle.attempt("ma", address(2)), Ok(()));
        assert_eq!(throttle.attempt("bai", address(1)), Ok(()));
    }

    #[test]
    fn many_addresses_against_one_account_and_one_against_many_are_slowed() {
        let (throttle, _) = throttle();
        let passed = (0..1_000)
            .filter(|number| throttle.attempt("ma", address(*number)).is_ok())
            .count();
        assert!(passed <= 31, "{passed} of one account");
        let passed = (0..1_000)
            .filter(|number| throttle.attempt(&format!("u{number}"), address(7)).is_ok())
            .count();
        assert!(passed <= 61, "{passed} from one address");
    }

    #[test]
    fn one_network_is_one_address() {
        let same = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| network(text.parse().unwrap()));
        assert_eq!(same[0], same[1]);
        assert_ne!(same[0], network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(
            network("::ffff:10.0.0.1".parse().unwrap()),
            network("10.0.0.1".parse().unwrap())
        );
    }
}
