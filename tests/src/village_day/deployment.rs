//! A deployment on disk, made by the server's own code in this process, to be left to the program.
//!
//! Its clock is handed in: a village has a past before the program starts, so that nothing it recorded is claimed for the future.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use server::app::{self, Running};
use server::clock::{Clock as _, ManualClock};
use server::config::{Config, Sessions, Within};
use server::context::App;
use server::journals::{fold, publish};
use server::random::Random;
use server::session::access::Identity;
use server::session::codes;
use server::session::founding::{self, Person as Founder};
use store::accounts::{Account, CodePurpose, Device, NewRefreshToken, Session};
use store::personal::Personal;
use sync_core::area::Level;
use sync_core::id::{
    AreaId, AssignmentId, DeploymentId, DeviceId, JournalId, Seq, SessionId, Timestamp, UserId,
    sha256,
};
use sync_core::registry::{Purpose, RegistryAct};
use sync_core::sign::SigningKey;
use tokio::runtime::Runtime;

/// Villages in one township.
const TOWNSHIP_VILLAGES: usize = 200;
/// Roles and areas are in force since so many days before the deployment is founded.
const SINCE_DAYS: i32 = 800;
const HOUR_MS: i64 = 3_600_000;

fn sixteen(parts: &[&str]) -> [u8; 16] {
    let digest = sha256(&[parts.join("/").as_bytes()]).0;
    digest.first_chunk().copied().unwrap_or_default()
}

/// A village of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Village {
    pub(super) number: usize,
    pub(super) area: AreaId,
    pub(super) journal: JournalId,
}

impl Village {
    /// The village of this number; ids follow from it.
    pub(super) fn new(number: usize) -> Self {
        let name = number.to_string();
        Self {
            number,
            area: AreaId(sixteen(&["area", &name])),
            journal: JournalId(sixteen(&["journal", &name])),
        }
    }
}

/// Somebody who works in a village, with a key that everything here can sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worker {
    pub(super) user: UserId,
    pub(super) assignment: AssignmentId,
    pub(super) device: DeviceId,
    pub(super) seed: [u8; 32],
}

impl Worker {
    /// The worker of this number in a village.
    pub(super) fn new(village: &Village, number: usize) -> Self {
        let name = format!("{}-{number}", village.number);
        let seed = sha256(&[b"key", name.as_bytes()]).0;
        Self {
            user: UserId(sixteen(&["user", &name])),
            assignment: AssignmentId(sixteen(&["assignment", &name])),
            device: SigningKey::from_seed(seed).public().device(),
            seed,
        }
    }
}

/// The server in this process.
pub(super) struct Deployment {
    runtime: Runtime,
    running: Running,
    clock: Arc<ManualClock>,
}

impl Deployment {
    /// Founds one in a folder, at such a time.
    pub(super) fn found(folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let here = Self::open(folder, now)?;
        let person = |name: &str| Founder::named(name, name);
        let founders = [person("system")?, person("security")?, person("audit")?];
        here.runtime
            .block_on(founding::found_as_operator(here.app(), founders))?;
        let from = now.date().plus_days(-SINCE_DAYS);
        let area = |name: &str| AreaId(sixteen(&["area", name]));
        let set = |level, name: &str, parent: Option<&str>, code: &str| {
            Ok::<_, anyhow::Error>(RegistryAct::SetArea {
                area: area(name),
                level,
                parent: parent.map(area),
                code: code.parse().context("a division code")?,
                name: name.to_owned(),
                from,
                to: None,
            })
        };
        let above = [
            set(Level::Province, "province", None, "640000000000")?,
            set(Level::City, "city", Some("province"), "640400000000")?,
            set(Level::County, "county", Some("city"), "640422000000")?,
        ];
        here.enter(&above)?;
        Ok(here)
    }

