//! socket.io over a WebSocket, as far as a client of the contract needs it.

use anyhow::{Context, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const TIMEOUT: Duration = Duration::from_secs(8);

/// What came.
#[derive(Debug)]
pub(super) enum Came {
    Event(String, Value),
    Ack(u64, Value),
}

pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_ack: u64,
}

impl Socket {
    /// Signs in. The error says why the server refused, if it did.
    pub(super) async fn connect(to: SocketAddr, auth: &Value) -> anyhow::Result<Self> {
        timeout(TIMEOUT, Self::sign_in(to, auth)).await.context("no answer")?
    }

    async fn sign_in(to: SocketAddr, auth: &Value) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect(to).await?;
        let url = format!("ws://{to}/socket.io/?EIO=4&transport=websocket");
        let (stream, _) = tokio_tungstenite::client_async(url, tcp).await?;
        let mut socket = Self { stream, next_ack: 0 };
        let opened = socket.text().await?;
        if !opened.starts_with('0') {
            bail!("not engine.io: {opened}");
        }
        socket.put(format!("40{auth}")).await?;
        loop {
            let text = socket.text().await?;
            match text.split_at_checked(2) {
                Some(("40", _)) => return Ok(socket),
                Some(("44", why)) => {
                    let why: Value = serde_json::from_str(why)?;
                    bail!("refused: {}", why["message"].as_str().unwrap_or_default());
                }
                _ if text == "2" => socket.put("3".into()).await?,
                _ => bail!("unexpected: {text}"),
            }
        }
    }

    async fn put(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            match self.stream.next().await.context("the connection ended")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(_) => bail!("the server closed it"),
                _ => {}
            }
        }
    }

    /// A request with a callback, whose number it gives.
    pub(super) async fn emit(&mut self, event: &str, payload: &Value) -> anyhow::Result<u64> {
        self.next_ack += 1;
        let id = self.next_ack;
        self.put(format!("42{id}{}", json!([event, payload]))).await?;
        Ok(id)
    }

    /// The next event or ack. Safe to drop before it is there.
    pub(super) async fn next(&mut self) -> anyhow::Result<Came> {
        loop {
            let text = self.text().await?;
            if text == "2" {
                self.put("3".into()).await?;
                continue;
            }
            match text.split_at_checked(2) {
                Some(("42", rest)) => {
                    let mut parts: Vec<Value> = serde_json::from_str(rest)?;
                    let payload = if parts.len() > 1 { parts.swap_remove(1) } else { Value::Null };
                    let name = parts[0].as_str().context("an event's name")?.to_owned();
                    return Ok(Came::Event(name, payload));
                }
                Some(("43", rest)) => {
                    let at = rest.find('[').context("an ack's fields")?;
                    let mut parts: Vec<Value> = serde_json::from_str(&rest[at..])?;
                    return Ok(Came::Ack(rest[..at].parse()?, parts.swap_remove(0)));
                }
                Some(("41", _)) => bail!("disconnected by the server"),
                _ => {}
            }
        }
    }

    /// Ends it in order, as a closed tab does.
    pub(super) async fn close(mut self) {
        _ = self.put("41".into()).await;
        _ = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}
