//! A sync, step by step, without a network: what to ask of the server next, and what follows from its answer.
//!
//! The shell carries the questions and makes effects durable before it goes on:
//!
//! ```text
//! loop { ask ──► effects durable ──► HTTP ──► answer ──► effects durable }   until there is nothing more to ask
//! ```

use minicbor::{Decode, Encode};

use super::device::{Device, Effect, LyingServer, World};
use super::refill::{RefillResponse, SignedRefill, Wanted};
use super::rounds::{Rounds, Synced};
use super::wire::{SyncRequest, SyncResponse};
use crate::catalog::{Catalogue, SourceFile};
use crate::id::{Digest, Timestamp, sha256};
use crate::sign::{REFRESH_CONTEXT, Signature, SigningKey};

/// An access token is no longer used so long before it ends: the request must still arrive.
const TOKEN_MARGIN_MS: i64 = 60_000;

/// What keeps a device logged in. Never printed.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Tokens {
    /// Goes with each request; absent until the session was refreshed for the first time.
    #[n(0)]
    pub access: Option<String>,
    /// How long the access token is good for, in seconds.
    #[n(1)]
    pub access_seconds: u32,
    /// Gives the next pair.
    #[n(2)]
    pub refresh: String,
}

impl core::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tokens(<secret>)")
    }
}

/// How a device is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Session {
    #[n(0)]
    tokens: Option<Tokens>,
    /// Until when the access token is used.
    #[n(1)]
    access_until: Option<Timestamp>,
}

impl Session {
    /// A session that has just begun or been continued.
    pub fn begun(tokens: Tokens, now: Timestamp) -> Self {
        let good_for = i64::from(tokens.access_seconds) * 1000 - TOKEN_MARGIN_MS;
        Self {
            tokens: Some(tokens),
            access_until: Some(now.plus_ms(good_for)),
        }
    }

    /// Whether its person must log in again.
    pub const fn is_ended(&self) -> bool {
        self.tokens.is_none()
    }

    /// What goes with a request now; nothing while it is not known, or would end before the request arrives.
    pub fn access(&self, now: Timestamp) -> Option<&str> {
        let usable = self.access_until.is_some_and(|until| now < until);
        let access = self.tokens.as_ref()?.access.as_deref();
        access.filter(|_| usable)
    }
}

/// What a device signs to continue its session.
pub fn refresh_digest(refresh_token: &str) -> Digest {
    sha256(&[refresh_token.as_bytes()])
}

/// What to ask of the server.
#[derive(Debug)]
pub enum Ask {
    /// The next pair of tokens.
    Refresh {
        /// The token that gives it.
        token: String,
        /// The device's signature over it.
        proof: Signature,
    },
    /// An exchange.
    Sync {
        /// The access token.
        access: String,
        /// The request.
        request: SyncRequest,
    },
    /// The files of a published catalogue version.
    Catalogue {
        /// The access token.
        access: String,
        /// The version.
        version: u32,
    },
    /// To take back what it lost; no session is needed.
    Refill {
        /// What is given.
        request: SignedRefill,
    },
}

/// What the server says.
#[derive(Debug)]
pub enum Reply {
    /// To [`Ask::Refresh`].
    Refreshed(Tokens),
    /// To [`Ask::Sync`].
    Synced(Box<SyncResponse>),
    /// To [`Ask::Catalogue`].
    Catalogue(Vec<SourceFile>),
    /// To [`Ask::Refill`].
    Refilled(RefillResponse),
    /// No, or nothing.
    Failed(Failed),
}

/// Why an answer brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// No answer: no network, no server, or the line broke.
    Unreachable,
    /// The server says no, by its code.
    Refused(String),
    /// An answer that is none of this protocol.
    Unreadable,
}

/// Why a sync ended early. What was exchanged before stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Nobody is logged in on this device: log in again. What is on it stays.
    LoggedOut,
    /// The server says no, or nothing.
    Failed(Failed),
    /// What the server says contradicts what was verified before.
    Lying(LyingServer),
}

/// What follows from an answer: to be made durable before anything else is asked.
#[derive(Debug, Default)]
#[must_use]
pub struct Answered {
    /// The device's effects.
    pub effects: Vec<Effect>,
    /// Whether the session is another one now. The successor of a refresh token is durable before it is used.
    pub session_changed: bool,
}

