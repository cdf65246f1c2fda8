//! The files of records: photographs and voice memos.
//!
//! A record's field names a file by its hash. The record comes first; until the bytes have come, the reference is awaited. They lie
//! in an object store, by journal and hash, where they are written once and never changed. What has come of a file that is not whole
//! yet lies beside them, piece by piece and apart for each person: nobody can spoil what another one sends, and whoever was cut off
//! goes on after any restart.
//!
//! ```text
//! files/<journal>/<hash>
//! uploads/<person>/<journal>/<hash>/<when the first piece came>/<where the piece begins>
//! ```
//!
//! Who reaches a file is in [`reach`], what is taken for one in [`check`], what an erasure takes along in [`erased`].

pub mod check;
pub mod erased;

pub mod reach;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use sync_core::id::{Digest, JournalId, Timestamp, UserId, sha256};
use sync_core::limits;
use tokio::sync::Semaphore;

use crate::files::check::{Form, Unfit};
use crate::keys::make_folder_durably;

/// Files that are checked at one time: the largest picture takes some 400 MB to decode, the usual one a fiftieth of that.
const CHECKED_AT_ONCE: usize = 1;
/// How long a file waits for those before it to be checked.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pieces of one file that are kept apart. A line that is cut all the time leaves many small ones, which are then put together.
const PIECES_MAX: usize = 64;
/// What a piece is counted as at least: no disk keeps less.
const PIECE_BYTES_COUNTED_MIN: u64 = 4 * 1024;

/// A file of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// The journal whose record names it.
    pub journal: JournalId,
    /// Its SHA-256.
    pub digest: Digest,
}

impl FileId {
    fn path(&self) -> Path {
        Path::from(format!("files/{}/{}", self.journal, self.digest))
    }

    /// What somebody has sent of it.
    fn uploads_of(&self, sender: UserId) -> Path {
        Path::from(format!("uploads/{sender}/{}/{}", self.journal, self.digest))
    }
}

/// A file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// How long it is.
    pub bytes: u64,
    /// What it is.
    pub form: Form,
}

/// Why a file, or a piece of it, was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileFailure {
    /// Something else is kept of it than the sender goes on from.
    #[error("so many bytes are kept of it")]
    Offset(u64),
    /// Its sender has as much unfinished as may be kept of one person.
    #[error("too much of this person is unfinished")]
    Unfinished,
    /// It is longer than a file may be.
    #[error("longer than a file may be")]
    TooLarge,
    /// Its bytes do not have the hash that the record names.
    #[error("not the bytes that the record names")]
    Digest,
    /// It is nothing that is taken.
    #[error("nothing that is taken")]
    Unfit(#[from] Unfit),
    /// Others are being checked.
    #[error("others are being checked")]
    Busy,
    /// It could not be read or written.
    #[error("the files cannot be read or written")]
    Store(#[from] Error),
}

/// Where files are kept.
#[derive(Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    checking: Arc<Semaphore>,
}

/// What is kept of a file that is not whole.
#[derive(Debug, Default)]
struct Pieces {
    /// Where they lie; none if nothing is kept.
    folder: Option<Path>,
    /// Those that continue one another from the first byte.
    in_order: Vec<ObjectMeta>,
    /// How many bytes they are together.
    bytes: u64,
    /// All that lies there, whether it continues anything or not.
    all: Vec<Path>,
}

