//! How the journals stand: for operators, at the command line.

use store::StoreError;
use store::journals::SignedCheckpoint;
use sync_core::batch::Position;

use crate::context::App;
use crate::journals::kept::Behind;

/// How the journals stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Where the registry stands.
    pub registry: Position,
    /// The newest checkpoint, once there is one.
    pub checkpoint: Option<SignedCheckpoint>,
    /// The size of the checkpoint that is kept outside the database, once there is one.
    pub kept: Option<u64>,
    /// Whether the database is behind it: then nothing is admitted.
    pub behind: Option<Behind>,
    /// Journals that moved since.
    pub unpublished: usize,
    /// Journals with entries that are not folded yet.
    pub unfolded: usize,
}

/// Reads how the journals stand.
pub async fn status(app: &App) -> Result<LogStatus, StoreError> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    Ok(LogStatus {
        registry: registered.registry.position(),
        checkpoint: unit.newest_checkpoint().await?,
        kept: app.kept().newest().map(|kept| kept.size),
        behind: app.kept().behind(),
        unpublished: unit.unpublished().await?.len(),
        unfolded: unit.unfolded().await?.len(),
    })
}
