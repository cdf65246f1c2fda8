//! The newest signed checkpoint outside the database: what a database that was restored is held against.
//!
//! It lies beside the log key. It is written once its leaves are committed, and before anybody is shown it, so that nobody ever
//! holds a checkpoint that this file does not reach. A database behind it has lost what was acknowledged: whatever were admitted on
//! top would be a second history. Such a server admits nothing, signs nothing, and can be read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use store::journals::{ReadJournals, SignedCheckpoint};
use store::{Store, StoreError};
use sync_core::checkpoint::{self, Checkpoint, open_checkpoint};
use sync_core::id::{DeploymentId, Timestamp};
use sync_core::sign::PublicKey;

use crate::journals::publish::frontier;
use crate::keys::write_durably;

/// Its place in the data folder.
pub const FILE: &str = "keys/checkpoint";

/// The checkpoint that was last signed, and whether the database bears it.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    behind: Option<Behind>,
    newest: Mutex<Option<SignedCheckpoint>>,
}

/// The database is behind the checkpoint that was last signed, or holds another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The size of the log that was signed.
    pub signed: u64,
    /// The size of the log in the database.
    pub here: u64,
}

/// Why the kept checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read.
    #[error("the last checkpoint {} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds no checkpoint of this log.
    #[error("{} is no checkpoint that this log's key signed; restore it and keys/log.key from one backup", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What was published could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The file cannot be written: the checkpoint is shown to nobody until it can.
    #[error("the last checkpoint cannot be written to {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Kept {
    /// Reads the checkpoint of a data folder, and holds the database against it.
    pub async fn open(
        data_dir: &Path,
        key: &PublicKey,
        deployment: DeploymentId,
        store: &dyn Store,
    ) -> Result<Self, KeptError> {
        let path = data_dir.join(FILE);
        // First the file, then the database: meanwhile a running server may go on, and the database is never behind then.
        let note = match fs::read_to_string(&path) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(KeptError::File { path, source }),
        };
        let Some(note) = note else {
            return Ok(Self {
                path,
                behind: None,
                newest: Mutex::new(None),
            });
        };
        let Ok(signed) = open_checkpoint(&note, &checkpoint::origin(deployment), key) else {
            return Err(KeptError::Foreign { path });
        };
        let mut unit = store.read().await?;
        let behind = behind(&mut *unit, &signed).await?;
        let stored = unit.newest_checkpoint().await?;
        let signed_at = stored
            .filter(|stored| stored.note == note)
            .map_or(Timestamp(0), |stored| stored.signed_at);
        let newest = SignedCheckpoint {
            size: signed.size,
            signed_at,
            note,
        };
        Ok(Self {
            path,
            behind,
            newest: Mutex::new(Some(newest)),
        })
    }

    /// Whether the database is behind.
    pub const fn behind(&self) -> Option<Behind> {
        self.behind
    }

    /// Refuses to go on if the database is behind.
    pub fn guard(&self) -> Result<(), StoreError> {
        self.behind.map_or(Ok(()), |_| Err(StoreError::Behind))
    }

    /// The newest checkpoint that may be shown: the one that is kept.
    pub fn newest(&self) -> Option<SignedCheckpoint> {
        let newest = self.newest.lock();
        newest.expect("nobody panics while holding it").clone()
    }

    /// Keeps a checkpoint whose leaves are committed. Afterwards it may be shown.
    pub async fn keep(&self, checkpoint: &SignedCheckpoint) -> Result<(), PublishError> {
        if self
            .newest()
            .is_some_and(|known| known.size >= checkpoint.size)
        {
            return Ok(());
        }
        let (path, note) = (self.path.clone(), checkpoint.note.clone());
        let written = tokio::task::spawn_blocking(move || write_durably(&path, &note)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|source| PublishError::File {
            path: self.path.clone(),
            source,
        })?;
        *self.newest.lock().expect("nobody panics while holding it") = Some(checkpoint.clone());
        Ok(())
    }
}

/// Whether the log in the database does not continue a checkpoint.
async fn behind<R: ReadJournals + ?Sized>(
    unit: &mut R,
    signed: &Checkpoint,
) -> Result<Option<Behind>, StoreError> {
    let here = unit.newest_checkpoint().await?.map_or(0, |it| it.size);
    if here < signed.size {
        return Ok(Some(Behind {
            signed: signed.size,
            here,
        }));
    }
    let root = frontier(unit, signed.size).await?.root();
    Ok((root != signed.root).then_some(Behind {
        signed: signed.size,
        here,
    }))
}
