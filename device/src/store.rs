//! The store: one crash-safe file in which everything is sealed, and the device's secret beside it.
//!
//! One table of names and sealed bytes. [`Store::commit`] is one transaction that is durable (fsync) when it returns, all or
//! none. Every value is sealed under its own name, so that none can be put in another's place; the names themselves are in the
//! clear and tell how many entries and commands there are.
//!
//! # Residual risk
//!
//! The device's secret is a file that only its owner may read. Whoever reads it and the store can try PINs without being counted
//! (see [`sync_core::vault`]); a key store of the operating system would be the better place.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use sync_core::safe::{self, CARD, NotRescued, Safe, Stored, Unopened, VAULT};
use sync_core::seal::Parcel;
use sync_core::sync::device::{Device, Key, Write};
use sync_core::vault::{DeviceSecret, Pin, PinCost, UnlockError, VaultState};

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("zhucun");
const STORE_FILE: &str = "store.redb";
/// A store that is being made.
const DRAFT_FILE: &str = "store.draft";
const SECRET_FILE: &str = "device.secret";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store here.
    #[error("there is no store in {0}")]
    Missing(PathBuf),
    /// There is a store here already.
    #[error("there is a store in {0} already")]
    Occupied(PathBuf),
    /// Another process has it open.
    #[error("another process has the store open")]
    InUse,
    /// The file or the disk fails.
    #[error("the store fails: {0}")]
    Failed(String),
    /// A value does not open: it was changed, moved, or written by a later version.
    #[error("the value {0} does not open")]
    Damaged(String),
}

impl StoreError {
    fn failed(error: impl std::error::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Unopened> for StoreError {
    fn from(Unopened(name): Unopened) -> Self {
        Self::Damaged(name)
    }
}

impl From<NotRescued> for StoreError {
    fn from(error: NotRescued) -> Self {
        match error {
            NotRescued::Unopened(unopened) => unopened.into(),
            NotRescued::Seal(error) => Self::failed(error),
        }
    }
}

/// Makes a folder and those above it that are missing, and returns once their names are durable.
fn make_folder(folder: &Path) -> io::Result<()> {
    let whole = std::path::absolute(folder)?;
    let missing: Vec<&Path> = whole
        .ancestors()
        .take_while(|above| !above.is_dir())
        .collect();
    // Each before the next: if this is cut short, only the last of those that are there may have a name that is not durable.
    let there = whole.ancestors().nth(missing.len() + 1);
    match there.map_or(Ok(()), make_names_durable) {
        // What may not be read is somebody else's.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    for made in missing.into_iter().rev() {
        fs::create_dir(made)?;
        made.parent().map_or(Ok(()), make_names_durable)?;
    }
    Ok(())
}

/// Returns once the names in a folder are durable.
fn make_names_durable(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()
    } else {
        // Elsewhere a folder is no file that could be synced.
        Ok(())
    }
}

fn write_secret(path: &Path, secret: &DeviceSecret) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()
}

fn read_secret(path: &Path) -> Result<DeviceSecret, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::failed)?;
    let bytes = bytes
        .try_into()
        .map_err(|_| StoreError::Damaged(SECRET_FILE.to_owned()))?;
    Ok(DeviceSecret::from_bytes(bytes))
}

/// The file, and what opens the outbox.
#[derive(Debug)]
struct File {
    database: Database,
    secret: DeviceSecret,
}

impl File {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let reading = self.database.begin_read().map_err(StoreError::failed)?;
        let table = reading.open_table(TABLE).map_err(StoreError::failed)?;
        let value = table.get(name).map_err(StoreError::failed)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn all(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let reading = self.database.begin_read().map_err(StoreError::failed)?;
        let table = reading.open_table(TABLE).map_err(StoreError::failed)?;
        let rows = table.iter().map_err(StoreError::failed)?;
        let row = |row: Result<_, redb::StorageError>| {
            let (name, value): (redb::AccessGuard<'_, &str>, redb::AccessGuard<'_, &[u8]>) =
                row.map_err(StoreError::failed)?;
            Ok((name.value().to_owned(), value.value().to_vec()))
        };
        rows.map(row).collect()
    }

