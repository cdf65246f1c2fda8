//! Catalogue versions: which are published, which is in force, and publishing another.

use store::StoreError;
use sync_core::catalog::{Capability, Catalogue};
use sync_core::id::Date;
use sync_core::registry::{Published, RegistryAct};

use crate::admin::mandate::{Mandate, Word};
use crate::catalogues::{self, KeepError};
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

/// Why a version was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishFailure {
    /// There is no deployment yet.
    #[error("there are no administrators yet; begin with `zhucun bootstrap`")]
    Unfounded,
    /// It may not follow what was published: everything that stands in the way.
    #[error("it may not follow the version that is published")]
    Obstacles(Vec<String>),
    /// It is dated later than today.
    #[error("it is issued on {0}; publish it then, or write today's date in catalogue.toml")]
    NotYet(Date),
    /// It cannot be kept.
    #[error("it cannot be kept")]
    Keep(#[from] KeepError),
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

/// Publishes another version, on the operator's word: from the next start of the server on phones get it, and what they write under it is
/// judged by it.
pub async fn publish(app: &App, catalogue: &Catalogue) -> Result<(), PublishFailure> {
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, Word::Operator, &[]).await?;
    let mandate = mandate.ok_or(PublishFailure::Unfounded)?;
    if catalogue.issued() > mandate.today() {
        return Err(PublishFailure::NotYet(catalogue.issued()));
    }
    catalogue
        .succeeds(app.catalogue())
        .map_err(PublishFailure::Obstacles)?;
    catalogues::keep(&app.config().data_dir, catalogue)?;
    let published = RegistryAct::PublishCatalogue {
        version: catalogue.version(),
        digest: catalogue.digest(),
        from: catalogue.issued(),
    };
    app.registrar()
        .enter(&mut *unit, &[published], None, app.clock().now())
        .await?;
    unit.commit().await?;
    Ok(())
}
