//! The county's server, what its administrators set up, and who reads in a browser.

pub(crate) mod phone;

mod clock;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rand::RngExt as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value as Json, json};
use server::app::{self, Running};
use server::clock::Clock as _;
use server::config::{Config, Within};
use server::journals::{fold, publish};
use server::random::Random;
use server::reports;
use sync_core::id::{Date, JournalId, Timestamp};
use sync_core::sync::enrol::OneTimeCode;
use sync_core::vault::Pin;
use tokio::runtime::Runtime;

use crate::fixtures;
use clock::StoryClock;
use phone::Phone;

/// When all begins, counted from the last day.
const BEGINS: i32 = -214;

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) user_name: &'static str,
    pub(crate) name: &'static str,
    pub(crate) role: &'static str,
    pub(crate) password: String,
    user: String,
}

/// The server, over HTTP, and the secrets that its people know.
pub(crate) struct County<'a> {
    runtime: &'a Runtime,
    running: Running,
    clock: Arc<StoryClock>,
    client: Client,
    folder: PathBuf,
    accounts: BTreeMap<&'static str, Account>,
    signed_in: RefCell<BTreeMap<&'static str, (String, Timestamp)>>,
    pin: String,
}

impl fmt::Debug for County<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("County").finish_non_exhaustive()
    }
}