#[derive(Debug)]
enum Step {
    Exchange,
    /// Published catalogue versions are fetched; then it goes on, or not.
    Catalogues {
        left: Vec<u32>,
        goes_on: bool,
    },
    /// A server that lost what it had signed is given back what this device holds of it.
    Refill {
        wanted: Vec<Wanted>,
        why: Ended,
    },
    Done(Option<Ended>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Refresh,
    Sync,
    Catalogue(u32),
    Refill,
}

/// One sync.
#[derive(Debug)]
pub struct Courier {
    rounds: Rounds,
    step: Step,
    asked: Asked,
    /// The server did not take an access token in this exchange, and another one was fetched.
    asked_anew: bool,
    may_refill: bool,
    missing: Vec<u32>,
    given_back: u64,
}

impl Courier {
    /// Sets out.
    pub fn new(device: &Device) -> Self {
        Self {
            rounds: Rounds::begin(device),
            step: Step::Exchange,
            asked: Asked::Nothing,
            asked_anew: false,
            may_refill: true,
            missing: Vec::new(),
            given_back: 0,
        }
    }

    /// What to make durable, and what to ask of the server then; nothing, when the sync is over.
    pub fn ask(
        &mut self,
        device: &mut Device,
        session: &Session,
        world: &mut World<'_>,
    ) -> (Vec<Effect>, Option<Ask>) {
        if let Step::Refill { wanted, .. } = &self.step {
            self.asked = Asked::Refill;
            let request = device.give_back(wanted);
            return (Vec::new(), Some(Ask::Refill { request }));
        }
        let (effects, version) = match &self.step {
            Step::Exchange => (device.seal(world), None),
            Step::Catalogues { left, .. } => (Vec::new(), left.last().copied()),
            Step::Refill { .. } | Step::Done(_) => return (Vec::new(), None),
        };
        let Some(tokens) = &session.tokens else {
            self.end_early(Ended::LoggedOut);
            let (_, ask) = self.ask(device, session, world);
            return (effects, ask);
        };
        let Some(access) = session.access(world.now).map(str::to_owned) else {
            self.asked = Asked::Refresh;
            let token = tokens.refresh.clone();
            let identity = device.identity();
            let key = SigningKey::from_seed(identity.seed);
            let digest = refresh_digest(&token);
            let proof = key.sign(REFRESH_CONTEXT, identity.deployment, digest);
            return (effects, Some(Ask::Refresh { token, proof }));
        };
        let ask = if let Some(version) = version {
            self.asked = Asked::Catalogue(version);
            Ask::Catalogue { access, version }
        } else {
            self.asked = Asked::Sync;
            let request = device.request();
            Ask::Sync { access, request }
        };
        (effects, Some(ask))
    }

