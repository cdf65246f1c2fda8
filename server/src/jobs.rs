//! What the server does by itself from time to time.

use std::time::Duration;

use store::{Store, StoreError};
use sync_core::id::Timestamp;
use sync_core::limits;
use tokio::time::MissedTickBehavior;

use crate::context::App;
use crate::telemetry;

/// How often it is looked for what can be forgotten.
const EVERY: Duration = Duration::from_mins(10);
/// How long ended sessions and expired codes are kept, so that a question about one can still be answered.
const KEPT_MS: i64 = 30 * 86_400_000;

/// How long what has come of a file is kept for the rest.
const UNFINISHED_MS: i64 = limits::UNFINISHED_DAYS_MAX * 86_400_000;

/// Runs until the server stops.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.stopped() => return,
        }
        telemetry::metrics().run_upkeep();
        if let Err(error) = forget_ended(app.store(), app.clock().now()).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what ended long ago could not be forgotten"
            );
        }
        if let Err(error) = forget_unfinished(&app).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "files that were never finished could not be forgotten"
            );
        }
    }
}

/// Forgets sessions and codes that ended long ago.
async fn forget_ended(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    let mut unit = store.begin().await?;
    unit.forget_ended_before(now.plus_ms(-KEPT_MS)).await?;
    unit.commit().await
}

/// Forgets what has come of files that were begun long ago and are not whole.
pub async fn forget_unfinished(app: &App) -> Result<(), object_store::Error> {
    let begun_before = app.clock().now().plus_ms(-UNFINISHED_MS);
    app.files().forget_unfinished_before(begun_before).await
}