    /// Writes in order, all or none; durable when it returns.
    fn put(&self, values: &[Stored]) -> Result<(), StoreError> {
        let writing = self.database.begin_write().map_err(StoreError::failed)?;
        {
            let mut table = writing.open_table(TABLE).map_err(StoreError::failed)?;
            for (name, value) in values {
                match value {
                    Some(value) => table.insert(name.as_str(), value.as_slice()).map(|_| ()),
                    None => table.remove(name.as_str()).map(|_| ()),
                }
                .map_err(StoreError::failed)?;
            }
        }
        writing.commit().map_err(StoreError::failed)
    }

    fn put_state(&self, state: &VaultState) -> Result<(), StoreError> {
        self.put(&[(VAULT.to_owned(), Some(state.to_cbor()))])
    }
}

/// A store whose PIN has not been given.
#[derive(Debug)]
pub struct Locked {
    file: File,
    state: VaultState,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    file: File,
    safe: Safe,
}

/// Whether there is a store in a folder.
pub fn exists(folder: &Path) -> bool {
    folder.join(STORE_FILE).exists()
}

/// Why a PIN did not open the store.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The PIN, or the vault, says no.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Locked {
    /// The store in a folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        if !exists(folder) {
            return Err(StoreError::Missing(folder.to_owned()));
        }
        // Whoever made it may have been killed just before that.
        make_names_durable(folder).map_err(StoreError::failed)?;
        let database = Database::open(folder.join(STORE_FILE)).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
            other => StoreError::failed(other),
        })?;
        let file = File {
            database,
            secret: read_secret(&folder.join(SECRET_FILE))?,
        };
        let state = file
            .get(VAULT)?
            .ok_or_else(|| StoreError::Damaged(VAULT.to_owned()))?;
        let state =
            VaultState::from_cbor(&state).map_err(|_| StoreError::Damaged(VAULT.to_owned()))?;
        Ok(Self { file, state })
    }

    /// Whether no device was enrolled in it yet.
    pub fn is_fresh(&self) -> Result<bool, StoreError> {
        Ok(self.file.get(&Key::Identity.name())?.is_none())
    }

    /// How many more PINs may be wrong.
    pub const fn tries_left(&self) -> u32 {
        self.state.tries_left()
    }

    /// Opens it, if the PIN is right. The try is counted durably before it is made.
    pub fn unlock(self, pin: &Pin) -> Result<Store, (Self, Refused)> {
        let Self { file, state } = self;
        let attempt = match state.begin(&file.secret) {
            Ok(attempt) => attempt,
            Err(error) => return Err((Self { file, state }, error.into())),
        };
        if let Err(error) = file.put_state(attempt.state()) {
            return Err((Self { file, state }, error.into()));
        }
        let (state, unlocked) = attempt.unlock(pin);
        let kept = file.put_state(&state);
        match (kept, unlocked) {
            (Ok(()), Ok(vault)) => {
                let safe = Safe::new(vault, &file.secret);
                Ok(Store { file, safe })
            }
            (Ok(()), Err(error)) => Err((Self { file, state }, error.into())),
            (Err(error), _) => Err((Self { file, state }, error.into())),
        }
    }

    /// What was sealed and not yet received, as a parcel that anybody can carry: what a phone whose PIN is lost still hands over.
    /// None if nothing waits.
    pub fn rescue(&self, rng: &mut dyn CryptoRng) -> Result<Option<Parcel>, StoreError> {
        let card = self.file.get(CARD)?;
        let values = self.file.all()?;
        Ok(safe::rescue(
            &self.file.secret,
            card.as_deref(),
            values,
            rng,
        )?)
    }
}

