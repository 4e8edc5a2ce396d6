//! socket.io as far as a client of the contract needs it: over a WebSocket, over long-polling, and over what began as
//! long-polling and became a WebSocket, which is what the browsers' client does unless it is told otherwise.

use super::polling::{Polling, WebSocket, web_socket};
use anyhow::{Context, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

const TIMEOUT: Duration = Duration::from_secs(8);

/// What came.
#[derive(Debug)]
pub(super) enum Came {
    Event(String, Value),
    Ack(u64, Value),
}

/// Over what a client's packets travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carriage {
    #[default]
    WebSocket,
    Polling,
    /// Long-polling at first, then a WebSocket.
    Upgrade,
}

impl Carriage {
    pub(crate) const ALL: [Self; 3] = [Self::WebSocket, Self::Polling, Self::Upgrade];
}

enum Carrier {
    WebSocket(Box<WebSocket>),
    Polling(Polling),
}

pub(super) struct Socket {
    carrier: Carrier,
    /// Came by long-polling before it was a WebSocket.
    early: VecDeque<String>,
    next_ack: u64,
}

impl Socket {
    /// Signs in. The error says why the server refused, if it did.
    pub(super) async fn connect(to: SocketAddr, carriage: Carriage, auth: &Value) -> anyhow::Result<Self> {
        timeout(TIMEOUT, Self::sign_in(to, carriage, auth)).await.context("no answer")?
    }

    async fn sign_in(to: SocketAddr, carriage: Carriage, auth: &Value) -> anyhow::Result<Self> {
        let carrier = match carriage {
            Carriage::WebSocket => Carrier::WebSocket(Box::new(open(to).await?)),
            Carriage::Polling | Carriage::Upgrade => Carrier::Polling(Polling::open(to).await?),
        };
        let mut socket = Self { carrier, early: VecDeque::new(), next_ack: 0 };
        socket.put(format!("40{auth}")).await?;
        socket.connected().await?;
        match socket.carrier {
            Carrier::Polling(polling) if carriage == Carriage::Upgrade => {
                let (stream, early) = polling.upgrade().await?;
                Ok(Self { carrier: Carrier::WebSocket(Box::new(stream)), early: early.into(), next_ack: 0 })
            }
            carrier => Ok(Self { carrier, ..socket }),
        }
    }

    async fn connected(&mut self) -> anyhow::Result<()> {
        loop {
            let text = self.text().await?;
            match text.split_at_checked(2) {
                Some(("40", _)) => return Ok(()),
                Some(("44", why)) => {
                    let why: Value = serde_json::from_str(why)?;
                    bail!("refused: {}", why["message"].as_str().unwrap_or_default());
                }
                _ if text == "2" => self.put("3".into()).await?,
                _ => bail!("unexpected: {text}"),
            }
        }
    }

    async fn put(&mut self, text: String) -> anyhow::Result<()> {
        match &mut self.carrier {
            Carrier::WebSocket(stream) => Ok(stream.send(Message::text(text)).await?),
            Carrier::Polling(polling) => polling.put(&text).await,
        }
    }

    async fn text(&mut self) -> anyhow::Result<String> {
        if let Some(text) = self.early.pop_front() {
            return Ok(text);
        }
        match &mut self.carrier {
            Carrier::WebSocket(stream) => next_text(stream).await,
            Carrier::Polling(polling) => polling.next().await,
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
        let ended = async {
            match self.carrier {
                Carrier::WebSocket(mut stream) => (*stream).close(None).await.map_err(Into::into),
                Carrier::Polling(polling) => polling.put("1").await,
            }
        };
        _ = timeout(Duration::from_secs(1), ended).await;
    }
}

async fn open(to: SocketAddr) -> anyhow::Result<WebSocket> {
    let mut stream = web_socket(to, "").await?;
    let opened = next_text(&mut stream).await?;
    if !opened.starts_with('0') {
        bail!("not engine.io: {opened}");
    }
    Ok(stream)
}

async fn next_text(stream: &mut WebSocket) -> anyhow::Result<String> {
    loop {
        match stream.next().await.context("the connection ended")?? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            Message::Close(_) => bail!("the server closed it"),
            _ => {}
        }
    }
}
