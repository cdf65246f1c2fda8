//! The files of the catalogue versions that a deployment published, kept beside its database: entries are folded for ever by the
//! version that they name, whatever a later program ships.
//!
//! One file a version, `catalogues/<digest>.json`: the texts as they were published, under the digest that the registry names. So nothing
//! that was kept is ever overwritten by something else, whatever becomes of the registry.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sync_core::admit::Catalogues;
use sync_core::catalog::{Catalogue, Mistake, SourceFile};
use sync_core::id::Digest;
use sync_core::registry::Published;

use crate::keys::{make_folder_durably, write_durably};

/// The folder, within that of all that is kept.
pub(crate) const FOLDER: &str = "catalogues";

/// A file of kept versions cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read or written", path.display())]
pub struct KeepError {
    /// Which file.
    path: PathBuf,
    /// What the system says.
    source: io::Error,
}

/// Why a folder is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read, or is no text.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is wrong in its files: every mistake.
    #[error("its files have mistakes")]
    Mistakes(Vec<Mistake>),
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    name: String,
    text: String,
}

/// The versions that were published, as far as they are kept. The shipped one is kept until it was published as it is; where there is no
/// other it is all there is.
pub(crate) fn open(
    data_dir: &Path,
    published: &BTreeMap<u32, Published>,
) -> Result<Catalogues, KeepError> {
    // Read only where it is needed.
    let shipped = LazyCell::new(Catalogue::builtin);
    if published.is_empty() {
        keep(data_dir, &shipped)?;
        return Ok(Catalogues::from([(shipped.version(), shipped.clone())]));
    }
    let mut catalogues = Catalogues::new();
    for (&version, published) in published {
        if let Some(catalogue) = kept(data_dir, published.digest)? {
            catalogues.insert(version, catalogue);
        } else if shipped.digest() == published.digest {
            keep(data_dir, &shipped)?;
            catalogues.insert(version, shipped.clone());
        }
    }
    if catalogues.is_empty() {
        catalogues.insert(shipped.version(), shipped.clone());
    }
    Ok(catalogues)
}

fn path_of(data_dir: &Path, digest: Digest) -> PathBuf {
    data_dir.join(FOLDER).join(format!("{digest}.json"))
}

/// The kept version of this digest; nothing if there is none, or what is there is another.
fn kept(data_dir: &Path, digest: Digest) -> Result<Option<Catalogue>, KeepError> {
    let path = path_of(data_dir, digest);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeepError { path, source }),
    };
    let files: Option<Vec<KeptFile>> = serde_json::from_str(&text).ok();
    let files = files.unwrap_or_default().into_iter();
    let files: Vec<SourceFile> = files
        .map(|KeptFile { name, text }| SourceFile { name, text })
        .collect();
    let catalogue = Catalogue::parse(&files).ok();
    Ok(catalogue.filter(|catalogue| catalogue.digest() == digest))
}

/// Keeps a version, durably.
pub(crate) fn keep(data_dir: &Path, catalogue: &Catalogue) -> Result<(), KeepError> {
    let path = path_of(data_dir, catalogue.digest());
    let files: Vec<KeptFile> = (catalogue.files().iter())
        .map(|SourceFile { name, text }| KeptFile {
            name: name.clone(),
            text: text.clone(),
        })
        .collect();
    let text = serde_json::to_string(&files).expect("texts are JSON");
    make_folder_durably(&data_dir.join(FOLDER))
        .and_then(|()| write_durably(&path, &text))
        .map_err(|source| KeepError { path, source })
}

/// Reads a catalogue from a folder as `catalog/` of the repository is: TOML and CSV files, some in folders; what else lies there is
/// no part of it.
pub fn read_folder(folder: &Path) -> Result<Catalogue, FolderError> {
    let mut files = Vec::new();
    for path in files_in(folder)? {
        let text = fs::read_to_string(&path).map_err(|source| FolderError::File {
            path: path.clone(),
            source,
        })?;
        let name = path.strip_prefix(folder).unwrap_or(&path).iter();
        let name: Vec<_> = name.map(|part| part.to_string_lossy()).collect();
        let name = name.join("/");
        files.push(SourceFile { name, text });
    }
    Catalogue::parse(&files).map_err(FolderError::Mistakes)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |source| FolderError::File {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(files_in(&path)?);
        } else if path
            .extension()
            .is_some_and(|is| is == "toml" || is == "csv")
        {
            files.push(path);
        }
    }
    Ok(files)
}
