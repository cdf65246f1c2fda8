//! Catalogue versions: which are published, and which is in force.

use store::StoreError;
use sync_core::catalog::{Capability, Catalogue};
use sync_core::registry::Published;

use crate::admin::mandate::{Mandate, Word};
use crate::context::App;

/// A published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedCatalogue {
    /// The version.
    pub version: u32,
    /// Its digest and first day.
    pub published: Published,
    /// Whether it is the one in force today.
    pub in_force: bool,
    /// Whether this server has its files, and they are those that were published.
    pub is_here: bool,
}

/// Why versions were not listed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueFailure {
    /// The caller may not know of them.
    #[error("there are no versions to see")]
    Absent,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Who may see versions.
const READERS: [Capability; 5] = [
    Capability::PublishCatalogue,
    Capability::ImportAreas,
    Capability::ManageAccounts,
    Capability::ReadAuditLog,
    Capability::VerifyLog,
];

/// Every published version, in order.
pub async fn list(app: &App, word: Word<'_>) -> Result<Vec<ListedCatalogue>, CatalogueFailure> {
    let mut unit = app.store().read().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &READERS).await?;
    let mandate = mandate.ok_or(CatalogueFailure::Absent)?;
    let in_force = mandate.registry().catalogue_on(mandate.today());
    let published = mandate.registry().catalogues.iter();
    let listed = published.map(|(version, published)| ListedCatalogue {
        version: *version,
        published: *published,
        in_force: in_force == Some(*version),
        is_here: (app.catalogues().get(version))
            .is_some_and(|own| own.digest() == published.digest),
    });
    Ok(listed.collect())
}

/// A published version, if this server has the files that were published.
pub async fn published(app: &App, version: u32) -> Result<&Catalogue, CatalogueFailure> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let published = registered.registry.catalogues.get(&version);
    let own = app.catalogues().get(&version);
    own.zip(published)
        .filter(|(own, published)| own.digest() == published.digest)
        .map(|(own, _)| own)
        .ok_or(CatalogueFailure::Absent)
}
