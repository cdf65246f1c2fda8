//! A server without a database: the core's own host, asked in the same process or over HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use device::field::NewDevice;
use device::server::{
    Deployment, Enrolled, Enrolment, Failure, LogIn, Problem, Tokens, refresh_digest,
};
use device::{Field, Server};
use serde_json::{Value as Json, json};
use sync_core::catalog::SourceFile;
use sync_core::id::{AreaId, DeviceId, Digest, Timestamp, UserId};
use sync_core::registry::{RegistryAct, Standing};
use sync_core::sign::{ENROL_CONTEXT, PublicKey, REFRESH_CONTEXT, Signature};
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::World;
use sync_core::sync::enrol::OneTimeCode;
use sync_core::sync::refill::{RefillResponse, SignedRefill};
use sync_core::sync::wire::{SyncRequest, SyncResponse};
use sync_core::testing::{Host, TestRng, Village};
use sync_core::vault::Pin;

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);
pub(crate) const PIN: &str = "258046";

/// Later on the same day.
pub(crate) const fn minutes(count: i64) -> Timestamp {
    NOW.plus_ms(count * 60_000)
}

/// The county's server: a host, and who is logged in.
#[derive(Debug)]
pub(crate) struct County {
    pub(crate) host: Host,
    pub(crate) village: Village,
    pub(crate) now: Timestamp,
    /// What is done to the answers to come: `true` loses one after the request was carried out.
    pub(crate) losses: Vec<bool>,
    codes: BTreeMap<Digest, UserId>,
    /// Refresh tokens with their devices and successors.
    refresh: BTreeMap<String, (DeviceId, Option<String>)>,
    access: BTreeMap<String, DeviceId>,
    issued: u64,
}

/// The server as several devices see it.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<County>>);

impl Shared {
    pub(crate) fn new() -> Self {
        let mut host = Host::found(11, NOW);
        let village = host.add_village("半子沟村", NOW);
        Self(Arc::new(Mutex::new(County {
            host,
            village,
            now: NOW,
            losses: Vec::new(),
            codes: BTreeMap::new(),
            refresh: BTreeMap::new(),
            access: BTreeMap::new(),
            issued: 0,
        })))
    }

    pub(crate) fn county(&self) -> MutexGuard<'_, County> {
        self.0
            .lock()
            .expect("no test panics while it holds the county")
    }

    /// A person with an assignment in the village.
    pub(crate) fn person(&self, name: &str, role: &str) -> UserId {
        let area = self.county().village.area;
        self.person_in(area, name, role)
    }

    /// A person with an assignment for an area.
    pub(crate) fn person_in(&self, area: AreaId, name: &str, role: &str) -> UserId {
        let mut county = self.county();
        let since = NOW.date().plus_days(-100);
        let user = county.host.add_user(name, NOW);
        county.host.assign(user, role, area, since, None, NOW);
        user
    }

    /// A one-time code for a person.
    pub(crate) fn code(&self, user: UserId) -> String {
        let mut county = self.county();
        county.issued += 1;
        let code = format!("7Q2K-9FXA-0MZT-{:04}", county.issued);
        let digest = OneTimeCode::parse(&code).expect("a code").digest();
        county.codes.insert(digest, user);
        code
    }

    /// Enrols a device for a person.
    pub(crate) fn field(&self, folder: &Path, user: UserId) -> Field {
        let new = NewDevice {
            server: "in-process".to_owned(),
            code: self.code(user),
            label: "手机".to_owned(),
        };
        let mut rng = TestRng::new(
            user.0.iter().fold(0_u64, |seed, byte| {
                seed.wrapping_mul(31).wrapping_add(u64::from(*byte))
            }) & 0xFFFF,
        );
        let mut world = World {
            now: NOW,
            rng: &mut rng,
        };
        let mut field =
            Field::enrol(folder, &pin(), &new, &mut self.clone(), &mut world).expect("enrolled");
        field.sync(&mut self.clone(), &mut world).expect("synced");
        field
    }

    /// Serves HTTP on a port of its own until the process ends.
    pub(crate) fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is none of the server's business.
                let _gone = shared.clone().answer(&stream);
            }
        });
        format!("http://{address}")
    }
}

pub(crate) fn pin() -> Pin {
    Pin::typed(PIN)
}

fn refused(status: u16, code: &str) -> Failure {
    Failure::Problem(Problem {
        status,
        code: code.to_owned(),
        ..Problem::default()
    })
}

