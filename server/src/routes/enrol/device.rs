//! `POST /v1/enrol`

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::accounts::{CodePurpose, Device};
use sync_core::id::{DeviceId, UserId};
use sync_core::registry::RegistryAct;
use sync_core::sign::ENROL_CONTEXT;
use sync_core::sync::enrol::OneTimeCode;
use utoipa::ToSchema;

use crate::context::{App, ClientAddress, Json};
use crate::problem::{Code, Problem};
use crate::routes::session::TokenPair;
use crate::routes::wire::{Id, PublicKey, Signature};
use crate::session::access::Identity;
use crate::session::throttle::Wait;
use crate::session::{self, Tokens};

/// The longest name that a person may give a device.
const LABEL_CHARS_MAX: usize = 32;

/// What enrols a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The one-time code from an administrator.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    /// The device's public key; its id is derived from it.
    key: PublicKey,
    /// The device's signature over the code's hash, in the context `zhucun enrol v1`.
    proof: Signature,
    /// What its person calls it.
    label: String,
}

/// A device that has been enrolled.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolled {
    /// The device.
    #[schema(value_type = String)]
    device: Id<DeviceId>,
    /// Whose it is.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// Its session: refresh first, which proves the key.
    tokens: TokenPair,
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolFailure {
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled(Wait),
    /// The code is not good, or no longer.
    #[error("the code is not good")]
    Code,
    /// The device did not prove its key.
    #[error("the device did not prove its key")]
    Proof,
    /// The label is empty or too long.
    #[error("the label is empty or too long")]
    Label,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<EnrolFailure> for Problem {
    fn from(failure: EnrolFailure) -> Self {
        match failure {
            EnrolFailure::Throttled(wait) => {
                Self::new(Code::TooManyRequests).retry_after(wait.seconds)
            }
            EnrolFailure::Code => Self::new(Code::CodeInvalid),
            EnrolFailure::Proof => Self::new(Code::DeviceProof),
            EnrolFailure::Label => {
                Self::invalid_field("label", format!("1 to {LABEL_CHARS_MAX} characters"))
            }
            EnrolFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Enrols a device: its key becomes known to everyone who must verify what it signs, and it is logged in.
#[utoipa::path(post, path = "/v1/enrol", tag = "devices", request_body = Enrolment,
    responses((status = CREATED, body = Enrolled, description = "Enrolled")))]
pub async fn enrol_device(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(request): Json<Enrolment>,
) -> Result<(StatusCode, Json<Enrolled>), Problem> {
    app.throttle()
        .attempt("enrol", from)
        .map_err(EnrolFailure::Throttled)?;
    let label = request.label.trim().to_owned();
    if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX {
        return Err(EnrolFailure::Label.into());
    }
    let code = OneTimeCode::parse(request.code.expose_secret()).ok_or(EnrolFailure::Code)?;
    let key = request.key.read().ok_or(EnrolFailure::Proof)?;
    let proof = request.proof.read().ok_or(EnrolFailure::Proof)?;
    key.verify(ENROL_CONTEXT, app.deployment(), code.digest(), &proof)
        .map_err(|_| EnrolFailure::Proof)?;
    let (identity, tokens) = enrol(&app, &code, key, label).await?;
    let enrolled = Enrolled {
        device: Id(identity.0),
        user: Id(identity.1),
        tokens: TokenPair::new(&app, tokens),
    };
    Ok((StatusCode::CREATED, Json(enrolled)))
}

async fn enrol(
    app: &App,
    code: &OneTimeCode,
    key: sync_core::sign::PublicKey,
    label: String,
) -> Result<((DeviceId, UserId), Tokens), EnrolFailure> {
    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let redeemed = unit
        .redeem_code(code.digest(), CodePurpose::EnrolDevice, now)
        .await?;
    let user = redeemed
        .and_then(|redeemed| redeemed.user)
        .ok_or(EnrolFailure::Code)?;
    let device = key.device();
    if unit.device(device).await?.is_some() {
        return Err(EnrolFailure::Proof);
    }
    unit.add_device(&Device {
        device,
        user,
        key: key.clone(),
        enrolled_at: now,
        ended_at: None,
    })
    .await?;
    app.registrar()
        .enter(
            &mut *unit,
            &[RegistryAct::Enrol { key, user, label }],
            None,
            now,
        )
        .await?;
    let identity = Identity {
        user,
        device: Some(device),
        session: session::new_session_id(app.random()),
    };
    let settings = &app.config().sessions;
    let (session, refresh) = session::begin(settings, app.random(), identity, now);
    unit.add_session(
        &session,
        &session::issued(settings, &session, &refresh, now),
    )
    .await?;
    unit.commit().await?;
    tracing::info!(user.id = %user, device.id = %device, "device.enrolled");
    Ok((
        (device, user),
        Tokens {
            access: None,
            refresh,
            session,
        },
    ))
}
