//! How the journals stand: for operators, at the command line.

use store::StoreError;
use store::journals::SignedCheckpoint;
use sync_core::batch::Position;

use crate::context::App;

/// How the journals stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Where the registry stands.
    pub registry: Position,
    /// The newest checkpoint, once there is one.
    pub checkpoint: Option<SignedCheckpoint>,
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
        unpublished: unit.unpublished().await?.len(),
        unfolded: unit.unfolded().await?.len(),
    })
}