impl Files {
    /// The files below a folder, which is made if it is not there.
    pub fn open(folder: &FsPath) -> io::Result<Self> {
        make_folder_durably(folder)?;
        remove_drafts(folder)?;
        // A power cut may take nothing that was acknowledged: file and names are synced before a write returns.
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(io::Error::other)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            checking: Arc::new(Semaphore::new(CHECKED_AT_ONCE)),
        })
    }

    /// A file, if it is there.
    pub async fn find(&self, file: &FileId) -> Result<Option<Whole>, Error> {
        Ok(self.read(file).await?.map(|(whole, _)| whole))
    }

    /// A file and its bytes, if it is there.
    pub async fn read(
        &self,
        file: &FileId,
    ) -> Result<Option<(Whole, BoxStream<'static, Result<Bytes, Error>>)>, Error> {
        let found = match self.store.get(&file.path()).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let length = found.meta.size;
        let mut bytes = found.into_stream();
        let mut first = Vec::new();
        while first.len() < Form::BYTES
            && let Some(more) = bytes.try_next().await?
        {
            first.extend_from_slice(&more);
        }
        // It was checked before it was written; whoever changed it since has nothing served.
        let Some(form) = Form::of(&first) else {
            return Ok(None);
        };
        let whole = Whole {
            bytes: length,
            form,
        };
        let bytes = stream::iter([Ok(first.into())]).chain(bytes).boxed();
        Ok(Some((whole, bytes)))
    }

    /// How many bytes of a file that somebody sends are kept.
    pub async fn kept(&self, file: &FileId, sender: UserId) -> Result<u64, Error> {
        Ok(self.pieces(file, sender).await?.bytes)
    }

    /// Keeps a piece that continues what is kept: how many bytes that is now.
    pub async fn keep(
        &self,
        file: &FileId,
        sender: UserId,
        (offset, piece): (u64, Bytes),
        now: Timestamp,
    ) -> Result<u64, FileFailure> {
        let kept = self.continued(file, sender, offset, piece.len()).await?;
        if piece.is_empty() {
            return Ok(kept.bytes);
        }
        if self.unfinished(sender).await? + counted(piece.len() as u64)
            > limits::UNFINISHED_BYTES_MAX
        {
            return Err(FileFailure::Unfinished);
        }
        if kept.in_order.len() >= PIECES_MAX {
            self.join(&kept).await?;
        }
        let folder =
            (kept.folder).unwrap_or_else(|| file.uploads_of(sender).join(now.0.to_string()));
        let length = piece.len() as u64;
        // Somebody who asked twice at once writes once.
        let once = PutOptions::from(PutMode::Create);
        match (self.store)
            .put_opts(&folder.join(name_of(offset)), piece.into(), once)
            .await
        {
            Err(Error::AlreadyExists { .. }) => {
                Err(FileFailure::Offset(self.kept(file, sender).await?))
            }
            put => {
                put?;
                Ok(offset + length)
            }
        }
    }

    /// Puts a file together with its last piece, checks it, and keeps it durably. One that is refused is thrown away with all that is
    /// kept of it, for it would be refused again.
    pub async fn complete(
        &self,
        file: &FileId,
        sender: UserId,
        (offset, piece): (u64, Bytes),
    ) -> Result<u64, FileFailure> {
        let kept = self.continued(file, sender, offset, piece.len()).await?;
        let turn = Arc::clone(&self.checking).acquire_owned();
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        let turn = turn
            .map_err(|_| FileFailure::Busy)?
            .map_err(|_| FileFailure::Busy)?;
        let mut bytes = self.joined(&kept).await?;
        bytes.extend_from_slice(&piece);
        let length = bytes.len() as u64;
        let bytes = Bytes::from(bytes);
        let (digest, checked) = (file.digest, bytes.clone());
        let checking = move || {
            let _turn = turn;
            if sha256(&[&checked]) != digest {
                return Err(FileFailure::Digest);
            }
            Ok(check::check(&checked)?)
        };
        // What a library panics at is nothing that we take.
        let checked = tokio::task::spawn_blocking(checking).await;
        let checked = checked.unwrap_or(Err(Unfit::Form.into()));
        if checked.is_ok() {
            self.store.put(&file.path(), bytes.into()).await?;
        }
        self.remove_all(kept.all).await?;
        checked.map(|_| length)
    }

    /// Removes a file, and what anybody sent of it.
    pub async fn remove(&self, file: &FileId) -> Result<(), Error> {
        let unfinished = self.store.list(Some(&Path::from("uploads")));
        let (journal, digest) = (file.journal.to_string(), file.digest.to_string());
        let is_of = |meta: &ObjectMeta| {
            let parts: Vec<_> = meta.location.parts().collect();
            matches!(parts.as_slice(), [_, _, of, it, ..] if of.as_ref() == journal && it.as_ref() == digest)
        };
        let unfinished: Vec<ObjectMeta> = unfinished.try_collect().await?;
        let mut gone: Vec<Path> = unfinished
            .into_iter()
            .filter(is_of)
            .map(|meta| meta.location)
            .collect();
        gone.push(file.path());
        self.remove_all(gone).await
    }

    /// Removes what has come of files that were begun before an instant and are not whole.
    pub async fn forget_unfinished_before(&self, before: Timestamp) -> Result<(), Error> {
        let all = self.store.list(Some(&Path::from("uploads")));
        let all: Vec<ObjectMeta> = all.try_collect().await?;
        let is_old = |meta: &ObjectMeta| begun(&meta.location).is_none_or(|begun| begun < before.0);
        let old = all.into_iter().filter(is_old).map(|meta| meta.location);
        self.remove_all(old.collect()).await
    }

    /// What is kept, if a piece of so many bytes continues it.
    async fn continued(
        &self,
        file: &FileId,
        sender: UserId,
        offset: u64,
        length: usize,
    ) -> Result<Pieces, FileFailure> {
        let kept = self.pieces(file, sender).await?;
        if offset != kept.bytes {
            return Err(FileFailure::Offset(kept.bytes));
        }
        if offset + length as u64 > limits::FILE_BYTES_MAX as u64 {
            self.remove_all(kept.all).await?;
            return Err(FileFailure::TooLarge);
        }
        Ok(kept)
    }

    async fn pieces(&self, file: &FileId, sender: UserId) -> Result<Pieces, Error> {
        let listed = self.store.list(Some(&file.uploads_of(sender)));
        let mut by_begin: BTreeMap<(i64, u64), ObjectMeta> = BTreeMap::new();
        let mut found = Pieces::default();
        for meta in listed.try_collect::<Vec<_>>().await? {
            found.all.push(meta.location.clone());
            if let (Some(begun), Some(offset)) = (begun(&meta.location), offset_of(&meta.location))
            {
                by_begin.insert((begun, offset), meta);
            }
        }
        // Of two that were begun at the same time, the first goes on.
        let Some(first) = by_begin.keys().next().map(|(begun, _)| *begun) else {
            return Ok(found);
        };
        found.folder = Some(file.uploads_of(sender).join(first.to_string()));
        for ((begun, offset), meta) in by_begin {
            // What begins earlier was put together with those before it.
            if begun == first && offset == found.bytes {
                found.bytes += meta.size;
                found.in_order.push(meta);
            }
        }
        Ok(found)
    }

    /// What is kept of a person's files that are not whole.
    async fn unfinished(&self, sender: UserId) -> Result<u64, Error> {
        let all = self
            .store
            .list(Some(&Path::from(format!("uploads/{sender}"))));
        all.try_fold(0, async |sum, meta| Ok(sum + counted(meta.size)))
            .await
    }

    /// Makes one piece of many.
    async fn join(&self, kept: &Pieces) -> Result<(), FileFailure> {
        let Some((first, others)) = kept.in_order.split_first() else {
            return Ok(());
        };
        let whole = self.joined(kept).await?;
        self.store.put(&first.location, whole.into()).await?;
        let others = others.iter().map(|meta| meta.location.clone());
        Ok(self.remove_all(others.collect()).await?)
    }

    /// The bytes of all pieces.
    async fn joined(&self, kept: &Pieces) -> Result<Vec<u8>, FileFailure> {
        let mut bytes = Vec::with_capacity(limits::FILE_BYTES_MAX);
        for meta in &kept.in_order {
            let piece = match self.store.get(&meta.location).await {
                // Another request has finished it meanwhile.
                Err(Error::NotFound { .. }) => return Err(FileFailure::Offset(0)),
                piece => piece?.bytes().await?,
            };
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 == kept.bytes {
            Ok(bytes)
        } else {
            Err(FileFailure::Busy)
        }
    }

    /// Removes objects; those that are gone already are gone.
    async fn remove_all(&self, paths: Vec<Path>) -> Result<(), Error> {
        for path in paths {
            match self.store.delete(&path).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a piece is counted as.
fn counted(bytes: u64) -> u64 {
    bytes.max(PIECE_BYTES_COUNTED_MIN)
}

/// A piece's name: where it begins, so that the order of names is theirs.
fn name_of(offset: u64) -> String {
    format!("{offset:08}")
}

fn offset_of(piece: &Path) -> Option<u64> {
    piece.filename()?.parse().ok()
}

/// When the first piece came.
fn begun(piece: &Path) -> Option<i64> {
    let begun = piece.parts().nth(4)?;
    begun.as_ref().parse().ok()
}

/// Removes what a process that died was writing. Nobody else writes while this one starts, and nothing unfinished has a name by which
/// an erasure would find it.
fn remove_drafts(folder: &FsPath) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains('#') {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
