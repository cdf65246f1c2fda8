//! One-time codes as the server issues them.

use store::accounts::{CodePurpose, NewCode};
use sync_core::id::{Timestamp, UserId};
use sync_core::sync::enrol::OneTimeCode;

use crate::random::Random;

const HOUR_MS: i64 = 3_600_000;

/// A new code.
pub fn generate(random: &Random) -> OneTimeCode {
    OneTimeCode::from_random(random.bytes())
}

/// How the store keeps a code that is issued now.
pub fn issued(
    code: &OneTimeCode,
    purpose: CodePurpose,
    user: Option<UserId>,
    now: Timestamp,
) -> NewCode {
    let hours = match purpose {
        CodePurpose::FirstAdmin | CodePurpose::EnrolDevice => 24,
        CodePurpose::SetPassword => 7 * 24,
    };
    NewCode {
        hash: code.digest(),
        purpose,
        user,
        issued_at: now,
        expires_at: now.plus_ms(hours * HOUR_MS),
    }
}