impl Store {
    /// Makes a new store in a folder, whole or not at all; durable when it returns.
    pub fn create(folder: &Path, pin: &Pin, rng: &mut dyn CryptoRng) -> Result<Self, StoreError> {
        if exists(folder) {
            return Err(StoreError::Occupied(folder.to_owned()));
        }
        make_folder(folder).map_err(StoreError::failed)?;
        let secret = DeviceSecret::generate(rng);
        write_secret(&folder.join(SECRET_FILE), &secret).map_err(StoreError::failed)?;
        let (state, vault) = VaultState::create(pin, &secret, PinCost::USUAL, rng);
        let (draft, store) = (folder.join(DRAFT_FILE), folder.join(STORE_FILE));
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::failed(error));
            }
            _ => {}
        }
        let database = Database::create(&draft).map_err(StoreError::failed)?;
        let safe = Safe::new(vault, &secret);
        let file = File { database, secret };
        file.put_state(&state)?;
        fs::rename(&draft, &store).map_err(StoreError::failed)?;
        make_names_durable(folder).map_err(StoreError::failed)?;
        Ok(Self { file, safe })
    }

    /// Everything that the device keeps, opened.
    pub fn load(&self) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        Ok(self.safe.open(self.file.all()?)?)
    }

    /// Makes writes durable, all or none: the device's, in their order, and the shell's own values.
    pub fn commit(
        &self,
        writes: &[Write],
        own: &[(&str, Option<Vec<u8>>)],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let mut values = self.safe.seal(writes, rng);
        for (name, value) in own {
            values.push(self.safe.seal_own(name, value.as_deref(), rng));
        }
        if values.is_empty() {
            Ok(())
        } else {
            self.file.put(&values)
        }
    }

    /// One of the shell's own values.
    pub fn own(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(sealed) = self.file.get(&safe::own_name(name))? else {
            return Ok(None);
        };
        Ok(Some(self.safe.open_own(name, &sealed)?))
    }

    /// Notes where sealed batches can go if the PIN is lost, as far as the device knows.
    pub fn put_card(&self, device: &Device, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let kept = self.file.get(CARD)?;
        match self.safe.card(device, kept.as_deref(), rng) {
            Some(card) => self.file.put(&[card]),
            None => Ok(()),
        }
    }

    /// Checks a PIN as [`Locked::unlock`] does, counted.
    pub fn check_pin(&self, pin: &Pin) -> Result<(), Refused> {
        let state = self
            .file
            .get(VAULT)?
            .ok_or_else(|| StoreError::Damaged(VAULT.to_owned()))?;
        let state =
            VaultState::from_cbor(&state).map_err(|_| StoreError::Damaged(VAULT.to_owned()))?;
        let attempt = state.begin(&self.file.secret)?;
        self.file.put_state(attempt.state())?;
        let (state, unlocked) = attempt.unlock(pin);
        self.file.put_state(&state)?;
        unlocked?;
        Ok(())
    }

    /// Gives the store another PIN.
    pub fn change_pin(&self, pin: &Pin, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let state = self.safe.rewrap(pin, &self.file.secret, rng);
        self.file.put_state(&state)
    }
}

#[cfg(test)]
mod tests {
    use sync_core::id::{Digest, JournalId, Timestamp};
    use sync_core::limits;
    use sync_core::testing::{Host, Phone, TestRng};

    use super::*;

    const JOURNAL: JournalId = JournalId([7; 16]);

    fn pin() -> Pin {
        Pin::typed("258046")
    }

    fn wrong() -> Pin {
        Pin::typed("000001")
    }

