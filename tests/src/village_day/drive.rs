//! Many devices at once, each with one connection that it keeps: they send what was prepared and see that it was entered.
//!
//! They share the machine with the server, so they do nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sync_core::batch::WireBatch;
use sync_core::cbor;
use sync_core::id::{JournalId, Seq};
use sync_core::limits;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{Cursor, Outcome, SyncRequest, SyncResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// A device with its requests, ready to be sent.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) journal: JournalId,
    pub(super) requests: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// From the first byte sent to the last answer.
    pub(super) took: Duration,
    /// When the last answer had come.
    pub(super) ended: Option<Instant>,
    /// How long each answer took, in ascending order.
    pub(super) answers: Vec<Duration>,
    /// The last position of each journal.
    pub(super) ends: Vec<(JournalId, Seq)>,
    /// The bytes of the response bodies.
    pub(super) down: usize,
}

impl Driven {
    /// An answer's time at this part of all.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts of answers are small"
        )]
        let at = (self.answers.len() as f64 * part) as usize;
        let last = self.answers.len().saturating_sub(1);
        self.answers.get(at.min(last)).copied().unwrap_or_default()
    }
}

/// A request as it goes over the connection, of a device that knows the registry and the checkpoint up to there.
pub(super) fn request(
    token: &str,
    batches: Vec<WireBatch>,
    cursors: Vec<Cursor>,
    (registry, checkpoint): (Seq, u64),
) -> Vec<u8> {
    let body = cbor::encode(&SyncRequest {
        protocol: PROTOCOL,
        cursors,
        registry,
        batches,
        carried: Vec::new(),
        budget_bytes: u32::try_from(limits::PAGE_BYTES_START).unwrap_or(u32::MAX),
        checkpoint,
    });
    let head = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: zhucun\r\nauthorization: Bearer {token}\r\n\
         content-type: application/cbor\r\naccept: application/cbor\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// Has all of them send all they have.
pub(super) fn drive(server: SocketAddr, clients: Vec<Client>) -> anyhow::Result<Driven> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let ready = Arc::new(Barrier::new(clients.len() + 1));
        let mut running = JoinSet::new();
        for client in clients {
            let ready = Arc::clone(&ready);
            running.spawn(async move {
                let connected = TcpStream::connect(server).await;
                ready.wait().await;
                let connection = connected?;
                connection.set_nodelay(true)?;
                send_all(connection, client).await
            });
        }
        ready.wait().await;
        let begun = Instant::now();
        let mut driven = Driven::default();
        while let Some(done) = running.join_next().await {
            let (journal, seq, answers, down) = done??;
            driven.ends.push((journal, seq));
            driven.answers.extend(answers);
            driven.down += down;
        }
        driven.took = begun.elapsed();
        driven.ended = Some(Instant::now());
        driven.answers.sort_unstable();
        Ok(driven)
    })
}

async fn send_all(
    mut connection: TcpStream,
    client: Client,
) -> anyhow::Result<(JournalId, Seq, Vec<Duration>, usize)> {
    let (mut answers, mut last, mut down) = (Vec::with_capacity(client.requests.len()), 0, 0);
    for request in &client.requests {
        let sent = Instant::now();
        connection.write_all(request).await?;
        let body = answer(&mut connection).await?;
        answers.push(sent.elapsed());
        down += body.len();
        let response: SyncResponse = cbor::decode(&body)?;
        for receipt in &response.receipts {
            let Outcome::Entered { seq, unusual } = &receipt.outcome else {
                bail!("a batch was not entered: {:?}", receipt.outcome);
            };
            ensure!(
                unusual.is_empty(),
                "a command was not simply accepted: {unusual:?}"
            );
            last = *seq;
        }
    }
    Ok((client.journal, last, answers, down))
}

/// The body of the next answer.
async fn answer(connection: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2_048);
    let (end, length) = loop {
        ensure!(
            connection.read_buf(&mut bytes).await? > 0,
            "the server closed a connection"
        );
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_lowercase();
            ensure!(head.starts_with("http/1.1 200"), "the server said {head}");
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length = length.context("an answer has a length")?;
            break (end + 4, length.trim().parse::<usize>()?);
        }
    };
    while bytes.len() < end + length {
        ensure!(
            connection.read_buf(&mut bytes).await? > 0,
            "the server closed a connection"
        );
    }
    Ok(bytes.split_off(end))
}
