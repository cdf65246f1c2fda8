//! Accepts connections: so many and no more, and none that keeps us waiting for its headers.
//!
//! `axum::serve` would do but for two things: it waits for a request's headers as long as the client likes, and takes on as
//! many connections as there are file descriptors.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::context::App;
use crate::routes;

/// How long to wait when a connection cannot be accepted, because there is no file descriptor left, for example.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Connections that may wait to be accepted. A county's phones find the network at the same time; whoever finds no place is tried
/// again by his system a second later.
const BACKLOG: u32 = 1_024;

/// Listens at an address. Must be called within a runtime.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // So that a server that was just stopped can be started again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until the application stops; then returns once the requests under way are answered. Dropping it cuts them off.
pub(crate) async fn serve(listener: TcpListener, app: App) {
    let router = routes::router(app.clone());
    let seats = usize::try_from(app.config().connections.get()).unwrap_or(usize::MAX);
    let seats = Arc::new(Semaphore::new(seats));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let headers_within = Duration::from_secs(app.config().header_seconds.get().into());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(headers_within);

    loop {
        let accepted = async {
            let seat = Arc::clone(&seats)
                .acquire_owned()
                .await
                .expect("nobody closes it");
            (accept(&listener).await, seat)
        };
        let ((stream, peer), seat) = tokio::select! {
            accepted = accepted => accepted,
            () = app.stopped() => break,
        };
        let service = router
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request
            });
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // A client that breaks off is nothing to report.
            let _ended = connection.await;
            drop(seat);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are short; waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection waits to fill its packets");
                }
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hundreds_of_phones_that_come_at_once_wait_in_line_and_are_not_sent_away() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || async move {
            // The system tries again after a second whom it sent away.
            tokio::time::timeout(RETRY_AFTER, TcpStream::connect(address)).await
        };
        let connecting: Vec<_> = std::iter::repeat_with(connect).take(500).collect();
        for connected in futures::future::join_all(connecting).await {
            connected.expect("a place in the line").unwrap();
        }
    }
}
