//! `POST /v1/bootstrap`

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sync_core::id::UserId;
use sync_core::sync::enrol::OneTimeCode;
use utoipa::ToSchema;

use crate::context::{App, ClientAddress, Json};
use crate::problem::{Code, Problem};
use crate::routes::password::weak;
use crate::routes::wire::Id;
use crate::session::founding::{
    DISPLAY_NAME_CHARS_MAX, Founder, Founding, FoundingFailure, InvalidPerson, Person, found,
};

/// The first three administrators: three people, for nobody may hold two of these offices.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The code that the first start printed.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    /// 系统管理员, who does this.
    system: NewPerson,
    /// The system administrator's password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// 安全管理员.
    security: NewPerson,
    /// 审计管理员.
    audit: NewPerson,
}

/// A person who gets an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// What the person logs in with.
    #[schema(value_type = String)]
    user_name: SecretString,
    /// What others call the person.
    #[schema(value_type = String)]
    display_name: SecretString,
}

impl NewPerson {
    /// The person, if both names can be taken.
    pub(crate) fn read(&self) -> Result<Person, Problem> {
        let (user_name, display_name) = (&self.user_name, &self.display_name);
        let person = Person::named(user_name.expose_secret(), display_name.expose_secret());
        person.map_err(|invalid| match invalid {
            InvalidPerson::UserName(_) => Problem::invalid_field("user_name", invalid.to_string()),
            InvalidPerson::DisplayName => Problem::invalid_field(
                "display_name",
                format!("1 to {DISPLAY_NAME_CHARS_MAX} characters"),
            ),
        })
    }
}

/// The accounts that were made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Founders {
    /// One for each office.
    administrators: Vec<FounderView>,
}

/// An account that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct FounderView {
    /// `SYS`, `SEC` or `AUD`.
    role: &'static str,
    /// The person.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// Hand it to that person, who sets a password with it. It is told here and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

impl From<Founder> for FounderView {
    fn from(founder: Founder) -> Self {
        let code = founder.code.as_ref().map(OneTimeCode::reveal);
        Self {
            role: founder.office.role(),
            user: Id(founder.user),
            code,
        }
    }
}

impl From<FoundingFailure> for Problem {
    fn from(failure: FoundingFailure) -> Self {
        match failure {
            FoundingFailure::Throttled(wait) => {
                Self::new(Code::TooManyRequests).retry_after(wait.seconds)
            }
            FoundingFailure::Code | FoundingFailure::Done => Self::new(Code::CodeInvalid),
            FoundingFailure::NameTaken => Self::new(Code::UserNameTaken),
            FoundingFailure::Weak(_) => weak(),
            FoundingFailure::Hash(source) => source.into(),
            FoundingFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Makes the first three administrators, with the code that the first start printed.
#[utoipa::path(post, path = "/v1/bootstrap", tag = "session", request_body = Bootstrap,
    responses((status = CREATED, body = Founders, description = "Made")))]
pub async fn found_deployment(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(request): Json<Bootstrap>,
) -> Result<(StatusCode, Json<Founders>), Problem> {
    let founding = Founding {
        code: OneTimeCode::parse(request.code.expose_secret()),
        system: request.system.read()?,
        password: request.password,
        security: request.security.read()?,
        audit: request.audit.read()?,
    };
    let administrators = found(&app, from, founding)
        .await?
        .map(FounderView::from)
        .into();
    Ok((StatusCode::CREATED, Json(Founders { administrators })))
}