    /// Takes an answer in.
    pub fn answer(
        &mut self,
        device: &mut Device,
        session: &mut Session,
        world: &mut World<'_>,
        reply: Reply,
    ) -> Answered {
        let asked = core::mem::replace(&mut self.asked, Asked::Nothing);
        match (asked, reply) {
            (Asked::Refresh, Reply::Refreshed(tokens)) => {
                if tokens.access.is_none() {
                    self.end_early(Ended::Failed(Failed::Unreadable));
                }
                *session = Session::begun(tokens, world.now);
                session_changed()
            }
            (Asked::Refresh, Reply::Failed(Failed::Refused(code))) if code == "session_ended" => {
                *session = Session::default();
                self.end_early(Ended::LoggedOut);
                session_changed()
            }
            (Asked::Refresh | Asked::Sync, Reply::Failed(Failed::Refused(code)))
                if code == "device_unusable" =>
            {
                self.rounds.must_enrol();
                self.end_early(Ended::Failed(Failed::Refused(code)));
                Answered {
                    effects: device.put_out_of_use(),
                    session_changed: false,
                }
            }
            (Asked::Sync, Reply::Synced(response)) => match device.on_response(world, &response) {
                Ok(learned) => {
                    self.asked_anew = false;
                    let goes_on = self.rounds.took(device, &learned);
                    let mut left = device.missing_catalogues();
                    left.reverse();
                    self.missing.clear();
                    self.step = Step::Catalogues { left, goes_on };
                    self.after_catalogues();
                    Answered {
                        effects: learned.effects,
                        session_changed: false,
                    }
                }
                Err(lying) => {
                    self.end_early(Ended::Lying(lying));
                    Answered::default()
                }
            },
            (Asked::Sync, Reply::Failed(Failed::Refused(code)))
                if code == "unauthenticated" && !self.asked_anew =>
            {
                self.asked_anew = true;
                session.access_until = None;
                Answered::default()
            }
            (Asked::Sync, Reply::Failed(failed)) => {
                if failed == Failed::Unreachable {
                    device.line_broke();
                }
                self.end_early(Ended::Failed(failed));
                Answered::default()
            }
            (Asked::Catalogue(version), Reply::Catalogue(files)) => {
                let catalogue = Catalogue::parse(&files).ok();
                let learned =
                    catalogue.and_then(|catalogue| device.learn_catalogue(version, catalogue).ok());
                self.fetched(version, learned.is_some());
                Answered {
                    effects: learned.unwrap_or_default(),
                    session_changed: false,
                }
            }
            (Asked::Catalogue(version), _) => {
                self.fetched(version, false);
                Answered::default()
            }
            (Asked::Refill, Reply::Refilled(answer)) => {
                self.refilled(device, answer);
                Answered::default()
            }
            (Asked::Refill, _) => {
                self.give_up_refilling();
                Answered::default()
            }
            (_, Reply::Failed(failed)) => {
                self.end_early(Ended::Failed(failed));
                Answered::default()
            }
            // The shell answered another question than was asked.
            (Asked::Nothing | Asked::Refresh | Asked::Sync, _) => {
                self.end_early(Ended::Failed(Failed::Unreadable));
                Answered::default()
            }
        }
    }

    fn fetched(&mut self, version: u32, learned: bool) {
        if !learned {
            self.missing.push(version);
        }
        if let Step::Catalogues { left, .. } = &mut self.step {
            left.pop();
        }
        self.after_catalogues();
    }

    fn after_catalogues(&mut self) {
        if let Step::Catalogues { left, goes_on } = &self.step
            && left.is_empty()
        {
            let goes_on = *goes_on;
            self.rounds.lacks_catalogues(self.missing.clone());
            self.step = if goes_on {
                Step::Exchange
            } else {
                Step::Done(None)
            };
        }
    }

    fn end_early(&mut self, why: Ended) {
        // A server that was restored may have lost the session, too.
        let may_be_behind = match &why {
            Ended::LoggedOut => true,
            Ended::Failed(Failed::Refused(code)) => code == "behind_checkpoint",
            Ended::Failed(Failed::Unreachable | Failed::Unreadable) | Ended::Lying(_) => false,
        };
        self.step = if may_be_behind && self.may_refill {
            self.may_refill = false;
            let wanted = Vec::new();
            Step::Refill { wanted, why }
        } else {
            Step::Done(Some(why))
        };
    }

    /// A server that is whole again is synced with from the start; one that wants the same again, or nothing, is left.
    fn refilled(&mut self, device: &Device, answer: RefillResponse) {
        self.given_back += answer.taken;
        if !answer.behind {
            self.rounds = Rounds::begin(device);
            self.step = Step::Exchange;
            return;
        }
        match &mut self.step {
            Step::Refill { wanted, .. }
                if !answer.wanted.is_empty() && *wanted != answer.wanted =>
            {
                *wanted = answer.wanted;
            }
            _ => self.give_up_refilling(),
        }
    }

    fn give_up_refilling(&mut self) {
        let step = core::mem::replace(&mut self.step, Step::Done(None));
        self.step = match step {
            Step::Refill { why, .. } => Step::Done(Some(why)),
            other => other,
        };
    }

    /// What it brought, also when it ended early; and why it did.
    pub fn end(self) -> (Synced, Option<Ended>) {
        let ended = match self.step {
            Step::Done(ended) => ended,
            Step::Exchange | Step::Catalogues { .. } | Step::Refill { .. } => None,
        };
        (self.rounds.end(), ended)
    }

    /// How many entries were given back to a server that had lost them.
    pub const fn given_back(&self) -> u64 {
        self.given_back
    }
}

const fn session_changed() -> Answered {
    Answered {
        effects: Vec::new(),
        session_changed: true,
    }
}