impl County {
    fn issue(&mut self, device: DeviceId) -> String {
        self.issued += 1;
        let token = format!("zhr_{}", self.issued);
        self.refresh.insert(token.clone(), (device, None));
        token
    }

    fn device_of(&self, access: &str) -> Result<DeviceId, Failure> {
        self.access
            .get(access)
            .copied()
            .ok_or_else(|| refused(401, "unauthenticated"))
    }

    /// Forgets every access token, as time does.
    pub(crate) fn expire(&mut self) {
        self.access.clear();
    }

    /// Ends every session.
    pub(crate) fn end_sessions(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    fn lost<T>(&mut self, answer: T) -> Result<T, Failure> {
        if self.losses.pop() == Some(true) {
            return Err(Failure::Unreachable("the line broke".to_owned()));
        }
        Ok(answer)
    }
}

impl Server for Shared {
    fn deployment(&mut self) -> Result<Deployment, Failure> {
        let mut county = self.county();
        let found = county.host.acts().iter().find_map(|(_, act)| match act {
            RegistryAct::Found { operator, .. } => Some(operator.clone()),
            _ => None,
        });
        let operator = found.expect("the first act is the founding");
        let deployment = county.host.deployment();
        county.lost(Deployment {
            deployment,
            operator,
            protocol: PROTOCOL,
        })
    }

    fn enrol(&mut self, enrolment: &Enrolment) -> Result<Enrolled, Failure> {
        let mut county = self.county();
        let code =
            OneTimeCode::parse(&enrolment.code).ok_or_else(|| refused(422, "code_invalid"))?;
        let digest = code.digest();
        let proved = enrolment.key.verify(
            ENROL_CONTEXT,
            county.host.deployment(),
            digest,
            &enrolment.proof,
        );
        proved.map_err(|_| refused(401, "device_proof"))?;
        let user = county
            .codes
            .remove(&digest)
            .ok_or_else(|| refused(422, "code_invalid"))?;
        let device = enrolment.key.device();
        let act = RegistryAct::Enrol {
            key: enrolment.key.clone(),
            user,
            label: enrolment.label.clone(),
        };
        let now = county.now;
        county.host.act(act, now);
        let refresh = county.issue(device);
        county.lost(Enrolled {
            device,
            user,
            tokens: Tokens {
                access: None,
                access_seconds: 0,
                refresh,
            },
        })
    }

    fn log_in(&mut self, log_in: &LogIn) -> Result<Tokens, Failure> {
        let mut county = self.county();
        if log_in.password != "correct horse" {
            return Err(refused(401, "wrong_credentials"));
        }
        let refresh = county.issue(log_in.device);
        county.lost(Tokens {
            access: None,
            access_seconds: 0,
            refresh,
        })
    }

    fn refresh(&mut self, refresh_token: &str, proof: &Signature) -> Result<Tokens, Failure> {
        let mut county = self.county();
        let ended = || refused(401, "session_ended");
        let (device, successor) = county
            .refresh
            .get(refresh_token)
            .cloned()
            .ok_or_else(ended)?;
        let known = county
            .host
            .registry()
            .devices
            .get(&device)
            .cloned()
            .ok_or_else(ended)?;
        if known.standing != Standing::Active {
            return Err(refused(401, "session_ended"));
        }
        let digest = refresh_digest(refresh_token);
        let proved = known
            .key
            .verify(REFRESH_CONTEXT, county.host.deployment(), digest, proof);
        proved.map_err(|_| refused(401, "device_proof"))?;
        let successor = successor.unwrap_or_else(|| county.issue(device));
        county
            .refresh
            .insert(refresh_token.to_owned(), (device, Some(successor.clone())));
        county.issued += 1;
        let access = format!("access {}", county.issued);
        county.access.insert(access.clone(), device);
        county.lost(Tokens {
            access: Some(access),
            access_seconds: 600,
            refresh: successor,
        })
    }

    fn sync(&mut self, access_token: &str, request: &SyncRequest) -> Result<SyncResponse, Failure> {
        let mut county = self.county();
        let device = county.device_of(access_token)?;
        let now = county.now;
        let response = county.host.sync(request, device, now);
        county.lost(response)
    }

    fn refill(&mut self, _request: &SignedRefill) -> Result<RefillResponse, Failure> {
        Ok(RefillResponse {
            behind: false,
            wanted: Vec::new(),
            taken: 0,
        })
    }

