//! The server's own keys: seeds in files that only its user may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sync_core::id::Digest;
use sync_core::sign::SigningKey;

use crate::random::Random;

/// The keys of one server.
#[derive(Debug)]
pub struct Keys {
    /// Signs what is done by command line or by the server itself. The first one names the deployment.
    pub operator: SigningKey,
    /// Signs checkpoints.
    pub log: SigningKey,
    /// Its seed derives the key that opens what carriers bring.
    pub sealing: SigningKey,
    /// Signs access tokens. Losing it costs nothing but a refresh.
    pub access: SigningKey,
    /// Signs what is reported on the villages' public pages, as the device that it is.
    pub desk: SigningKey,
    /// Its seed makes the secrets with which people ask what became of their reports.
    pub replies: SigningKey,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key {} cannot be read or written", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("others may read the key {path}; take that from them (chmod 600 {path}), and replace it if they did", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The file holds no key.
    #[error("{} holds no key, expected 64 hexadecimal digits; restore it from a backup", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl Keys {
    /// Reads the keys of a data folder; makes those that are missing.
    pub fn load_or_make(data_dir: &Path, random: &Random) -> Result<Self, KeyError> {
        let folder = data_dir.join("keys");
        make_folder_durably(&folder).map_err(|source| KeyError::File {
            path: folder.clone(),
            source,
        })?;
        Ok(Self {
            operator: load_or_make(&folder.join("operator.key"), random)?,
            log: load_or_make(&folder.join("log.key"), random)?,
            sealing: load_or_make(&folder.join("sealing.key"), random)?,
            access: load_or_make(&folder.join("access.key"), random)?,
            desk: load_or_make(&folder.join("desk.key"), random)?,
            replies: load_or_make(&folder.join("replies.key"), random)?,
        })
    }
}

fn load_or_make(path: &Path, random: &Random) -> Result<SigningKey, KeyError> {
    let failed = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(KeyError::Exposed {
            path: path.to_owned(),
        }),
        Ok(_) => {
            let text = fs::read_to_string(path).map_err(failed)?;
            let seed: Digest = text.trim().parse().map_err(|_| KeyError::Malformed {
                path: path.to_owned(),
            })?;
            Ok(SigningKey::from_seed(seed.0))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let seed = random.bytes();
            write_durably(path, &format!("{}\n", Digest(seed))).map_err(failed)?;
            Ok(SigningKey::from_seed(seed))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Makes a folder that only its owner may enter, and those above it that are missing, and returns once it would survive a power cut.
pub(crate) fn make_folder_durably(folder: &Path) -> io::Result<()> {
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let is_new = !folder.is_dir();
    if is_new {
        make_folder_durably(parent)?;
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if !folder.is_dir() => return Err(error),
            _ => {}
        }
    }
    // Also of one that was there: whoever made it may have been killed before its name was durable.
    match File::open(parent) {
        Ok(parent) => parent.sync_all(),
        // What may not be read is somebody else's, who made this folder in it.
        Err(error) if !is_new && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the whole file or none of it, and returns once it would survive a power cut.
pub(crate) fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let made = Keys::load_or_make(folder.path(), &Random::seeded(1)).unwrap();
        let again = Keys::load_or_make(folder.path(), &Random::seeded(2)).unwrap();
        assert_eq!(made.operator.public(), again.operator.public());
        assert_eq!(made.access.public(), again.access.public());
        assert_ne!(made.access.public(), made.operator.public());
        let file = fs::metadata(folder.path().join("keys/operator.key")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_is_made_with_those_above_it_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        make_folder_durably(&folder).unwrap();
        make_folder_durably(&folder).unwrap();
        for folder in [folder.clone(), place.path().join("a")] {
            let mode = fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        fs::write(folder.join("file"), "").unwrap();
        assert!(make_folder_durably(&folder.join("file")).is_err());
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Keys::load_or_make(folder.path(), &Random::seeded(1)).unwrap();
        let path = folder.path().join("keys/access.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keys::load_or_make(folder.path(), &Random::seeded(1)).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { .. }), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        let error = Keys::load_or_make(folder.path(), &Random::seeded(1)).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
    }
}
