//! The program itself in a process of its own, and requests to it over connections of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use sync_core::cbor;
use sync_core::sync::wire::{SyncRequest, SyncResponse};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The program, serving.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the program and waits until it says where it listens.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::run(&mut Self::command(folder)).await
    }

    /// What starts it over a folder.
    pub(crate) fn command(folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhucun"));
        command.arg("--data-dir").arg(folder.join("data"));
        command.args(["--listen", "127.0.0.1:0", "serve"]);
        command
    }

    /// The same, with so much room in each of its files and no more.
    pub(crate) async fn start_in(folder: &Path, blocks: u64) -> Self {
        let data = folder.join("data");
        let script =
            r#"trap '' XFSZ; ulimit -f "$1"; exec "$2" --data-dir "$3" --listen 127.0.0.1:0 serve"#;
        Self::run(
            Command::new("bash")
                .args(["-c", script, "bash", &blocks.to_string()])
                .arg(env!("CARGO_BIN_EXE_zhucun"))
                .arg(data),
        )
        .await
    }

    pub(crate) async fn run(command: &mut Command) -> Self {
        Self::try_run(command).await.expect("it starts")
    }

    /// The same; nothing if it ended before it served.
    pub(crate) async fn try_run(command: &mut Command) -> Option<Self> {
        // The program knows its settings alone.
        let mut child = command
            .env_remove("ZHUCUN_SEED")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = said.next_line().await.unwrap() else {
            child.wait().await.unwrap();
            return None;
        };
        let address = line.strip_prefix("listening on http://").expect("where");
        Some(Self {
            address: address.parse().unwrap(),
            child,
        })
    }

    pub(crate) async fn end(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }
}

/// Syncs over a connection of its own; nothing if the server was gone before it had answered.
pub(crate) async fn exchange(
    address: SocketAddr,
    token: &str,
    request: &SyncRequest,
) -> Option<SyncResponse> {
    let body = cbor::encode(request);
    let head = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/cbor\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    if !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    cbor::decode(body).ok()
}
