//! Puts the server together, starts it and stops it. The only place that names a backend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::context::{App, Parts};
use crate::random::Random;
use crate::{routes, telemetry};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another with --listen")]
    Listen {
        /// The address of the settings.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Why the server stopped before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Connections can no longer be accepted.
    #[error("the server can no longer accept connections")]
    Accept(#[source] io::Error),
    /// Requests were still under way when the time to stop had passed.
    #[error("requests were still under way when the time to stop had passed; they were cut off")]
    CutOff,
}

/// A server that accepts requests, until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    patience: Duration,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
}

/// Starts a server and returns once it accepts requests.
pub async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    random: Random,
) -> Result<Running, StartError> {
    telemetry::metrics();
    let failed = |source| StartError::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let patience = Duration::from_secs(config.shutdown_seconds.get().into());
    let (stopping, told_to_stop) = watch::channel(false);

    let app = App::new(Parts {
        config,
        clock,
        random,
        stopping: told_to_stop.clone(),
    });
    let service = routes::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(until_told(told_to_stop));
    let serving = tokio::spawn(async move { server.await });
    tracing::info!(%address, "listening");
    Ok(Running {
        address,
        patience,
        stopping,
        serving,
    })
}

async fn until_told(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever ran the server.
    let _told_or_gone = stopping.wait_for(|stop| *stop).await.map(|_| ());
}

impl Running {
    /// The address that it listens on, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `told`, then lets requests under way finish.
    pub async fn until(mut self, told: impl Future<Output = ()>) -> Result<(), StopError> {
        tokio::select! {
            ended = &mut self.serving => return Self::outcome(ended),
            () = told => {}
        }
        self.stop().await
    }

    /// Accepts no more connections, lets requests under way finish, and cuts them off when the time to stop has passed.
    pub async fn stop(mut self) -> Result<(), StopError> {
        tracing::info!("stopping");
        self.stopping.send_replace(true);
        match tokio::time::timeout(self.patience, &mut self.serving).await {
            Ok(ended) => Self::outcome(ended),
            Err(_) => {
                self.serving.abort();
                Err(StopError::CutOff)
            }
        }
    }

    fn outcome(ended: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), StopError> {
        ended
            .map_err(io::Error::other)
            .and_then(|served| served)
            .map_err(StopError::Accept)
    }
}