    /// Opens what lies in a folder.
    pub(super) fn open(folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let clock = Arc::new(ManualClock::at(now));
        let config = Config {
            data_dir: folder.join("data"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            // A village is recorded over months, by phones that nobody logs in anew.
            sessions: Sessions {
                device_idle_days: Within::new(365).context("a year is not too long")?,
                device_days: Within::new(730).context("two years are not too long")?,
                ..Sessions::default()
            },
            ..Config::default()
        };
        let started = app::start(config, Arc::clone(&clock) as _, Random::system());
        Ok(Self {
            running: runtime.block_on(started)?,
            runtime,
            clock,
        })
    }

    pub(super) const fn app(&self) -> &App {
        self.running.app()
    }

    pub(super) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn id(&self) -> DeploymentId {
        self.app().deployment()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.running.address())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// It is so late, if it was not later already.
    pub(super) fn at(&self, time: Timestamp) {
        let ms = u64::try_from(time.0 - self.now().0).unwrap_or(0);
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Enters acts into the registry.
    pub(super) fn enter(&self, acts: &[RegistryAct]) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            let (app, now) = (self.app(), self.now());
            let mut unit = app.store().begin().await?;
            app.registrar().enter(&mut *unit, acts, None, now).await?;
            Ok(unit.commit().await?)
        })
    }

    /// Adds villages, each with a journal, and so many workers in each of them: a first secretary, and team members. With `devices`
    /// each has the device of [`Worker::seed`] already.
    pub(super) fn settle(
        &self,
        villages: &[Village],
        workers: usize,
        devices: bool,
    ) -> anyhow::Result<()> {
        let mut acts = Vec::new();
        let mut accounts = Vec::new();
        let now = self.now();
        let from = now.date().plus_days(-SINCE_DAYS);
        let mut townships = BTreeMap::new();
        for village in villages {
            let township = village.number / TOWNSHIP_VILLAGES;
            let name = format!("township {township}");
            let area = AreaId(sixteen(&["area", &name]));
            if townships.insert(township, area).is_none() {
                acts.push(RegistryAct::SetArea {
                    area,
                    level: Level::Township,
                    parent: Some(AreaId(sixteen(&["area", "county"]))),
                    code: format!("640422{:03}000", 100 + township).parse()?,
                    name,
                    from,
                    to: None,
                });
            }
            let place = 200 + village.number % TOWNSHIP_VILLAGES;
            acts.push(RegistryAct::SetArea {
                area: village.area,
                level: Level::Village,
                parent: Some(area),
                code: format!("640422{:03}{place:03}", 100 + township).parse()?,
                name: format!("第{}村", village.number),
                from,
                to: None,
            });
            acts.push(RegistryAct::SetJournal {
                journal: village.journal,
                purpose: Purpose::Village,
                area: village.area,
                from,
            });
            for number in 0..workers {
                let Worker {
                    user,
                    assignment,
                    device,
                    seed,
                } = Worker::new(village, number);
                let name = format!("队员{}-{number}", village.number);
                let role = if number == 0 { "FS" } else { "TM" };
                let key = SigningKey::from_seed(seed).public();
                let account = Account {
                    user,
                    user_name: format!("u-{}-{number}", village.number).parse()?,
                    display_name: Personal(name.clone()),
                    password: None,
                    created_at: now,
                    disabled_at: None,
                };
                let of_worker = Device {
                    device,
                    user,
                    key: key.clone(),
                    enrolled_at: now,
                    ended_at: None,
                };
                accounts.push((account, devices.then_some(of_worker)));
                acts.push(RegistryAct::SetUser {
                    user,
                    name,
                    active: true,
                });
                acts.push(RegistryAct::Assign {
                    assignment,
                    user,
                    role: role.to_owned(),
                    area: village.area,
                    from,
                    to: None,
                    sent_by: None,
                });
                acts.extend(devices.then(|| RegistryAct::Enrol {
                    key,
                    user,
                    label: "手机".to_owned(),
                }));
            }
        }
        self.enter(&acts)?;
        self.runtime.block_on(async {
            let mut unit = self.app().store().begin().await?;
            for (account, device) in &accounts {
                unit.add_account(account).await?;
                if let Some(device) = device {
                    unit.add_device(device).await?;
                }
            }
            Ok(unit.commit().await?)
        })
    }

    /// A code with which a worker enrols a phone of his own.
    pub(super) fn enrolment_code(&self, worker: &Worker) -> anyhow::Result<String> {
        let code = codes::generate(self.app().random());
        let issued = codes::issued(
            &code,
            CodePurpose::EnrolDevice,
            Some(worker.user),
            self.now(),
        );
        self.runtime.block_on(async {
            let mut unit = self.app().store().begin().await?;
            unit.add_code(&issued).await?;
            anyhow::Ok(unit.commit().await?)
        })?;
        Ok(code.reveal())
    }

    /// Access tokens of workers' devices, each in a new session.
    pub(super) fn tokens(&self, workers: &[Worker]) -> anyhow::Result<Vec<String>> {
        let (app, now) = (self.app(), self.now());
        let until = now.plus_ms(24 * HOUR_MS);
        self.runtime.block_on(async {
            let mut unit = app.store().begin().await?;
            let mut tokens = Vec::new();
            for worker in workers {
                let session = SessionId(app.random().bytes());
                let began = Session {
                    session,
                    user: worker.user,
                    device: Some(worker.device),
                    started_at: now,
                    expires_at: until,
                    ended: None,
                };
                let refresh = NewRefreshToken {
                    hash: sha256(&[&session.0]),
                    issued_at: now,
                    expires_at: until,
                };
                unit.add_session(&began, &refresh).await?;
                let identity = Identity {
                    user: worker.user,
                    device: Some(worker.device),
                    session,
                };
                let token = app
                    .access_tokens()
                    .issue(&identity, now, app.random().bytes())?;
                tokens.push(token);
            }
            unit.commit().await?;
            Ok(tokens)
        })
    }

    /// The registry's position, and the size of the newest checkpoint: what a device knows that has synced.
    pub(super) fn known(&self) -> anyhow::Result<(Seq, u64)> {
        let registered = self.runtime.block_on(async {
            let mut unit = self.app().store().read().await?;
            anyhow::Ok(self.app().registrar().current(&mut *unit).await?)
        })?;
        let newest = self.app().kept().newest();
        let size = newest.map_or(0, |checkpoint| checkpoint.size);
        Ok((registered.registry.position().seq, size))
    }

    /// Publishes a checkpoint over what has arrived.
    pub(super) fn publish(&self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(publish::publish(self.app()))?)
    }

    /// Folds everything that arrived, as the server does by itself.
    pub(super) fn fold(&self) -> anyhow::Result<()> {
        let app = self.app();
        let folded = fold::fold_all(app.store(), app.catalogues(), app.deployment());
        Ok(self.runtime.block_on(folded)?)
    }

    /// Stops, so that the program can have the folder.
    pub(super) fn leave(self) -> anyhow::Result<()> {
        let Self {
            runtime, running, ..
        } = self;
        Ok(runtime.block_on(running.stop())?)
    }
}
