//! The device as a library: the state machine with its store, and the session with its server.

use std::path::Path;

use rand_core::CryptoRng;
use sync_core::admit::Catalogues;
use sync_core::catalog::Catalogue;
use sync_core::cbor;
use sync_core::command::Origin;
use sync_core::id::{JournalId, RecordId, Timestamp, UserId};
use sync_core::seal::{Parcel, SealError};
use sync_core::sync::courier::{Ask, Courier, Ended, Failed, Reply, Session};
use sync_core::sync::device::{
    CannotSave, Device, Effect, FormId, Identity, Intent, Key, LyingServer, Saved, World, Write,
};
use sync_core::sync::enrol::{CannotEnrol, Enrolling, OneTimeCode};
use sync_core::vault::{Pin, WeakPin};

use crate::server::{Enrolment, Failure, LogIn, Server, Tokens};
use crate::store::{self, Locked, Refused, Store, StoreError};

pub use sync_core::sync::rounds::Synced;

const SESSION: &str = "session";

/// A device: what it holds, where that is kept, and how it is logged in.
#[derive(Debug)]
pub struct Field {
    store: Store,
    device: Device,
    server: String,
    session: Session,
    given_back: u64,
}

/// What a person brings to enrol a device.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The server's URL.
    pub server: String,
    /// The one-time code from an administrator.
    pub code: String,
    /// What he calls the device.
    pub label: String,
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The code has other symbols or another length than a code.
    #[error("not a one-time code")]
    Code,
    /// The PIN may not be chosen.
    #[error(transparent)]
    Pin(#[from] WeakPin),
    /// The store here does not open.
    #[error(transparent)]
    Locked(#[from] Refused),
    /// The store here belongs to an enrolled device already.
    #[error("this device is enrolled already")]
    Already,
    /// The server is of another deployment, or another person's code was given.
    #[error("the code belongs to another person or another deployment")]
    Other,
    /// The server speaks another version of the protocol.
    #[error("the server speaks protocol {0}")]
    Protocol(u16),
    /// The server says no, or nothing.
    #[error(transparent)]
    Server(#[from] Failure),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CannotEnrol> for EnrolError {
    fn from(cannot: CannotEnrol) -> Self {
        match cannot {
            CannotEnrol::Code => Self::Code,
            CannotEnrol::Other => Self::Other,
            CannotEnrol::Protocol(protocol) => Self::Protocol(protocol),
        }
    }
}

/// Why a store does not open as a device.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The PIN or the store says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No device was enrolled here.
    #[error("no device is enrolled here")]
    NotEnrolled,
    /// What the store holds is not what this device wrote.
    #[error("{0}")]
    Damaged(String),
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It would not count, or there is nothing to save it to.
    #[error(transparent)]
    Cannot(#[from] CannotSave),
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a sync ended early. What was exchanged before stays.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Nobody is logged in on this device: log in again. What is on it stays.
    #[error("log in again")]
    LoggedOut,
    /// The server says no, or nothing.
    #[error(transparent)]
    Server(#[from] Failure),
    /// What the server says contradicts what was verified before.
    #[error(transparent)]
    Lying(#[from] LyingServer),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a parcel was neither made nor taken along.
#[derive(Debug, thiserror::Error)]
pub enum ParcelError {
    /// It cannot be sealed or read.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is for another deployment's server.
    #[error("a parcel for another server")]
    Elsewhere,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn shipped() -> Catalogues {
    let catalogue = Catalogue::builtin();
    [(catalogue.version(), catalogue)].into_iter().collect()
}

impl Field {
    /// Enrols this folder as a new device.
    pub fn enrol(
        folder: &Path,
        pin: &Pin,
        new: &NewDevice,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<Self, EnrolError> {
        if OneTimeCode::parse(&new.code).is_none() {
            return Err(EnrolError::Code);
        }
        // The store comes first: a disk that takes nothing uses up no code.
        let store = if store::exists(folder) {
            Locked::open(folder)?
                .unlock(pin)
                .map_err(|(_, refused)| refused)?
        } else {
            pin.check()?;
            Store::create(folder, pin, world.rng)?
        };
        if store.load()?.iter().any(|(key, _)| *key == Key::Identity) {
            return Err(EnrolError::Already);
        }
        let (identity, tokens) = enrolled(new, server, None, world.rng)?;
        let (server, session) = (new.server.clone(), Session::begun(tokens, world.now));
        let identify = [Write::put(Key::Identity, cbor::encode(&identity))];
        let logged_in = session_bytes(&server, &session);
        store.commit(&identify, &[(SESSION, Some(logged_in))], world.rng)?;
        Ok(Self {
            store,
            device: Device::new(identity, shipped()),
            server,
            session,
            given_back: 0,
        })
    }

    /// The device of a store whose PIN was given.
    pub fn open(store: Store) -> Result<Self, OpenError> {
        let values = store.load().map_err(Refused::from)?;
        let session = store
            .own(SESSION)
            .map_err(Refused::from)?
            .ok_or(OpenError::NotEnrolled)?;
        let (server, session) =
            cbor::decode(&session).map_err(|error| OpenError::Damaged(error.to_string()))?;
        let device = loaded(values)?;
        Ok(Self {
            store,
            device,
            server,
            session,
            given_back: 0,
        })
    }

    /// Enrols anew in place: a new key, and everything else as it was. What has no receipt is offered again under the new key.
    pub fn enrol_in_place(
        &mut self,
        new: &NewDevice,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<(), EnrolError> {
        let present = Some(self.device.identity());
        let (identity, tokens) = enrolled(new, server, present, world.rng)?;
        self.server.clone_from(&new.server);
        self.session = Session::begun(tokens, world.now);
        let effects = self.device.enrol_in_place(identity.seed);
        let own = [(SESSION, Some(session_bytes(&self.server, &self.session)))];
        let kept = self.store.commit(&writes(&effects), &own, world.rng);
        self.after(kept)?;
        Ok(())
    }

    /// Begins a session again by user name and password.
    pub fn log_in(
        &mut self,
        user_name: &str,
        password: &str,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<(), SyncError> {
        let device = self.device.id();
        let log_in = LogIn {
            user_name: user_name.to_owned(),
            password: password.to_owned(),
            device,
        };
        let tokens = server.log_in(&log_in)?;
        self.session = Session::begun(tokens, world.now);
        Ok(self.keep_session(world)?)
    }

    /// The state machine, to be read.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Opens a form: see [`Device::open_form`].
    pub fn open_form(&mut self, journal: JournalId, record: Option<RecordId>) -> FormId {
        self.device.open_form(journal, record)
    }

    /// Closes a form without saving.
    pub fn close_form(&mut self, form: FormId) {
        self.device.close_form(form);
    }

    /// Saves what a person asked for. When it returns, it is durable.
    pub fn save(
        &mut self,
        world: &mut World<'_>,
        journal: JournalId,
        form: Option<FormId>,
        intent: Intent,
    ) -> Result<Saved, SaveError> {
        let saved = self.device.save(world, journal, form, intent)?;
        self.carry_out(&saved.effects, world.rng)?;
        Ok(saved)
    }

    /// Saves several things that a person asked for, each by itself: what cannot be saved keeps no other from it. When it returns,
    /// what was saved is durable; if that fails, nothing of it is.
    pub fn save_each(
        &mut self,
        world: &mut World<'_>,
        intents: impl IntoIterator<Item = (JournalId, Intent)>,
    ) -> Result<Vec<Result<RecordId, CannotSave>>, StoreError> {
        let mut effects = Vec::new();
        let mut saved = Vec::new();
        for (journal, intent) in intents {
            let one = self.device.save(world, journal, None, intent);
            saved.push(one.map(|one| {
                effects.extend(one.effects);
                one.record
            }));
        }
        self.carry_out(&effects, world.rng)?;
        Ok(saved)
    }

    /// Offers again a command that was refused or without effect.
    pub fn offer_again(
        &mut self,
        world: &mut World<'_>,
        origin: Origin,
    ) -> Result<Saved, SaveError> {
        let saved = self.device.offer_again(world, origin)?;
        self.carry_out(&saved.effects, world.rng)?;
        Ok(saved)
    }

    /// Leaves such a command aside: it is not asked about again.
    pub fn leave_aside(&mut self, world: &mut World<'_>, origin: Origin) -> Result<(), StoreError> {
        let effects = self.device.leave_aside(origin);
        self.carry_out(&effects, world.rng)
    }

    /// Seals what is pending and packs what has no receipt, so that anybody can carry it; `None` if nothing waits.
    pub fn export(&mut self, world: &mut World<'_>) -> Result<Option<Parcel>, ParcelError> {
        let effects = self.device.seal(world);
        self.carry_out(&effects, world.rng)?;
        let parcel = self.device.export(world)?;
        Ok((parcel.sealed().count() > 0).then_some(parcel))
    }

    /// Takes a teammate's parcel along: how many batches it brings.
    pub fn carry(&mut self, world: &mut World<'_>, bytes: &[u8]) -> Result<usize, ParcelError> {
        let parcel = Parcel::from_bytes(bytes)?;
        if parcel.deployment() != self.device.identity().deployment {
            return Err(ParcelError::Elsewhere);
        }
        let effects = self.device.carry(&parcel);
        self.carry_out(&effects, world.rng)?;
        Ok(parcel.sealed().count())
    }

    /// Gives the store another PIN; the old one is asked for first.
    pub fn change_pin(
        &mut self,
        old: &Pin,
        new: &Pin,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), EnrolError> {
        new.check()?;
        self.store.check_pin(old)?;
        Ok(self.store.change_pin(new, rng)?)
    }

    /// Syncs until there is nothing more to bring or to take. A server that lost what it had signed is given back what this
    /// device holds of it.
    pub fn sync(
        &mut self,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<Synced, SyncError> {
        let mut courier = Courier::new(&self.device);
        let mut failure = None;
        loop {
            let (effects, ask) = courier.ask(&mut self.device, &self.session, world);
            self.carry_out(&effects, world.rng)?;
            let Some(ask) = ask else { break };
            // That a server takes nothing back is no news beside why it was offered.
            let is_news = !matches!(ask, Ask::Refill { .. });
            let reply = put(server, ask).unwrap_or_else(|(failed, why)| {
                if is_news {
                    failure = Some(why);
                }
                Reply::Failed(failed)
            });
            let answered = courier.answer(&mut self.device, &mut self.session, world, reply);
            if answered.session_changed {
                self.keep_session(world)?;
            }
            self.carry_out(&answered.effects, world.rng)?;
        }
        self.given_back = courier.given_back();
        self.store.put_card(&self.device, world.rng)?;
        let (synced, ended) = courier.end();
        match ended {
            None => Ok(synced),
            Some(Ended::LoggedOut) => Err(SyncError::LoggedOut),
            Some(Ended::Lying(lying)) => Err(lying.into()),
            Some(Ended::Failed(_)) => Err(failure
                .unwrap_or_else(|| Failure::Unreadable("no access token".to_owned()))
                .into()),
        }
    }

    /// How many entries the last sync gave back to a server that had lost them.
    pub const fn given_back(&self) -> u64 {
        self.given_back
    }

    fn keep_session(&self, world: &mut World<'_>) -> Result<(), StoreError> {
        let bytes = session_bytes(&self.server, &self.session);
        self.store.commit(&[], &[(SESSION, Some(bytes))], world.rng)
    }

    /// Makes effects durable. If that fails, the device goes back to what is on disk.
    fn carry_out(&mut self, effects: &[Effect], rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let kept = self.store.commit(&writes(effects), &[], rng);
        self.after(kept)
    }

    fn after(&mut self, kept: Result<(), StoreError>) -> Result<(), StoreError> {
        if kept.is_err()
            && let Ok(values) = self.store.load()
            && let Ok(device) = loaded(values)
        {
            self.device = device;
        }
        kept
    }
}

/// Makes a key and enrols it. `present` is who the device was, if it enrols anew in place.
fn enrolled(
    new: &NewDevice,
    server: &mut dyn Server,
    present: Option<&Identity>,
    rng: &mut dyn CryptoRng,
) -> Result<(Identity, Tokens), EnrolError> {
    OneTimeCode::parse(&new.code).ok_or(EnrolError::Code)?;
    let enrolling = Enrolling::begin(&new.code, server.deployment()?, rng)?;
    let (code, label) = (new.code.clone(), new.label.clone());
    let enrolled = server.enrol(&Enrolment {
        code,
        key: enrolling.key(),
        proof: enrolling.proof(),
        label,
    })?;
    let identity = enrolling.end(enrolled.device, enrolled.user, present)?;
    Ok((identity, enrolled.tokens))
}

fn loaded(values: Vec<(Key, Vec<u8>)>) -> Result<Device, OpenError> {
    let damaged = |why: String| OpenError::Damaged(why);
    let identity = values.iter().find(|(key, _)| *key == Key::Identity);
    let (_, identity) = identity.ok_or(OpenError::NotEnrolled)?;
    let identity = cbor::decode(identity).map_err(|error| damaged(error.to_string()))?;
    Device::load(identity, shipped(), values).map_err(|error| damaged(error.to_string()))
}

fn writes(effects: &[Effect]) -> Vec<Write> {
    let persisted = effects.iter().filter_map(|effect| match effect {
        Effect::Persist(writes) => Some(writes),
        Effect::Changed(..) | Effect::Repinned(..) => None,
    });
    persisted.flatten().cloned().collect()
}

fn session_bytes(server: &str, session: &Session) -> Vec<u8> {
    cbor::encode(&(server, session))
}

/// Puts a question to the server. What it says no by, for the courier and for the person.
fn put(server: &mut dyn Server, ask: Ask) -> Result<Reply, (Failed, Failure)> {
    let reply = match ask {
        Ask::Refresh { token, proof } => server.refresh(&token, &proof).map(Reply::Refreshed),
        Ask::Sync { access, request } => {
            let answered = server.sync(&access, &request);
            answered.map(|response| Reply::Synced(Box::new(response)))
        }
        Ask::Catalogue { access, version } => {
            server.catalogue(&access, version).map(Reply::Catalogue)
        }
        Ask::Refill { request } => server.refill(&request).map(Reply::Refilled),
    };
    reply.map_err(|failure| {
        let failed = match &failure {
            Failure::Unreachable(_) => Failed::Unreachable,
            Failure::Problem(problem) => Failed::Refused(problem.code.clone()),
            Failure::Unreadable(_) => Failed::Unreadable,
        };
        (failed, failure)
    })
}

impl Field {
    /// Whose device it is.
    pub fn user(&self) -> UserId {
        self.device.identity().user
    }

    /// The catalogue that forms follow now.
    pub fn catalogue(&self, now: Timestamp) -> Option<&Catalogue> {
        self.device.catalogues().get(&self.device.catalogue(now)?)
    }
}
