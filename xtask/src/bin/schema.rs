//! Makes an empty SQLite database with every migration applied, for `cargo xtask prepare`: `schema MIGRATIONS FILE`.
//!
//! A program of its own, so that the other chores need not wait for a database driver to compile.

use std::path::Path;

use anyhow::{Context as _, Result};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(migrations), Some(file), None) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        anyhow::bail!("usage: schema MIGRATIONS FILE");
    };
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let database = SqlitePool::connect_with(options)
        .await
        .with_context(|| format!("cannot make {file}"))?;
    let migrator = Migrator::new(Path::new(&migrations))
        .await
        .with_context(|| format!("cannot read {migrations}"))?;
    migrator
        .run(&database)
        .await
        .context("a migration failed")?;
    database.close().await;
    Ok(())
}
