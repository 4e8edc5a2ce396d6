//! engine.io over long-polling (engine.io protocol, version 4): requests of HTTP, each on a connection of its own.

use crate::http;
use anyhow::{Context, bail};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Of a request that is answered at once.
const TIMEOUT: Duration = Duration::from_secs(8);
const PATH: &str = "/socket.io/?EIO=4&transport=polling";
/// Between packets of one body.
const RECORD_SEPARATOR: char = '\x1e';

pub(super) type WebSocket = WebSocketStream<TcpStream>;

pub(super) struct Polling {
    to: SocketAddr,
    sid: String,
    came: mpsc::UnboundedReceiver<String>,
    polls: JoinHandle<()>,
    /// No poll follows the one that is under way.
    is_last: Arc<AtomicBool>,
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.polls.abort();
    }
}

fn path(sid: &str) -> String {
    format!("{PATH}&sid={sid}")
}

async fn post(to: SocketAddr, sid: &str, packet: &str) -> anyhow::Result<()> {
    let path = path(sid);
    let sent = http::exchange(to, ("POST", &path), "content-type: text/plain\r\n", packet);
    match timeout(TIMEOUT, sent).await.context("no answer in time")?? {
        (200, _) => Ok(()),
        (status, body) => bail!("{status} {body}"),
    }
}

impl Polling {
    pub(super) async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let (status, body) = http::exchange(to, ("GET", PATH), "", "").await?;
        let Some(opened) = body.strip_prefix('0').filter(|_| status == 200) else {
            bail!("not engine.io: {status} {body}");
        };
        let opened: Value = serde_json::from_str(opened)?;
        let sid = opened["sid"].as_str().context("a sid")?.to_owned();
        let millis = |name: &str| opened[name].as_u64().unwrap_or_default();
        // Within which something comes, if the server is there.
        let silence = Duration::from_millis(millis("pingInterval") + millis("pingTimeout"));
        let (sender, came) = mpsc::unbounded_channel();
        let is_last = Arc::<AtomicBool>::default();
        let polls = tokio::spawn(poll(to, sid.clone(), silence, sender, is_last.clone()));
        Ok(Self { to, sid, came, polls, is_last })
    }

    pub(super) async fn put(&self, packet: &str) -> anyhow::Result<()> {
        post(self.to, &self.sid, packet).await
    }

    /// Receives the next packet. A call that is dropped before it returns loses none.
    pub(super) async fn next(&mut self) -> anyhow::Result<String> {
        self.came.recv().await.context("the polling ended")
    }

    /// Becomes a WebSocket. What came by polling until then is given with it.
    pub(super) async fn upgrade(mut self) -> anyhow::Result<(WebSocket, Vec<String>)> {
        let mut stream = web_socket(self.to, &format!("&sid={}", self.sid)).await?;
        stream.send(Message::text("2probe")).await?;
        match stream.next().await.context("the connection ended")?? {
            Message::Text(text) if text.as_str() == "3probe" => {}
            other => bail!("not the answer to a probe: {other:?}"),
        }
        // The server ends the poll that is under way, by a packet that says nothing if there is none.
        self.is_last.store(true, Ordering::Relaxed);
        (&mut self.polls).await?;
        stream.send(Message::text("5")).await?;
        let mut early = Vec::new();
        while let Ok(packet) = self.came.try_recv() {
            early.push(packet);
        }
        Ok((stream, early))
    }
}

/// A WebSocket of engine.io. `more`: further parameters of the query, each after an `&`.
pub(super) async fn web_socket(to: SocketAddr, more: &str) -> anyhow::Result<WebSocket> {
    let tcp = TcpStream::connect(to).await?;
    let url = format!("ws://{to}/socket.io/?EIO=4&transport=websocket{more}");
    Ok(tokio_tungstenite::client_async(url, tcp).await?.0)
}

/// Polls until the server gives no answer or closes the socket. Once `is_last` is set, the poll under way is the last.
async fn poll(
    to: SocketAddr,
    sid: String,
    silence: Duration,
    sender: mpsc::UnboundedSender<String>,
    is_last: Arc<AtomicBool>,
) {
    let path = path(&sid);
    loop {
        let answer = timeout(silence, http::exchange(to, ("GET", &path), "", "")).await;
        let Ok(Ok((200, body))) = answer else { return };
        for packet in body.split(RECORD_SEPARATOR) {
            match packet {
                // A ping: the task that awaits packets may be dropped at any time, and this one is not.
                "2" if post(to, &sid, "3").await.is_err() => return,
                "1" => return,
                "2" | "6" => {}
                _ if sender.send(packet.to_owned()).is_err() => return,
                _ => {}
            }
        }
        if is_last.load(Ordering::Relaxed) {
            return;
        }
    }
}