    fn created() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path(), &pin(), &mut TestRng::new(1)).unwrap();
        (folder, store)
    }

    fn pending(n: u64) -> Key {
        Key::Pending(JOURNAL, n)
    }

    #[test]
    fn what_is_committed_is_found_again_by_the_right_pin_alone() {
        let (folder, store) = created();
        let mut rng = TestRng::new(2);
        let writes = [
            Write::put(pending(1), b"one".to_vec()),
            Write::put(Key::Sealed(JOURNAL, 1), b"batch".to_vec()),
        ];
        store
            .commit(&writes, &[("session", Some(b"token".to_vec()))], &mut rng)
            .unwrap();
        store
            .commit(
                &[
                    Write::delete(pending(1)),
                    Write::put(pending(2), b"two".to_vec()),
                ],
                &[],
                &mut rng,
            )
            .unwrap();
        assert!(matches!(
            Locked::open(folder.path()),
            Err(StoreError::InUse)
        ));
        drop(store);
        let locked = Locked::open(folder.path()).unwrap();
        let (locked, refused) = locked.unlock(&wrong()).unwrap_err();
        assert!(matches!(
            refused,
            Refused::Unlock(UnlockError::WrongPin { tries_left: 9 })
        ));
        let store = locked.unlock(&pin()).unwrap();
        let mut values = store.load().unwrap();
        values.sort();
        assert_eq!(
            values,
            [
                (pending(2), b"two".to_vec()),
                (Key::Sealed(JOURNAL, 1), b"batch".to_vec())
            ]
        );
        assert_eq!(
            store.own("session").unwrap().as_deref(),
            Some(b"token".as_slice())
        );
        assert!(store.check_pin(&wrong()).is_err());
        store.change_pin(&wrong(), &mut rng).unwrap();
        drop(store);
        assert!(
            Locked::open(folder.path())
                .unwrap()
                .unlock(&wrong())
                .is_ok()
        );
    }

    #[test]
    fn values_that_change_places_are_noticed() {
        let (_folder, store) = created();
        let mut rng = TestRng::new(2);
        let writes = [
            Write::put(pending(1), b"one".to_vec()),
            Write::put(pending(2), b"two".to_vec()),
        ];
        store.commit(&writes, &[], &mut rng).unwrap();
        let [one, two] = [1, 2].map(|n| {
            (
                pending(n).name(),
                store.file.get(&pending(n).name()).unwrap(),
            )
        });
        store.file.put(&[(one.0, two.1), (two.0, one.1)]).unwrap();
        assert!(matches!(store.load(), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn nothing_readable_is_in_the_files() {
        let (folder, store) = created();
        let writes = [Write::put(pending(1), "张三家漏雨".repeat(10).into_bytes())];
        store
            .commit(
                &writes,
                &[("session", Some("zhr_token".repeat(10).into_bytes()))],
                &mut TestRng::new(2),
            )
            .unwrap();
        drop(store);
        let bytes = fs::read(folder.path().join(STORE_FILE)).unwrap();
        for text in ["张三", "漏雨", "zhr_token"] {
            assert!(
                !bytes
                    .windows(text.len())
                    .any(|window| window == text.as_bytes()),
                "{text}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_the_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, _store) = created();
        let mode = fs::metadata(folder.path().join(SECRET_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn after_ten_wrong_pins_only_the_outbox_is_left() {
        let (folder, store) = created();
        let mut rng = TestRng::new(3);
        let now = Timestamp(1_795_000_000_000);
        let mut host = Host::found(4, now);
        let (village, person) = (
            host.add_village("半子沟村", now),
            host.add_user("周明远", now),
        );
        let since = now.date().plus_days(-1);
        host.assign(person, "FS", village.area, since, None, now);
        let mut phone = Phone::enrol(&mut host, person, now);
        phone.sync(&mut host, now).unwrap();
        store.put_card(&phone.device, &mut rng).unwrap();
        let writes = [
            Write::put(pending(2), b"not sealed".to_vec()),
            Write::put(Key::Sealed(JOURNAL, 1), b"a sealed batch".to_vec()),
            Write::put(Key::Carried(Digest([1; 32])), b"for a teammate".to_vec()),
        ];
        store.commit(&writes, &[], &mut rng).unwrap();
        drop(store);
        let mut locked = Locked::open(folder.path()).unwrap();
        for left in (0..limits::PIN_TRIES_MAX).rev() {
            let (again, _) = locked.unlock(&wrong()).unwrap_err();
            assert_eq!(again.tries_left(), left);
            locked = again;
        }
        drop(locked);
        let locked = Locked::open(folder.path()).unwrap();
        let (locked, refused) = locked.unlock(&pin()).unwrap_err();
        assert!(matches!(refused, Refused::Unlock(UnlockError::Destroyed)));
        let parcel = locked.rescue(&mut rng).unwrap().unwrap();
        let sealed: Vec<_> = parcel.sealed().collect();
        assert_eq!((parcel.deployment(), sealed.len()), (host.deployment(), 2));
        assert!(
            sealed
                .iter()
                .any(|sealed| sealed.as_slice() == b"for a teammate")
        );
    }
}
