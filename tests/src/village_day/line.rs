//! The line between a device and the server: it passes on what goes over it, and counts it.
//!
//! What it counts is independent of what either end believes of itself: the bodies of requests and responses as they travel.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// One request and its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Method and path.
    pub(super) what: String,
    /// Bytes of the request's body.
    pub(super) up: usize,
    /// Bytes of the response's body.
    pub(super) down: usize,
    /// Bytes of both heads.
    pub(super) heads: usize,
}

impl Exchange {
    /// Whether it belongs to the session and not to the work: what an access token costs, once in ten minutes.
    pub(super) fn is_session(&self) -> bool {
        self.what.contains("/v1/session")
    }
}

/// A line to a server.
#[derive(Debug)]
pub(super) struct Line {
    address: SocketAddr,
    counted: Arc<Mutex<Vec<Exchange>>>,
}

impl Line {
    /// A line to this server.
    pub(super) fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let counted: Arc<Mutex<Vec<Exchange>>> = Arc::default();
        let counting = Arc::clone(&counted);
        // It ends with the process.
        thread::spawn(move || {
            for device in listener.incoming().flatten() {
                let counting = Arc::clone(&counting);
                // A line that breaks is noticed by the device.
                thread::spawn(move || pass_on(device, server, &counting).ok());
            }
        });
        Ok(Self { address, counted })
    }

    /// Where the device finds the server.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What went over it since it was asked last.
    pub(super) fn take(&self) -> Vec<Exchange> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *counted)
    }
}

fn pass_on(
    device: TcpStream,
    server: SocketAddr,
    counted: &Mutex<Vec<Exchange>>,
) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&device, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_device, mut from_server) = (
        BufReader::new(device.try_clone()?),
        BufReader::new(server.try_clone()?),
    );
    let (mut to_device, mut to_server) = (device, server);
    while let Some(request) = Message::read(&mut from_device)? {
        to_server.write_all(&request.bytes)?;
        let Some(response) = Message::read(&mut from_server)? else {
            return Ok(());
        };
        let mut exchanges = counted.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.push(Exchange {
            what: request.what,
            up: request.body,
            down: response.body,
            heads: request.bytes.len() - request.body + response.bytes.len() - response.body,
        });
        drop(exchanges);
        to_device.write_all(&response.bytes)?;
    }
    Ok(())
}

/// A request or a response, as it came.
struct Message {
    what: String,
    bytes: Vec<u8>,
    body: usize,
}

impl Message {
    /// The next one; nothing if the other end has none any more.
    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let (mut length, mut chunked) = (0, false);
        loop {
            let start = head.len();
            if from.read_until(b'\n', &mut head)? == 0 {
                return Ok(None);
            }
            let line =
                String::from_utf8_lossy(head.get(start..).unwrap_or_default()).to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
            if line.trim().is_empty() {
                break;
            }
        }
        let first = String::from_utf8_lossy(&head);
        let mut words = first.split([' ', '\r']);
        let what = format!(
            "{} {}",
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default()
        );
        let mut bytes = head.clone();
        let mut body = length;
        if chunked {
            body = read_chunks(from, &mut bytes)?;
        } else {
            let start = bytes.len();
            bytes.resize(start + length, 0);
            from.read_exact(bytes.get_mut(start..).unwrap_or_default())?;
        }
        Ok(Some(Self { what, bytes, body }))
    }
}

fn read_chunks(from: &mut BufReader<TcpStream>, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut body = 0;
    loop {
        let start = bytes.len();
        from.read_until(b'\n', bytes)?;
        let line = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned();
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        let start = bytes.len();
        // The line's end behind it, too; behind the last, no trailers are expected.
        bytes.resize(start + size + 2, 0);
        from.read_exact(bytes.get_mut(start..).unwrap_or_default())?;
        body += size;
        if size == 0 {
            return Ok(body);
        }
    }
}