    fn catalogue(&mut self, access_token: &str, version: u32) -> Result<Vec<SourceFile>, Failure> {
        let county = self.county();
        county.device_of(access_token)?;
        let catalogue = county.host.catalogues().get(&version);
        catalogue
            .map(|catalogue| catalogue.files().to_vec())
            .ok_or_else(|| refused(404, "not_found"))
    }
}

/// An answer over HTTP: status, media type, body.
type Answer = (u16, &'static str, Vec<u8>);

impl Shared {
    fn answer(mut self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line
            .split_whitespace()
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let (mut length, mut bearer) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "authorization" => value
                    .trim()
                    .trim_start_matches("Bearer ")
                    .clone_into(&mut bearer),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, media, body) = self.route(&path, &bearer, &body).unwrap_or_else(problem);
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)
    }

    fn route(&mut self, path: &str, bearer: &str, body: &[u8]) -> Result<Answer, Failure> {
        let json = || serde_json::from_slice::<Json>(body).map_err(|_| refused(400, "malformed"));
        let text = |json: &Json, name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let answer = match path {
            "/v1/deployment" => {
                let Deployment {
                    deployment,
                    operator,
                    protocol,
                } = self.deployment()?;
                json!({ "deployment": deployment.to_string(), "operator": keyed(operator.algorithm, &operator.bytes), "protocol": protocol })
            }
            "/v1/enrol" => {
                let json = json()?;
                let (algorithm, bytes) = unkeyed(&json["key"]);
                let key = PublicKey { algorithm, bytes };
                let (algorithm, bytes) = unkeyed(&json["proof"]);
                let proof = Signature { algorithm, bytes };
                let enrolment = Enrolment {
                    code: text(&json, "code"),
                    key,
                    proof,
                    label: text(&json, "label"),
                };
                let Enrolled {
                    device,
                    user,
                    tokens,
                } = self.enrol(&enrolment)?;
                json!({ "device": device.to_string(), "user": user.to_string(), "tokens": pair(&tokens) })
            }
            "/v1/session" => {
                let json = json()?;
                let device = text(&json, "device")
                    .parse()
                    .map_err(|_| refused(422, "device_unusable"))?;
                let log_in = LogIn {
                    user_name: text(&json, "user_name"),
                    password: text(&json, "password"),
                    device,
                };
                pair(&self.log_in(&log_in)?)
            }
            "/v1/session/refresh" => {
                let json = json()?;
                let (algorithm, bytes) = unkeyed(&json["proof"]);
                pair(&self.refresh(
                    &text(&json, "refresh_token"),
                    &Signature { algorithm, bytes },
                )?)
            }
            "/v1/sync" => {
                let request =
                    sync_core::cbor::decode(body).map_err(|_| refused(400, "malformed"))?;
                let response = self.sync(bearer, &request)?;
                return Ok((200, "application/cbor", sync_core::cbor::encode(&response)));
            }
            _ => return Err(refused(404, "not_found")),
        };
        Ok((200, "application/json", answer.to_string().into_bytes()))
    }
}

fn problem(failure: Failure) -> Answer {
    let (status, code) = match failure {
        Failure::Problem(problem) => (problem.status, problem.code),
        Failure::Unreachable(_) | Failure::Unreadable(_) => (502, "lost".to_owned()),
    };
    let body = json!({ "status": status, "code": code, "title": code, "title_zh": code, "remedy": "", "remedy_zh": "" });
    (
        status,
        "application/problem+json",
        body.to_string().into_bytes(),
    )
}

fn keyed(algorithm: u8, bytes: &[u8]) -> Json {
    json!({ "algorithm": algorithm, "bytes": URL_SAFE_NO_PAD.encode(bytes) })
}

fn unkeyed(json: &Json) -> (u8, Vec<u8>) {
    let bytes = URL_SAFE_NO_PAD.decode(json["bytes"].as_str().unwrap_or_default());
    let algorithm = json["algorithm"]
        .as_u64()
        .and_then(|algorithm| u8::try_from(algorithm).ok());
    (algorithm.unwrap_or(0), bytes.unwrap_or_default())
}

fn pair(tokens: &Tokens) -> Json {
    json!({ "access_token": tokens.access, "expires_in_seconds": tokens.access_seconds, "refresh_token": tokens.refresh })
}
