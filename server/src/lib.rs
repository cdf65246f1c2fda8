//! The shell around the core: HTTP, sessions, settings, jobs.
//!
//! A request passes, from the outside in: [`telemetry`] (an id, a span, a count), the limits of [`routes`], the extractors of
//! [`context`] (who calls, and a body parsed at the door), and a handler of a few lines in `routes/<noun>/<operation>.rs`.
//! Every failure leaves as a [`problem`]. [`app`] puts it all together and is the only place that names a backend; time and
//! randomness come from [`clock`] and [`random`] alone, so that a test can hand in its own.
//!
//! ```
//! # tokio_test(async {
//! use std::sync::Arc;
//! use server::{app, clock::SystemClock, config::Config, random::Random};
//!
//! let folder = tempfile::tempdir()?;
//! let listen = ([127, 0, 0, 1], 0).into();
//! let config = Config { listen, data_dir: folder.path().into(), ..Config::default() };
//! let server = app::start(config, Arc::new(SystemClock::start()), Random::system()).await?;
//! assert_ne!(server.address().port(), 0);
//! server.stop().await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # });
//! # fn tokio_test<T, E: std::fmt::Debug>(test: impl Future<Output = Result<T, E>>) {
//! #     tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test).unwrap();
//! # }
//! ```

pub mod admin;
pub mod app;
pub mod catalogues;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod files;
pub mod intake;
pub mod jobs;
pub mod journals;
pub mod keys;
pub mod papers;
pub mod problem;
pub mod random;
pub mod reading;
pub mod reports;
pub mod routes;
mod serve;
pub mod session;
pub mod telemetry;
pub mod verify;
