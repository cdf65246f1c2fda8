//! Access tokens: signed statements of identity, good for minutes (RFC 9068, RFC 8725).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sync_core::id::{DeviceId, SessionId, Timestamp, UserId};
use sync_core::sign::SigningKey;

use crate::config::Sessions;

/// Tells an access token from every other kind of JWT.
const TYPE: &str = "at+jwt";

/// PKCS #8 as RFC 8410 has it, up to the 32 bytes of an Ed25519 seed.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Who calls. It says nothing of what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The person.
    pub user: UserId,
    /// The device; none for a browser.
    pub device: Option<DeviceId>,
    /// The session.
    pub session: SessionId,
}

/// The token does not name anyone: it is no token, not ours, not for us, or past its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid access token")]
pub struct InvalidToken;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    jti: String,
    iat: i64,
    exp: i64,
}

/// Issues and verifies access tokens with one key and one algorithm.
pub struct AccessTokens {
    header: Header,
    signs: EncodingKey,
    verifies: DecodingKey,
    validation: Validation,
    issuer: String,
    audience: String,
    life_seconds: u32,
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens")
    }
}

impl AccessTokens {
    /// Tokens signed by this key.
    pub fn new(key: &SigningKey, settings: &Sessions) -> Self {
        let public = key.public();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(public.device().short()),
            ..Header::new(Algorithm::EdDSA)
        };
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.validate_exp = false; // the library would read the clock; `verify` is told the time
        Self {
            header,
            signs: EncodingKey::from_ed_der(&[&PKCS8_ED25519[..], &*key.to_seed()].concat()),
            verifies: DecodingKey::from_ed_der(&public.bytes),
            validation,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            life_seconds: settings.access_minutes.get() * 60,
        }
    }

    /// How long a token is good for.
    pub fn life_seconds(&self) -> u32 {
        self.life_seconds
    }

    /// A token for this caller, good from now on. `jti` makes it unlike any other.
    pub fn issue(
        &self,
        identity: &Identity,
        now: Timestamp,
        jti: [u8; 16],
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.0.div_euclid(1000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: identity.user.to_string(),
            sid: identity.session.to_string(),
            dev: identity.device.map(|device| device.to_string()),
            jti: SessionId(jti).to_string(),
            iat,
            exp: iat + i64::from(self.life_seconds),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signs)
    }

    /// Whom a token names, if it is ours, for us, and not past its time. It does not say whether the session goes on.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, InvalidToken> {
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.verifies, &self.validation)
            .map_err(|_| InvalidToken)?;
        let claims = decoded.claims;
        let ours = decoded.header.typ.as_deref() == Some(TYPE)
            && claims.iss == self.issuer
            && claims.aud == self.audience
            && now.0.div_euclid(1000) < claims.exp;
        if !ours {
            return Err(InvalidToken);
        }
        Ok(Identity {
            user: claims.sub.parse().map_err(|_| InvalidToken)?,
            device: claims
                .dev
                .map(|device| device.parse())
                .transpose()
                .map_err(|_| InvalidToken)?,
            session: claims.sid.parse().map_err(|_| InvalidToken)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn key() -> SigningKey {
        SigningKey::from_seed([7; 32])
    }

    fn tokens() -> AccessTokens {
        AccessTokens::new(&key(), &Sessions::default())
    }

    fn identity() -> Identity {
        Identity {
            user: UserId([1; 16]),
            device: Some(DeviceId([2; 16])),
            session: SessionId([3; 16]),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "zhucun", "aud": "zhucun-api", "jti": "x", "iat": NOW.0 / 1000, "exp": NOW.0 / 1000 + 600,
            "sub": identity().user.to_string(), "sid": identity().session.to_string(),
        })
    }

    fn header() -> Header {
        Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        }
    }

    fn signed(header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &tokens().signs).unwrap()
    }

    #[track_caller]
    fn check_refused(token: &str) {
        assert_eq!(tokens().verify(token, NOW), Err(InvalidToken));
    }

    #[test]
    fn a_token_names_its_caller_until_its_time_is_past() {
        let tokens = tokens();
        for identity in [
            identity(),
            Identity {
                device: None,
                ..identity()
            },
        ] {
            let token = tokens.issue(&identity, NOW, [4; 16]).unwrap();
            assert_eq!(tokens.verify(&token, NOW), Ok(identity));
            assert_eq!(tokens.verify(&token, NOW.plus_ms(599_999)), Ok(identity));
            assert_eq!(
                tokens.verify(&token, NOW.plus_ms(600_000)),
                Err(InvalidToken)
            );
        }
    }

    #[test]
    fn a_token_holds_identity_and_nothing_else() {
        let token = tokens().issue(&identity(), NOW, [4; 16]).unwrap();
        let payload = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let payload: serde_json::Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        let mut names: Vec<_> = payload.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["aud", "dev", "exp", "iat", "iss", "jti", "sid", "sub"]
        );
    }

    #[test]
    fn the_algorithm_is_ours_to_choose() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for alg in ["none", "None", "NONE", ""] {
            check_refused(&format!(
                "{}.{}.",
                part(json!({ "alg": alg, "typ": TYPE })),
                part(claims())
            ));
        }
        // The public key is no secret: a token "signed" with it as a shared secret must not pass.
        let public = key().public().bytes;
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header {
                alg: algorithm,
                ..header()
            };
            check_refused(
                &jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&public))
                    .unwrap(),
            );
        }
        let good = signed(&header(), &claims());
        let (_, rest) = good.split_once('.').unwrap();
        check_refused(&format!(
            "{}.{rest}",
            part(json!({ "alg": "HS256", "typ": TYPE }))
        ));
        assert!(tokens().verify(&good, NOW).is_ok());
    }

    #[test]
    fn a_token_of_another_key_or_kind_or_with_a_flipped_bit_is_none() {
        let other = AccessTokens::new(&SigningKey::from_seed([8; 32]), &Sessions::default());
        check_refused(&other.issue(&identity(), NOW, [4; 16]).unwrap());
        for typ in [None, Some("JWT".to_owned()), Some("refresh+jwt".to_owned())] {
            check_refused(&signed(&Header { typ, ..header() }, &claims()));
        }
        let good = signed(&header(), &claims());
        for (at, _) in good.char_indices().step_by(7) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(bytes).unwrap();
            if flipped != good && at + 2 < good.len() {
                check_refused(&flipped);
            }
        }
        for garbage in ["", ".", "..", "a.b.c", "Bearer"] {
            check_refused(garbage);
        }
    }

    #[test]
    fn every_claim_is_needed_and_for_us() {
        for name in ["iss", "aud", "sub", "sid", "jti", "iat", "exp"] {
            let mut missing = claims();
            missing.as_object_mut().unwrap().remove(name);
            check_refused(&signed(&header(), &missing));
        }
        let wrong = [
            ("aud", json!("another")),
            ("aud", json!(["zhucun-api", "another"])),
            ("aud", json!(null)),
            ("iss", json!("another")),
            ("iss", json!(["zhucun"])),
            ("exp", json!(NOW.0 / 1000)),
            ("exp", json!("9999999999")),
            ("sub", json!("someone")),
            ("sid", json!("")),
            ("dev", json!("a phone")),
            ("role", json!("SYS")),
        ];
        for (name, value) in wrong {
            let mut claims = claims();
            claims[name] = value;
            check_refused(&signed(&header(), &claims));
        }
    }
}
