//! Engine.io over HTTP long-polling, with the cookie of whatever stands before the server.

use super::packet::{self, Packet};
use crate::error::ClientError;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Between frames of one body (engine.io v4).
const SEPARATOR: char = '\u{1e}';
const CLOSE: &str = "1";
/// A poll waits for the next frame, and a heartbeat is one.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Frames that wait to be read; then the next poll does.
const FRAMES_MAX: usize = 64;

/// One socket. Its polls end when it is dropped.
pub(super) struct Polling {
    way: Arc<Way>,
    frames: mpsc::Receiver<String>,
    polls: AbortHandle,
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.polls.abort();
    }
}

/// Where requests go.
#[derive(Debug)]
struct Way {
    host: String,
    path: String,
    cookie: String,
}

struct Answer {
    head: String,
    body: String,
}

impl Polling {
    pub(super) async fn open(host: &str) -> Result<Self, ClientError> {
        let path = "/socket.io/?EIO=4&transport=polling";
        let stranger = Way { host: host.to_owned(), path: path.to_owned(), cookie: String::new() };
        let Answer { head, body } = stranger.exchange("GET", "").await?;
        let Some(Packet::Open(opening)) = packet::parse(&body) else {
            return Err(ClientError::Protocol("no engine.io handshake".into()));
        };
        let path = format!("{path}&sid={}", opening.sid);
        let way = Arc::new(Way { path, cookie: cookie_of(&head), ..stranger });
        let (out, frames) = mpsc::channel(FRAMES_MAX);
        // The handshake is a frame as well.
        _ = out.try_send(body);
        let polls = tokio::spawn(poll(way.clone(), out)).abort_handle();
        Ok(Self { way, frames, polls })
    }

    pub(super) async fn next(&mut self) -> Option<String> {
        self.frames.recv().await
    }

    pub(super) async fn send(&self, frame: &str) -> Result<(), ClientError> {
        self.way.exchange("POST", frame).await.map(drop)
    }

    pub(super) async fn close(&mut self) {
        _ = self.send(CLOSE).await;
    }
}

/// One poll after the other, until one fails or nobody listens.
async fn poll(way: Arc<Way>, out: mpsc::Sender<String>) {
    while let Ok(Answer { body, .. }) = way.exchange("GET", "").await {
        for frame in body.split(SEPARATOR) {
            if out.send(frame.to_owned()).await.is_err() {
                return;
            }
        }
    }
}

/// The first cookie that is set, without its attributes; empty if none is.
fn cookie_of(head: &str) -> String {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    let mut set = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let cookie = set.next().and_then(|(_, cookie)| cookie.split(';').next());
    cookie.unwrap_or_default().trim().to_owned()
}

impl Way {
    /// One request on a connection of its own.
    async fn exchange(&self, method: &str, body: &str) -> Result<Answer, ClientError> {
        let Self { host, path, cookie } = self;
        let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}\
             Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let failed = |error: std::io::Error| ClientError::Protocol(format!("polling: {error}"));
        let answered = timeout(TIMEOUT, async {
            let mut stream = TcpStream::connect(host).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        });
        let answer = answered.await.map_err(|_| ClientError::Timeout("polling"))?.map_err(failed)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
        match head.split(' ').nth(1) {
            Some("200") => Ok(Answer { head: head.to_owned(), body: body.to_owned() }),
            status => Err(ClientError::Protocol(format!("polling was answered with {status:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_kept_without_its_attributes() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nSet-Cookie: REPLICA=one; path=/; HttpOnly";
        assert_eq!(cookie_of(head), "REPLICA=one");
        assert_eq!(cookie_of("HTTP/1.1 200 OK"), "");
    }
}
