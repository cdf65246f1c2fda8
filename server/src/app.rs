//! Puts the server together, starts it and stops it. The only place that names a backend.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::{Store, StoreError};
use store_sqlite::{OpenError, SqliteStore};
use sync_core::admit::Catalogues;
use sync_core::seal::OpeningKey;
use sync_core::sync::enrol::OneTimeCode;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use crate::catalogues::{self, KeepError};
use crate::clock::Clock;
use crate::config::Config;
use crate::context::{App, Parts};
use crate::files::Files;
use crate::intake::Intake;
use crate::journals::admission::Admission;
use crate::journals::kept::{Behind, Kept, KeptError};
use crate::journals::refill::RefillFailure;
use crate::journals::registrar::Registrar;
use crate::journals::segments::Packer;
use crate::journals::writer::Writer;
use crate::journals::{fold, publish, refill};
use crate::keys::{KeyError, Keys, make_folder_durably};
use crate::random::Random;
use crate::reports::ReportDesk;
use crate::session::access::AccessTokens;
use crate::session::founding;
use crate::session::passwords::{HashFailure, Passwords};
use crate::session::throttle::Throttle;
use crate::{jobs, serve, telemetry};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be made.
    #[error("cannot make the data folder {}; choose another with --data-dir", path.display())]
    Folder {
        /// The folder of the settings.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be used.
    #[error("the database in {} cannot be used", path.display())]
    Open {
        /// The folder of the settings.
        path: PathBuf,
        /// What the backend says.
        source: OpenError,
    },
    /// The files of records cannot be kept.
    #[error("the files of records cannot be kept in {}", path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A published version of the catalogue cannot be kept.
    #[error("the published versions of the catalogue cannot be kept")]
    Catalogues(#[from] KeepError),
    /// A published version of the catalogue is not there.
    #[error(
        "the files of catalogue version {version}, which was published, are not in the folder `{}`; restore that from a backup: what was \
         written under it would be refused",
        catalogues::FOLDER
    )]
    CatalogueMissing {
        /// The version.
        version: u32,
    },
    /// The last checkpoint cannot be used.
    #[error("the database cannot be held against the last checkpoint")]
    Kept(#[from] KeptError),
    /// What is kept outside the database cannot be put back.
    #[error("what is kept outside the database cannot be put back")]
    Refill(#[from] RefillFailure),
    /// Passwords cannot be hashed as the settings say.
    #[error("passwords cannot be hashed as the settings say")]
    Hash(#[from] HashFailure),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another with --listen")]
    Listen {
        /// The address of the settings.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Why the server stopped before it was told to, or not as it should.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// What accepts connections is gone.
    #[error("the server can no longer accept connections")]
    Accept(#[source] JoinError),
    /// The store has failed: nothing more may be acknowledged.
    #[error(
        "the store has failed; remove the cause (see the log) and start again: what was acknowledged is there"
    )]
    StoreBroken,
    /// Requests were still under way when the time to stop had passed.
    #[error("requests were still under way when the time to stop had passed; they were cut off")]
    CutOff,
}

/// A server that accepts requests, until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    app: App,
    address: SocketAddr,
    first_code: Option<OneTimeCode>,
    serving: JoinHandle<()>,
    jobs: JoinHandle<()>,
}

/// Opens what is kept and puts the application together, without accepting requests.
pub async fn assemble(
    config: Config,
    clock: Arc<dyn Clock>,
    random: Random,
) -> Result<App, StartError> {
    telemetry::metrics();
    let folder = &config.data_dir;
    make_folder_durably(folder).map_err(|source| StartError::Folder {
        path: folder.clone(),
        source,
    })?;
    let keys = Keys::load_or_make(folder, &random)?;
    let opened = SqliteStore::open(&folder.join("zhucun.db")).await;
    let store = opened.map_err(|source| StartError::Open {
        path: folder.clone(),
        source,
    })?;
    let store: Arc<dyn Store> = Arc::new(store);
    let path = folder.join("blobs");
    let files = Files::open(&path).map_err(|source| StartError::Files { path, source })?;
    let deployment = keys.operator.public().deployment();
    let kept = Kept::open(folder, &keys.log.public(), deployment, &*store).await?;
    let kept = Arc::new(kept);
    let registrar = Registrar::new(keys.operator, random.clone(), Arc::clone(&kept));
    let registrar = Arc::new(registrar);
    // A registry that cannot be read is named by whoever reads it next.
    let registered = registrar.current(&mut *store.read().await?).await;
    let published = registered.map_or_else(
        |_| BTreeMap::new(),
        |registered| registered.registry.catalogues.clone(),
    );
    let catalogues: Arc<Catalogues> = Arc::new(catalogues::open(folder, &published)?);
    let writer = Writer {
        store: Arc::clone(&store),
        registrar: Arc::clone(&registrar),
        kept: Arc::clone(&kept),
        catalogues: Arc::clone(&catalogues),
        clock: Arc::clone(&clock),
    };
    let app = App::new(Parts {
        intake: Intake::new(Duration::from_secs(config.header_seconds.get().into())),
        admission: Admission::start(writer),
        packer: Packer::new(Arc::clone(&store)),
        store,
        files,
        registrar,
        catalogues,
        kept,
        log_key: keys.log,
        opening: OpeningKey::from_seed(&keys.sealing.to_seed()),
        deployment,
        passwords: Passwords::new(&config.passwords, &random)?,
        throttle: Throttle::new(Arc::clone(&clock), &random, &config.reports),
        desk: ReportDesk::new(keys.desk, &keys.replies),
        access_tokens: AccessTokens::new(&keys.access, &config.sessions),
        stopping: watch::Sender::new(false),
        config,
        clock,
        random,
    });
    refill::put_back_operators(&app).await?;
    Ok(app)
}

/// Starts a server and returns once it accepts requests.
pub async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    random: Random,
) -> Result<Running, StartError> {
    let app = assemble(config, clock, random).await?;
    let registered = app.registrar().as_last_read();
    let published = registered.registry.catalogues.keys();
    if let Some(&version) =
        (published.into_iter()).find(|version| !app.catalogues().contains_key(version))
    {
        return Err(StartError::CatalogueMissing { version });
    }
    let first_code = if let Some(Behind { signed, here }) = app.kept().behind() {
        tracing::error!(
            log.signed = signed,
            log.here = here,
            "THE DATABASE IS BEHIND THE LAST SIGNED CHECKPOINT: nothing is admitted until phones have given back what is missing; \
             or restore a newer copy, or begin anew with `zhucun log reopen`"
        );
        None
    } else {
        founding::issue_code(&app).await?
    };
    let failed = |source| StartError::Listen {
        address: app.config().listen,
        source,
    };
    let listener = serve::listen(app.config().listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;

    let serving = tokio::spawn(serve::serve(listener, app.clone()));
    let jobs = tokio::spawn(jobs::run(app.clone()));
    tokio::spawn(fold::run(app.clone()));
    tokio::spawn(publish::run(app.clone()));
    tracing::info!(%address, "listening");
    Ok(Running {
        app,
        address,
        first_code,
        serving,
        jobs,
    })
}

impl Running {
    /// The application that it serves.
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// The address that it listens on, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The code that makes the first administrators, if there is none yet.
    pub fn first_code(&self) -> Option<&OneTimeCode> {
        self.first_code.as_ref()
    }

    /// Serves until `told`, then lets requests under way finish. Stops by itself when the store breaks.
    pub async fn until(mut self, told: impl Future<Output = ()>) -> Result<(), StopError> {
        let app = self.app.clone();
        tokio::select! {
            ended = &mut self.serving => ended.map_err(StopError::Accept),
            () = app.store().broken() => {
                tracing::error!("the store has failed; stopping");
                self.stop().await.and(Err(StopError::StoreBroken))
            }
            () = told => self.stop().await,
        }
    }

    /// Accepts no more connections, lets requests under way finish, and cuts them off when the time to stop has passed.
    pub async fn stop(mut self) -> Result<(), StopError> {
        tracing::info!("stopping");
        self.app.stop();
        let patience = Duration::from_secs(self.app.config().shutdown_seconds.get().into());
        let ended = match tokio::time::timeout(patience, &mut self.serving).await {
            Ok(ended) => ended.map_err(StopError::Accept),
            Err(_) => Err(StopError::CutOff),
        };
        // What is durable is so without this; but then it is in one file, for whoever copies that.
        let closing = self.app.store().close();
        if tokio::time::timeout(patience, closing).await.is_err() {
            tracing::warn!("the store was still in use");
        }
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.stop();
        self.serving.abort();
        self.jobs.abort();
    }
}
