//! The task that owns one websocket.

use super::packet::{self, Packet};
use super::{DisconnectReason, Ending, Event, Outgoing, Shared};
use crate::error::ClientError;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) struct Opened {
    socket: WebSocket,
    silence_max: Duration,
}

/// Opens the websocket and joins the default namespace.
pub(super) async fn open(url: &str, auth: &Value) -> Result<Opened, ClientError> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| ClientError::Protocol(format!("{url} does not begin with http://")))?;
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", rest.trim_end_matches('/'));
    timeout(CONNECT_TIMEOUT, handshake(&url, auth)).await.map_err(|_| ClientError::Timeout("connecting"))?
}

async fn handshake(url: &str, auth: &Value) -> Result<Opened, ClientError> {
    // Without Nagle's delay, as browsers.
    let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, None, true).await?;
    let Packet::Open(opening) = next_packet(&mut socket).await? else {
        return Err(ClientError::Protocol("no engine.io handshake".into()));
    };
    socket.send(Message::text(packet::connect(auth))).await?;
    loop {
        match next_packet(&mut socket).await? {
            Packet::Connected => return Ok(Opened { socket, silence_max: opening.silence_max() }),
            Packet::ConnectError(message) => return Err(ClientError::ConnectRefused(message)),
            Packet::Ping => socket.send(Message::text(packet::PONG)).await?,
            other => return Err(ClientError::Protocol(format!("{other:?} before the namespace is joined"))),
        }
    }
}

async fn next_packet(socket: &mut WebSocket) -> Result<Packet, ClientError> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            return packet::parse(&text).ok_or_else(|| ClientError::Protocol("unreadable frame".into()));
        }
    }
    Err(ClientError::Disconnected(DisconnectReason::TransportClose))
}

/// Serves the socket until it ends, and says why it did.
pub(super) async fn run(
    opened: Opened,
    mut outgoing: mpsc::Receiver<Outgoing>,
    shared: &Shared,
) -> DisconnectReason {
    let Opened { mut socket, silence_max } = opened;
    loop {
        tokio::select! {
            incoming = timeout(silence_max, socket.next()) => {
                let message = match incoming {
                    Err(_) => return DisconnectReason::PingTimeout,
                    Ok(Some(Ok(message))) => message,
                    Ok(_) => return DisconnectReason::TransportClose,
                };
                if let Some(reason) = on_message(message, &mut socket, shared).await {
                    return reason;
                }
            }
            next = outgoing.recv() => match next {
                Some(Outgoing::Frame(message)) => {
                    if socket.send(message).await.is_err() {
                        return DisconnectReason::TransportClose;
                    }
                }
                Some(Outgoing::End(ending)) => return end(socket, ending).await,
                None => return end(socket, Ending::Disconnect).await,
            },
        }
    }
}

async fn on_message(message: Message, socket: &mut WebSocket, shared: &Shared) -> Option<DisconnectReason> {
    let text = match message {
        Message::Text(text) => text,
        Message::Close(_) => return Some(DisconnectReason::TransportClose),
        _ => return None,
    };
    match packet::parse(&text)? {
        Packet::Ping => {
            let sent = socket.send(Message::text(packet::PONG)).await;
            return sent.err().map(|_| DisconnectReason::TransportClose);
        }
        Packet::Event { name, payload } => shared.on_event(Event { name, payload }),
        Packet::Ack { id, payload } => shared.on_ack(id, payload),
        Packet::Disconnected => return Some(DisconnectReason::Server),
        Packet::Close => return Some(DisconnectReason::TransportClose),
        Packet::Open(_) | Packet::Connected | Packet::ConnectError(_) => {}
    }
    None
}

/// Says goodbye and waits a little for the peer to close, so that nothing queued is lost.
async fn end(mut socket: WebSocket, ending: Ending) -> DisconnectReason {
    if matches!(ending, Ending::Disconnect) {
        _ = socket.send(Message::text(packet::DISCONNECT)).await;
    }
    _ = timeout(CLOSE_TIMEOUT, async {
        _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    DisconnectReason::Client
}
