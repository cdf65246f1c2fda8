//! The server on a real socket: starting, stopping, and clients that behave badly below HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use server::app::{self, Running};
use server::clock::SystemClock;
use server::config::{Config, Within};
use server::random::Random;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ASK_AND_CLOSE: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

fn config(folder: &TempDir) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: folder.path().into(),
        ..Config::default()
    }
}

async fn start(config: Config) -> Running {
    app::start(config, Arc::new(SystemClock::start()), Random::system())
        .await
        .unwrap()
}

async fn say(address: SocketAddr, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    stream
}

/// Everything that arrives until the server closes the connection.
async fn reply(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_server_starts_on_a_free_port_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(config(&folder)).await;
    assert_ne!(server.address().port(), 0);
    let first = server.first_code().expect("nobody has an account").clone();
    server.until(async {}).await.unwrap();

    let server = start(config(&folder)).await;
    assert_ne!(
        server.first_code(),
        Some(&first),
        "each start issues a code until one was used"
    );
    let taken = Config {
        listen: server.address(),
        ..config(&folder)
    };
    let error = app::start(taken, Arc::new(SystemClock::start()), Random::system())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--listen"), "{error}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(Config {
        connections: Within::new(1).unwrap(),
        ..config(&folder)
    })
    .await;
    let holds_the_seat = say(server.address(), "GET /healthz HTTP/1.1\r\n").await;
    let mut waits = Box::pin(reply(say(server.address(), ASK_AND_CLOSE).await));
    assert!(futures::poll!(&mut waits).is_pending());
    drop(holds_the_seat);
    assert!(waits.await.starts_with("HTTP/1.1 200"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_headers_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let header_seconds = Within::new(1).unwrap();
    let connections = Within::new(1).unwrap();
    let server = start(Config {
        header_seconds,
        connections,
        ..config(&folder)
    })
    .await;
    let dawdler = say(server.address(), "GET /healthz HTTP/1.1\r\nx-slow: ").await;
    let next = say(server.address(), ASK_AND_CLOSE).await;
    assert_eq!(reply(dawdler).await, "");
    assert!(
        reply(next).await.starts_with("HTTP/1.1 200"),
        "the seat is free again"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(config(&folder)).await;
    let address = server.address();
    let body = r#"{"user_name":"nobody","password":"x"}"#;
    let head = format!(
        "POST /v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut under_way = say(address, &head).await;
    let mut go_on = [0; 25];
    under_way.read_exact(&mut go_on).await.unwrap();
    assert_eq!(
        &go_on, b"HTTP/1.1 100 Continue\r\n\r\n",
        "a handler waits for the body"
    );

    let stopping = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    under_way.write_all(body.as_bytes()).await.unwrap();
    let text = reply(under_way).await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    stopping.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(Config {
        shutdown_seconds: Within::new(0).unwrap(),
        ..config(&folder)
    })
    .await;
    let head = "POST /v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    let mut endless = say(server.address(), head).await;
    endless.read_exact(&mut [0; 25]).await.unwrap();
    let stopped = server.stop().await;
    assert!(
        matches!(stopped, Err(app::StopError::CutOff)),
        "{stopped:?}"
    );
    assert_eq!(reply(endless).await, "");
}
