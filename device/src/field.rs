//! The device as a library: the state machine with its store, and the session with its server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sync_core::admit::Catalogues;
use sync_core::batch::Position;
use sync_core::catalog::Catalogue;
use sync_core::cbor;
use sync_core::command::Origin;
use sync_core::id::{JournalId, RecordId, Timestamp, UserId};
use sync_core::seal::{Parcel, SealError};
use sync_core::sign::{ENROL_CONTEXT, REFRESH_CONTEXT, SigningKey};
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::{
    CannotSave, Device, Effect, FormId, Identity, Intent, Key, Learned, LyingServer, Saved, World,
    Write,
};
use sync_core::sync::enrol::OneTimeCode;
use sync_core::sync::wire::Outcome;
use sync_core::vault::{Pin, WeakPin};

use crate::server::{
    Deployment, Enrolled, Enrolment, Failure, LogIn, Server, Tokens, refresh_digest,
};
use crate::store::{self, Locked, Refused, Store, StoreError};

const SESSION: &str = "session";
/// An access token is no longer used so long before it ends: the request must still arrive.
const TOKEN_MARGIN_MS: i64 = 60_000;

/// A device: what it holds, where that is kept, and how it is logged in.
#[derive(Debug)]
pub struct Field {
    store: Store,
    device: Device,
    session: Session,
    given_back: u64,
}

/// How the device is logged in, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    server: String,
    tokens: Option<Tokens>,
    /// Until when the access token is used.
    access_until: Option<i64>,
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

