//! Password hashes, few at a time: each takes memory on purpose, so no number of log-ins may take it all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use secrecy::{ExposeSecret as _, SecretString};
use store::accounts::PasswordHash;
use tokio::sync::Semaphore;

use crate::config;
use crate::random::Random;

/// Characters of the shortest password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes of the longest password; longer ones are not hashed.
pub const PASSWORD_BYTES_MAX: usize = 512;
/// The least of zxcvbn's scores, 0 to 4: 3 takes more than 10^8 guesses.
const SCORE_MIN: zxcvbn::Score = zxcvbn::Score::Three;

/// Why there is no answer about a password.
#[derive(Debug, thiserror::Error)]
pub enum HashFailure {
    /// As many as may wait are waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// The hash could not be computed.
    #[error("a password could not be hashed: {0}")]
    Argon2(argon2::password_hash::Error),
    /// The thread that computed it is gone.
    #[error("a password could not be hashed")]
    Thread(#[source] tokio::task::JoinError),
}

/// The password would be guessed too soon, or is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password is too easy to guess")]
pub struct Weak;

/// Computes hashes on threads of their own, a bounded number at a time.
#[derive(Debug)]
pub struct Passwords(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    argon2: Argon2<'static>,
    /// Of no password that anyone knows; checked for accounts that do not exist, so that they take as long as others.
    nobody: PasswordHash,
    seats: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl Passwords {
    /// A pool with these bounds.
    pub fn new(settings: &config::Passwords, random: &Random) -> Result<Self, HashFailure> {
        let memory_kib = settings.memory_mib.get() * 1024;
        let params = Params::new(memory_kib, settings.passes.get(), 1, None);
        let params = params.map_err(|error| HashFailure::Argon2(error.into()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, &random.bytes::<32>(), &random.bytes())?;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (at_once, waiting) = (count(settings.at_once.get()), count(settings.waiting.get()));
        Ok(Self(Arc::new(Pool {
            argon2,
            nobody,
            seats: Arc::new(Semaphore::new(at_once + waiting)),
            turns: Arc::new(Semaphore::new(at_once)),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        })))
    }

    /// Whether this is the password. Takes as long when there is none.
    pub async fn verify(
        &self,
        password: SecretString,
        expected: Option<PasswordHash>,
    ) -> Result<bool, HashFailure> {
        self.compute(move |pool| {
            let known = expected.is_some();
            let expected = phc::PasswordHash::new(&expected.as_ref().unwrap_or(&pool.nobody).0);
            let expected = expected.map_err(|error| HashFailure::Argon2(error.into()))?;
            let password = password.expose_secret().as_bytes();
            let fits = password.len() <= PASSWORD_BYTES_MAX;
            Ok(fits && pool.argon2.verify_password(password, &expected).is_ok() && known)
        })
        .await
    }

    /// The hash to recognise a password by.
    pub async fn hash(
        &self,
        password: SecretString,
        salt: [u8; 16],
    ) -> Result<PasswordHash, HashFailure> {
        self.compute(move |pool| hash(&pool.argon2, password.expose_secret().as_bytes(), &salt))
            .await
    }

    /// The most hashes that were ever computed at one time.
    pub fn most_at_once(&self) -> usize {
        self.0.most_running.load(Ordering::SeqCst)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pool) -> Result<T, HashFailure> + Send + 'static,
    ) -> Result<T, HashFailure> {
        let seat = Arc::clone(&self.0.seats)
            .try_acquire_owned()
            .map_err(|_| HashFailure::Busy)?;
        let turn = Arc::clone(&self.0.turns)
            .acquire_owned()
            .await
            .map_err(|_| HashFailure::Busy)?;
        let pool = Arc::clone(&self.0);
        // A request that is given up does not stop its thread: seat and turn go with the thread, not with the request.
        let computed = tokio::task::spawn_blocking(move || {
            let running = pool.running.fetch_add(1, Ordering::SeqCst) + 1;
            pool.most_running.fetch_max(running, Ordering::SeqCst);
            let result = work(&pool);
            pool.running.fetch_sub(1, Ordering::SeqCst);
            drop((turn, seat));
            result
        });
        computed.await.map_err(HashFailure::Thread)?
    }
}

fn hash(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8; 16],
) -> Result<PasswordHash, HashFailure> {
    let hash = argon2
        .hash_password_with_salt(password, salt)
        .map_err(HashFailure::Argon2)?;
    Ok(PasswordHash(hash.to_string()))
}

/// Whether a new password is strong enough; words that others know of the person do not count.
pub fn check_strength(password: &SecretString, known_words: &[&str]) -> Result<(), Weak> {
    let password = password.expose_secret();
    let fits =
        password.chars().count() >= PASSWORD_CHARS_MIN && password.len() <= PASSWORD_BYTES_MAX;
    let known_words: Vec<&str> = known_words
        .iter()
        .copied()
        .chain(["zhucun", "驻村"])
        .collect();
    if fits && zxcvbn::zxcvbn(password, &known_words).score() >= SCORE_MIN {
        Ok(())
    } else {
        Err(Weak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Within;

    fn pool(at_once: u32, waiting: u32) -> Passwords {
        let settings = config::Passwords {
            at_once: Within::new(at_once).unwrap(),
            waiting: Within::new(waiting).unwrap(),
            ..config::Passwords::default()
        };
        Passwords::new(&settings, &Random::seeded(1)).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_recognised_and_no_other() {
        let pool = pool(1, 1);
        let hash = pool.hash("correct horse".into(), [1; 16]).await.unwrap();
        assert!(
            hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.0
        );
        assert!(
            pool.verify("correct horse".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !pool
                .verify("correct horsf".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!pool.verify("".into(), Some(hash.clone())).await.unwrap());
        assert!(!pool.verify("correct horse".into(), None).await.unwrap());
        assert!(
            !pool
                .verify("x".repeat(PASSWORD_BYTES_MAX + 1).into(), Some(hash))
                .await
                .unwrap()
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_thousand_at_one_time_take_the_memory_of_two() {
        let pool = Arc::new(pool(2, 30));
        let tries: Vec<_> = (0..1_000)
            .map(|_| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.verify("wrong".into(), None).await })
            })
            .collect();
        let (mut wrong, mut busy) = (0, 0);
        for attempt in tries {
            match attempt.await.unwrap() {
                Ok(false) => wrong += 1,
                Err(HashFailure::Busy) => busy += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(wrong + busy, 1_000);
        assert!(wrong >= 32 && busy > 0, "{wrong} wrong, {busy} busy");
        assert!(pool.most_at_once() <= 2, "{} at once", pool.most_at_once());
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_keeps_its_turn_until_its_thread_is_done() {
        let pool = pool(1, 1);
        for _ in 0..3 {
            let given_up = pool.verify("wrong".into(), None);
            tokio::select! {
                biased;
                _ = given_up => {}
                () = tokio::task::yield_now() => {}
            }
        }
        while let Err(HashFailure::Busy) = pool.verify("wrong".into(), None).await {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.most_at_once(), 1);
    }

    #[test]
    fn easy_passwords_are_refused() {
        for easy in [
            "",
            "short1!",
            "password",
            "12345678",
            "zhucun2026",
            "驻村驻村驻村",
            "ma.xiulan1",
            "qwertyuiop",
        ] {
            assert_eq!(
                check_strength(&easy.into(), &["ma.xiulan"]),
                Err(Weak),
                "{easy}"
            );
        }
        for good in [
            "correct horse battery",
            "西吉的土豆开花了吗",
            "7h!s-is_L0ngEnough",
        ] {
            assert_eq!(
                check_strength(&good.into(), &["ma.xiulan"]),
                Ok(()),
                "{good}"
            );
        }
        assert_eq!(
            check_strength(&"a long one ".repeat(100).into(), &[]),
            Err(Weak)
        );
    }
}
