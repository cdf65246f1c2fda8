//! Devices: listed, suspended, revoked. What waits on one is nobody's business but its person's.

use store::StoreError;
use sync_core::catalog::Capability;
use sync_core::id::{DeviceId, Timestamp, UserId};
use sync_core::registry::{RegistryAct, Standing};

use crate::admin::PAGE_ROWS;
use crate::admin::mandate::{Mandate, Word};
use crate::context::App;

/// Why a device is taken out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be found.
    Lost,
    /// Somebody took it.
    Stolen,
    /// It works no longer.
    Broken,
    /// Another one took its place.
    Replaced,
    /// Its person left.
    Left,
    /// It was used for what it is not for.
    Misused,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] = [
        Self::Lost,
        Self::Stolen,
        Self::Broken,
        Self::Replaced,
        Self::Left,
        Self::Misused,
    ];

    /// How the registry names it; never renamed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Stolen => "stolen",
            Self::Broken => "broken",
            Self::Replaced => "replaced",
            Self::Left => "left",
            Self::Misused => "misused",
        }
    }
}

/// How a device is taken out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// For now: it may enrol in place, with a new key.
    Suspended,
    /// For good.
    Revoked,
}

impl Taken {
    const fn standing(self) -> Standing {
        match self {
            Self::Suspended => Standing::Suspended,
            Self::Revoked => Standing::Revoked,
        }
    }
}

/// A device of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDevice {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// What its person calls it.
    pub label: String,
    /// Whether it may write.
    pub standing: Standing,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// Which devices a list shows.
#[derive(Debug, Default)]
pub struct DeviceFilter {
    /// Of this person.
    pub user: Option<UserId>,
    /// After this one, in the order of ids.
    pub after: Option<DeviceId>,
}

/// Why a device stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFailure {
    /// The caller may not know of it.
    #[error("there is no such device")]
    Absent,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Takes a device out of use: its sessions end, and what arrives from it is refused. Repeating it changes nothing, and what was
/// revoked stays so.
pub async fn take(
    app: &App,
    word: Word<'_>,
    device: DeviceId,
    how: Taken,
    cause: Cause,
) -> Result<(), DeviceFailure> {
    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ManageDevices]).await?;
    let mandate = mandate.ok_or(DeviceFailure::Absent)?;
    let known = mandate.registry().devices.get(&device);
    let known = known.filter(|known| mandate.covers_user(known.user));
    let known = known.ok_or(DeviceFailure::Absent)?;
    if known.standing >= how.standing() {
        return Ok(());
    }
    unit.end_device(device, now).await?;
    let act = RegistryAct::SetDevice {
        device,
        standing: how.standing(),
        cause: cause.name().to_owned(),
    };
    app.registrar()
        .enter(&mut *unit, &[act], mandate.by(), now)
        .await?;
    unit.commit().await?;
    tracing::info!(device.id = %device, ?how, cause = cause.name(), "device.taken");
    Ok(())
}

/// Who may see devices.
const READERS: [Capability; 2] = [Capability::ManageDevices, Capability::ReadAuditLog];

/// A page of devices in the order of their ids, and whether there are more.
pub async fn list(
    app: &App,
    word: Word<'_>,
    filter: &DeviceFilter,
) -> Result<(Vec<ListedDevice>, bool), DeviceFailure> {
    let mut unit = app.store().read().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &READERS).await?;
    let mandate = mandate.ok_or(DeviceFailure::Absent)?;
    let wanted = (mandate.registry().devices.iter())
        .filter(|(device, _)| filter.after.is_none_or(|after| after < **device))
        .filter(|(_, known)| filter.user.is_none_or(|user| known.user == user))
        .filter(|(_, known)| mandate.covers_user(known.user));
    let mut listed = Vec::new();
    for (device, known) in wanted {
        if listed.len() == PAGE_ROWS {
            return Ok((listed, true));
        }
        let row = unit.device(*device).await?;
        let row = row.ok_or(StoreError::Impossible("a device without a row"))?;
        listed.push(ListedDevice {
            device: *device,
            user: known.user,
            label: known.label.clone(),
            standing: known.standing,
            enrolled_at: row.enrolled_at,
        });
    }
    Ok((listed, false))
}
