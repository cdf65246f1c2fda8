//! Large bodies, as they arrive: so many bytes in memory at one time for all, so many requests at once for one sender, and nobody
//! who keeps us waiting for more.
//!
//! Connections are bounded elsewhere, but as many as there may be, each with the largest body, would take gigabytes. What does not
//! fit is told to come again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use sync_core::id::{DeviceId, UserId};
use sync_core::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::context::Caller;
use crate::problem::{Code, Problem};

/// Bytes of large bodies in memory at one time. Two hundred phones that come back from a week in the hills bring some 20 MiB.
pub const INTAKE_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Requests with a large body that one sender has under way: one, and those that a bad line has left behind.
pub const SENDER_REQUESTS_MAX: usize = 4;
/// When to come again.
const RETRY_SECONDS: u64 = 2;

const UNIT: usize = 1024;
const _: () = assert!(
    INTAKE_BYTES_MAX >= 8 * limits::REQUEST_BYTES_MAX,
    "one sender does not take it all"
);

type Sender = (UserId, Option<DeviceId>);

/// What bounds large bodies.
#[derive(Debug)]
pub struct Intake {
    bytes: Arc<Semaphore>,
    senders: Arc<Mutex<BTreeMap<Sender, usize>>>,
    patience: Duration,
}

/// A place among the requests of one sender; dropping it gives it back.
#[derive(Debug)]
pub struct Seat {
    senders: Arc<Mutex<BTreeMap<Sender, usize>>>,
    sender: Sender,
}

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Taken {
    /// The body.
    pub bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Intake {
    /// An intake that waits so long for the next bytes of a body.
    pub fn new(patience: Duration) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(INTAKE_BYTES_MAX / UNIT)),
            senders: Arc::default(),
            patience,
        }
    }

    /// A place for one more request of this sender, until it is answered.
    pub fn seat(&self, caller: &Caller) -> Result<Seat, Problem> {
        let sender = (caller.user(), caller.device());
        let mut senders = (self.senders.lock()).expect("nobody panics while holding it");
        let taken = senders.entry(sender).or_default();
        if *taken >= SENDER_REQUESTS_MAX {
            return Err(busy());
        }
        *taken += 1;
        Ok(Seat {
            senders: Arc::clone(&self.senders),
            sender,
        })
    }

    /// A body of at most so many bytes.
    pub async fn take(&self, body: Body, max: usize) -> Result<Taken, Problem> {
        match self.take_what_comes(body, max).await? {
            (taken, None) => Ok(taken),
            (_, Some(cut)) => Err(cut),
        }
    }

    /// What comes of a body of at most so many bytes; and if that is not all, why.
    pub async fn take_what_comes(
        &self,
        body: Body,
        max: usize,
    ) -> Result<(Taken, Option<Problem>), Problem> {
        let mut frames = body.into_data_stream();
        let mut room = self.room(0)?;
        let mut bytes = Vec::new();
        let cut = loop {
            let frame = match tokio::time::timeout(self.patience, frames.next()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => break None,
                Ok(Some(Err(_))) => break Some(Problem::new(Code::Malformed)),
                Err(_) => break Some(Problem::new(Code::Timeout)),
            };
            if bytes.len() + frame.len() > max {
                return Err(Problem::new(Code::TooLarge));
            }
            let (held, needed) = (units(bytes.len()), units(bytes.len() + frame.len()));
            room.merge(self.room(needed - held)?);
            bytes.extend_from_slice(&frame);
        };
        let taken = Taken {
            bytes: bytes.into(),
            _room: room,
        };
        Ok((taken, cut))
    }

    fn room(&self, units: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(units).map_err(|_| busy())?;
        let room = Arc::clone(&self.bytes).try_acquire_many_owned(units);
        room.map_err(|_| busy())
    }
}

/// Whether no list or map in these bytes of CBOR claims more items than any list of a request may have. One pass over their heads, nothing
/// allocated: a list of empty things takes twenty times its bytes in memory.
pub fn counts_are_modest(mut bytes: &[u8]) -> bool {
    while let Some((&first, rest)) = bytes.split_first() {
        let (kind, length) = (first >> 5, first & 0x1F);
        let more = match length {
            0..=23 => 0,
            24..=27 => 1_usize << (length - 24),
            // Without a length nothing of ours is written.
            _ => return false,
        };
        let Some((argument, rest)) = rest.split_at_checked(more) else {
            return false;
        };
        let number = argument.iter().try_fold(0_usize, |number, byte| {
            Some(number.checked_mul(256)? + usize::from(*byte))
        });
        let number = if more == 0 {
            Some(usize::from(length))
        } else {
            number
        };
        let (is_text, is_list) = (matches!(kind, 2 | 3), matches!(kind, 4 | 5));
        let skipped = match number {
            Some(number) if is_text => number,
            None if is_text || is_list => return false,
            Some(number) if is_list && number > limits::REQUEST_CURSORS_MAX => return false,
            Some(_) | None => 0,
        };
        let Some((_, after)) = rest.split_at_checked(skipped) else {
            return false;
        };
        bytes = after;
    }
    true
}

const fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}

fn busy() -> Problem {
    Problem::new(Code::Busy).retry_after(RETRY_SECONDS)
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut senders = (self.senders.lock()).expect("nobody panics while holding it");
        let left = senders.get_mut(&self.sender).map(|taken| {
            *taken -= 1;
            *taken
        });
        if left == Some(0) {
            senders.remove(&self.sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_takes_room_until_it_is_dropped_and_what_does_not_fit_is_told_to_come_again() {
        let intake = Intake::new(Duration::from_secs(30));
        let whole = || Body::from(vec![0; INTAKE_BYTES_MAX]);
        let taken = intake.take(whole(), INTAKE_BYTES_MAX).await.unwrap();
        assert_eq!(taken.bytes.len(), INTAKE_BYTES_MAX);
        assert!(intake.take(Body::from("x"), 1).await.is_err(), "full");
        assert!(intake.take(Body::empty(), 0).await.is_ok());
        drop(taken);
        assert!(intake.take(whole(), INTAKE_BYTES_MAX).await.is_ok());
        assert!(intake.take(Body::from("xy"), 1).await.is_err(), "larger");
        assert!(intake.take(Body::from("xy"), 2).await.is_ok());
    }

    #[test]
    fn lists_of_more_items_than_a_request_has_are_refused_unread() {
        let list =
            |count: u16| [&[0x99][..], &count.to_be_bytes(), &vec![0x40; count.into()]].concat();
        assert!(counts_are_modest(&list(1_024)));
        assert!(counts_are_modest(&[
            0x82, 0x1A, 0xFF, 0xFF, 0xFF, 0xFF, 0x43, 0x9B, 1, 2
        ]));
        assert!(!counts_are_modest(&list(1_025)));
        let within = [&[0x82, 0x01][..], &list(1_025)].concat();
        assert!(!counts_are_modest(&within));
        for cut_short in [
            &[0x9B, 1][..],
            &[0x42, 1],
            &[0x9F, 0xFF],
            &[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            assert!(!counts_are_modest(cut_short), "{cut_short:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up() {
        let intake = Intake::new(Duration::from_millis(5));
        let still = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let failed = intake.take(Body::from_stream(still), 1).await;
        assert_eq!(failed.unwrap_err().code(), Code::Timeout);
    }
}