impl<'a> County<'a> {
    /// Starts an empty server on SQLite in a folder.
    pub(crate) fn start(
        runtime: &'a Runtime,
        folder: &Path,
        listen: SocketAddr,
        config: Config,
    ) -> anyhow::Result<Self> {
        let clock = Arc::new(StoryClock::start());
        clock.leap(clock.last_day().plus_days(BEGINS), 7, 30);
        let mut config = Config {
            data_dir: folder.join("server"),
            listen,
            ..config
        };
        // Nobody in the story stops to log in again.
        config.sessions.device_days = Within::new(365).context("a year is within the bounds")?;
        let started = app::start(config, Arc::clone(&clock) as _, Random::system());
        Ok(Self {
            running: runtime.block_on(started)?,
            runtime,
            clock,
            client: Client::new(),
            folder: folder.to_owned(),
            accounts: BTreeMap::new(),
            signed_in: RefCell::default(),
            pin: fresh_pin(),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.address())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn pin(&self) -> &str {
        &self.pin
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The second and last day of the story.
    pub(crate) fn last_day(&self) -> Date {
        self.clock.last_day()
    }

    /// It is such a time on the first (0) or second (1) day, or on one before.
    pub(crate) fn at(&self, day: i32, hour: i64, minute: i64) {
        self.clock
            .leap(self.clock.last_day().plus_days(day - 1), hour, minute);
    }

    /// Founds the deployment with its three administrators.
    pub(crate) fn found(
        &mut self,
        people: [(&'static str, &'static str); 3],
    ) -> anyhow::Result<()> {
        let code = self
            .running
            .first_code()
            .context("founded already")?
            .reveal();
        let password = fresh_password();
        let person = |(user_name, name): (&str, &str)| json!({ "user_name": user_name, "display_name": name });
        let [system, security, audit] = people;
        let founded = self.post(
            None,
            "/v1/bootstrap",
            &json!({ "code": code, "password": password, "system": person(system), "security": person(security), "audit": person(audit) }),
        )?;
        let administrators = founded["administrators"]
            .as_array()
            .context("administrators")?;
        for ((user_name, name), made) in people.into_iter().zip(administrators) {
            let password = match made["code"].as_str() {
                Some(code) => self.set_password(code)?,
                None => password.clone(),
            };
            let role = match made["role"].as_str() {
                Some("SYS") => "SYS",
                Some("SEC") => "SEC",
                _ => "AUD",
            };
            let user = text(&made["user"])?;
            let account = Account {
                user_name,
                name,
                role,
                password,
                user,
            };
            self.accounts.insert(role, account);
        }
        Ok(())
    }

    /// Imports the areas of the sample: what the server says of it.
    pub(crate) fn import_areas(&self) -> anyhow::Result<Json> {
        let token = self.log_in("SYS")?;
        let import = self
            .request(Method::POST, Some(&token), "/v1/areas/import")
            .header("content-type", "text/csv")
            .body(fixtures::AREAS);
        Ok(serde_json::from_slice(&self.send(import)?)?)
    }

    /// Makes an account with a role in an area from the first day of the story, known under `key`.
    pub(crate) fn person(
        &mut self,
        key: &'static str,
        (user_name, name): (&'static str, &'static str),
        (role, area): (&'static str, &str),
        to: Option<Date>,
    ) -> anyhow::Result<()> {
        let (system, security) = (self.log_in("SYS")?, self.log_in("SEC")?);
        let person = json!({ "user_name": user_name, "display_name": name });
        let added = self.post(Some(&system), "/v1/users", &person)?;
        let user = text(&added["user"])?;
        let mut assignment = json!({ "user": user, "role": role, "area": area });
        if let Some(to) = to {
            assignment["to"] = json!(to.to_string());
        }
        self.post(Some(&security), "/v1/assignments", &assignment)?;
        let password = self.set_password(&text(&added["password_code"]["code"])?)?;
        let account = Account {
            user_name,
            name,
            role,
            password,
            user,
        };
        self.accounts.insert(key, account);
        Ok(())
    }

    /// Enrols a device for somebody, as an administrator hands out a code.
    pub(crate) fn phone(&self, key: &str) -> anyhow::Result<Phone> {
        let account = self.account(key)?;
        let folder = self.folder.join("phones").join(account.user_name);
        let code = self.enrolment_code(key)?;
        Phone::enrol(
            account.name,
            &folder,
            &self.pin,
            &self.url(),
            &code,
            self.now(),
        )
    }

    /// A one-time code by which somebody enrols a device.
    pub(crate) fn enrolment_code(&self, key: &str) -> anyhow::Result<String> {
        let path = format!("/v1/users/{}/enrolment-code", self.account(key)?.user);
        let issued = self.post(Some(&self.log_in("SYS")?), &path, &json!({}))?;
        text(&issued["code"])
    }

    /// Revokes a device for good.
    pub(crate) fn revoke(&self, phone: &Phone, cause: &str) -> anyhow::Result<()> {
        let path = format!("/v1/devices/{}/revoke", phone.field.device().id());
        self.post(
            Some(&self.log_in("SYS")?),
            &path,
            &json!({ "cause": cause }),
        )?;
        Ok(())
    }

    /// What the server does by itself within a minute: folds what arrived, and publishes a checkpoint.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let app = self.running.app();
        self.runtime.block_on(async {
            fold::fold_all(app.store(), app.catalogues(), app.deployment()).await?;
            publish::publish(app).await?;
            Ok(())
        })
    }

    /// Opens a village's page for reports, as an operator does at the command line.
    pub(crate) fn open_reports(&self, village: &str) -> anyhow::Result<()> {
        let opened = reports::open(self.running.app(), village);
        self.runtime.block_on(opened)?;
        Ok(())
    }

    /// Sends a form of a village's page for reports, as any browser does without an account, and gives the page that comes back.
    pub(crate) fn report(
        &self,
        village: JournalId,
        page: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let path = format!("/report/{village}{page}");
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self.request(Method::POST, None, &path).body(body);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok(String::from_utf8(self.send(request)?)?)
    }

    /// An access token of a browser's session: that of the last log-in, while it is good.
    pub(crate) fn log_in(&self, key: &'static str) -> anyhow::Result<String> {
        let now = self.now();
        if let Some((token, until)) = self.signed_in.borrow().get(key)
            && now < *until
        {
            return Ok(token.clone());
        }
        let Account {
            user_name,
            password,
            ..
        } = self.account(key)?;
        let body = json!({ "user_name": user_name, "password": password });
        let pair = self.post(None, "/v1/session", &body)?;
        let token = text(&pair["access_token"])?;
        let seconds = pair["expires_in_seconds"].as_i64().unwrap_or(0);
        let until = now.plus_ms(seconds * 1000);
        self.signed_in
            .borrow_mut()
            .insert(key, (token.clone(), until));
        Ok(token)
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> anyhow::Result<Json> {
        Ok(serde_json::from_slice(&self.get_bytes(token, path)?)?)
    }

    pub(crate) fn get_bytes(&self, token: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        self.send(self.request(Method::GET, Some(token), path))
    }

    /// Ends with the story.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.running.stop())?)
    }

    /// From now on it is as late as it is.
    pub(crate) fn stay(&self) {
        self.clock.leap_to_present();
    }

    /// Lets people look around until somebody presses Ctrl-C.
    pub(crate) fn run_until_interrupted(self) -> anyhow::Result<()> {
        self.stay();
        let interrupted = async {
            // Whoever cannot be told to stop would run for ever.
            if tokio::signal::ctrl_c().await.is_err() {}
        };
        Ok(self.runtime.block_on(self.running.until(interrupted))?)
    }

    fn account(&self, key: &str) -> anyhow::Result<&Account> {
        self.accounts
            .get(key)
            .with_context(|| format!("nobody is {key}"))
    }

    fn set_password(&self, code: &str) -> anyhow::Result<String> {
        let password = fresh_password();
        self.post(
            None,
            "/v1/password/set",
            &json!({ "code": code, "new": password }),
        )?;
        Ok(password)
    }

    fn post(&self, token: Option<&str>, path: &str, body: &Json) -> anyhow::Result<Json> {
        let request = self.request(Method::POST, token, path).json(body);
        let bytes = self.send(request)?;
        if bytes.is_empty() {
            return Ok(Json::Null);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn request(&self, method: Method, token: Option<&str>, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url()));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn send(&self, request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
        self.runtime.block_on(async {
            let response = request.send().await?;
            let (url, status) = (response.url().path().to_owned(), response.status());
            let bytes = response.bytes().await?;
            ensure!(
                status.is_success(),
                "{url}: {status} {}",
                String::from_utf8_lossy(&bytes)
            );
            Ok(bytes.into())
        })
    }
}

fn text(json: &Json) -> anyhow::Result<String> {
    Ok(json
        .as_str()
        .context("the server's answer lacks a text")?
        .to_owned())
}

/// No two demonstrations have the same password.
fn fresh_password() -> String {
    OneTimeCode::from_random(rand::rng().random()).reveal()
}

/// Nor the same PIN.
fn fresh_pin() -> String {
    loop {
        let pin = format!("{:06}", rand::rng().random_range(0..1_000_000));
        if Pin::typed(&pin).check().is_ok() {
            return pin;
        }
    }
}