/// What a sync brought.
#[derive(Debug, Clone, Default)]
pub struct Synced {
    /// How many commands of this device got their fates.
    pub answered: usize,
    /// How many entries came.
    pub entries: u64,
    /// How many batches carried for others the server took.
    pub delivered: usize,
    /// What is to be shown anew.
    pub changed: BTreeSet<(JournalId, RecordId)>,
    /// Batches that the server could not take now, with its reasons.
    pub held_back: Vec<(JournalId, u64, Outcome)>,
    /// Whether the device must enrol in place.
    pub enrol_again: bool,
    /// Catalogue versions that could not be fetched: it goes on recording under what it has.
    pub missing_catalogues: Vec<u32>,
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
        let (deployment, enrolled, seed) = enrolled(new, server, world.rng)?;
        let Deployment {
            deployment,
            operator,
            ..
        } = deployment;
        let identity = Identity {
            deployment,
            operator,
            user: enrolled.user,
            seed,
        };
        let session = Session {
            server: new.server.clone(),
            tokens: Some(enrolled.tokens),
            access_until: None,
        };
        let identify = [Write::put(Key::Identity, cbor::encode(&identity))];
        store.commit(&identify, &[(SESSION, Some(session.to_bytes()))], world.rng)?;
        Ok(Self {
            store,
            device: Device::new(identity, shipped()),
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
        let session = serde_json::from_slice(&session)
            .map_err(|error| OpenError::Damaged(error.to_string()))?;
        let device = loaded(values)?;
        Ok(Self {
            store,
            device,
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
        let (deployment, enrolled, seed) = enrolled(new, server, world.rng)?;
        let identity = self.device.identity();
        if deployment.deployment != identity.deployment || enrolled.user != identity.user {
            return Err(EnrolError::Other);
        }
        self.session = Session {
            server: new.server.clone(),
            tokens: Some(enrolled.tokens),
            access_until: None,
        };
        let effects = self.device.enrol_in_place(seed);
        let own = [(SESSION, Some(self.session.to_bytes()))];
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
        Ok(self.keep(Some(tokens), world)?)
    }

    /// The state machine, to be read.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.session.server
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
        self.given_back = 0;
        let synced = self.sync_once(server, world);
        let Err(error) = synced else { return synced };
        // A server that was restored may have lost the session too.
        let may_be_behind = match &error {
            SyncError::LoggedOut => true,
            SyncError::Server(failure) => failure.code() == Some("behind_checkpoint"),
            SyncError::Lying(_) | SyncError::Store(_) => false,
        };
        if may_be_behind && self.refill(server).unwrap_or(false) {
            return self.sync_once(server, world);
        }
        Err(error)
    }

    /// Gives back what this device holds of what the server wants, until it can give no more. Whether the server is whole again
    /// by it.
    fn refill(&mut self, server: &mut dyn Server) -> Result<bool, Failure> {
        let mut answer = server.refill(&self.device.give_back(&[]))?;
        while answer.behind && !answer.wanted.is_empty() {
            let next = server.refill(&self.device.give_back(&answer.wanted))?;
            self.given_back += next.taken;
            if next.wanted == answer.wanted {
                return Ok(!next.behind);
            }
            answer = next;
        }
        Ok(!answer.behind)
    }

    /// How many entries the last sync gave back to a server that had lost them.
    pub const fn given_back(&self) -> u64 {
        self.given_back
    }

    fn sync_once(
        &mut self,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<Synced, SyncError> {
        let mut synced = Synced::default();
        let mut stood = self.standing();
        loop {
            let learned = self.exchange(server, world)?;
            let stands = self.standing();
            synced.add(&stood, &stands, &learned);
            self.fetch_catalogues(server, world, &mut synced)?;
            // A server that promises more and brings nothing is not asked again.
            let goes_on = learned.more || stands.positions.keys().ne(stood.positions.keys());
            if !goes_on || stands == stood {
                break;
            }
            stood = stands;
        }
        if let Some(keys) = &self.device.registry().keys {
            let deployment = self.device.identity().deployment;
            self.store.put_card(deployment, &keys.sealing, world.rng)?;
        }
        Ok(synced)
    }

    fn exchange(
        &mut self,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<Learned, SyncError> {
        let effects = self.device.seal(world);
        self.carry_out(&effects, world.rng)?;
        let request = self.device.request();
        let mut access = self.access(server, world)?;
        let mut answered = server.sync(&access, &request);
        if answered
            .as_ref()
            .is_err_and(|failure| failure.code() == Some("unauthenticated"))
        {
            self.session.access_until = None;
            access = self.access(server, world)?;
            answered = server.sync(&access, &request);
        }
        if matches!(answered, Err(Failure::Unreachable(_))) {
            self.device.line_broke();
        }
        let learned = self.device.on_response(world, &answered?)?;
        self.carry_out(&learned.effects, world.rng)?;
        Ok(learned)
    }

    /// An access token, refreshed if need be. The successor of a refresh token is durable before it is used.
    fn access(
        &mut self,
        server: &mut dyn Server,
        world: &mut World<'_>,
    ) -> Result<String, SyncError> {
        let tokens = self.session.tokens.clone().ok_or(SyncError::LoggedOut)?;
        let usable = self
            .session
            .access_until
            .is_some_and(|until| world.now.0 < until);
        if let Some(access) = tokens.access.filter(|_| usable) {
            return Ok(access);
        }
        let digest = refresh_digest(&tokens.refresh);
        let key = SigningKey::from_seed(self.device.identity().seed);
        let proof = key.sign(REFRESH_CONTEXT, self.device.identity().deployment, digest);
        match server.refresh(&tokens.refresh, &proof) {
            Ok(tokens) => {
                let access = tokens.access.clone();
                self.keep(Some(tokens), world)?;
                access.ok_or_else(|| Failure::Unreadable("no access token".to_owned()).into())
            }
            Err(failure) if failure.code() == Some("session_ended") => {
                self.keep(None, world)?;
                Err(SyncError::LoggedOut)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn keep(&mut self, tokens: Option<Tokens>, world: &mut World<'_>) -> Result<(), StoreError> {
        let good_for = tokens
            .as_ref()
            .map(|tokens| i64::from(tokens.access_seconds) * 1000);
        self.session.access_until =
            good_for.map(|good_for| world.now.0 + good_for - TOKEN_MARGIN_MS);
        self.session.tokens = tokens;
        self.store
            .commit(&[], &[(SESSION, Some(self.session.to_bytes()))], world.rng)
    }

    fn fetch_catalogues(
        &mut self,
        server: &mut dyn Server,
        world: &mut World<'_>,
        synced: &mut Synced,
    ) -> Result<(), SyncError> {
        synced.missing_catalogues.clear();
        for version in self.device.missing_catalogues() {
            let access = self.access(server, world)?;
            let learned = match server.catalogue(&access, version) {
                Ok(files) => self.device.learn_catalogue(version, &files).ok(),
                Err(_) => None,
            };
            match learned {
                Some(effects) => self.carry_out(&effects, world.rng)?,
                None => synced.missing_catalogues.push(version),
            }
        }
        Ok(())
    }

    /// What tells progress from standing still.
    fn standing(&self) -> Standing {
        let position = |journal| (journal, self.device.position(journal));
        Standing {
            positions: self.device.journals().into_iter().map(position).collect(),
            unsent: self.device.unsent().values().sum(),
            carries: self.device.carries(),
            settles: self.device.settles(),
        }
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

/// Makes a key and enrols it.
fn enrolled(
    new: &NewDevice,
    server: &mut dyn Server,
    rng: &mut dyn CryptoRng,
) -> Result<(Deployment, Enrolled, [u8; 32]), EnrolError> {
    let code = OneTimeCode::parse(&new.code).ok_or(EnrolError::Code)?;
    let deployment = server.deployment()?;
    if deployment.operator.deployment() != deployment.deployment {
        return Err(EnrolError::Other);
    }
    if deployment.protocol < PROTOCOL {
        return Err(EnrolError::Protocol(deployment.protocol));
    }
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let key = SigningKey::from_seed(seed);
    let proof = key.sign(ENROL_CONTEXT, deployment.deployment, code.digest());
    let (code, label) = (new.code.clone(), new.label.clone());
    let enrolled = server.enrol(&Enrolment {
        code,
        key: key.public(),
        proof,
        label,
    })?;
    if enrolled.device != key.public().device() {
        return Err(EnrolError::Other);
    }
    Ok((deployment, enrolled, seed))
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

impl Session {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Standing {
    positions: BTreeMap<JournalId, Option<Position>>,
    unsent: usize,
    carries: usize,
    /// Until it has settled what it enrolled anew with, it sends nothing.
    settles: bool,
}

impl Synced {
    fn add(&mut self, before: &Standing, after: &Standing, learned: &Learned) {
        self.answered += before.unsent.saturating_sub(after.unsent);
        self.delivered += before.carries.saturating_sub(after.carries);
        for (journal, end) in &after.positions {
            let stood = before.positions.get(journal).copied().flatten();
            let seq = |position: Option<Position>| position.map_or(0, |position| position.seq);
            self.entries += seq(*end).saturating_sub(seq(stood));
        }
        self.changed
            .extend(learned.effects.iter().filter_map(|effect| match effect {
                Effect::Changed(journal, record) => Some((*journal, *record)),
                Effect::Persist(_) | Effect::Repinned(..) => None,
            }));
        self.held_back.clone_from(&learned.held_back);
        self.enrol_again |= learned.enrol_again;
    }
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
