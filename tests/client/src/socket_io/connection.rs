//! The task that owns one connection.

use super::carrier::Carrier;
use super::packet::{self, Packet};
use super::shared::{Event, Outgoing, Shared};
use crate::ending::{DisconnectReason, Ending};
use crate::error::ClientError;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Opened {
    carrier: Carrier,
    silence_max: Duration,
}

/// Opens a connection and joins the default namespace.
pub(super) async fn open(url: &str, auth: &Value, polling: bool) -> Result<Opened, ClientError> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| ClientError::Protocol(format!("{url} does not begin with http://")))?;
    let opening = handshake(rest.trim_end_matches('/'), auth, polling);
    timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| ClientError::Timeout("connecting"))?
}

async fn handshake(host: &str, auth: &Value, polling: bool) -> Result<Opened, ClientError> {
    let mut carrier = Carrier::open(host, polling).await?;
    let Packet::Open(opening) = next_packet(&mut carrier).await? else {
        return Err(ClientError::Protocol("no engine.io handshake".into()));
    };
    carrier.send(Message::text(packet::connect(auth))).await?;
    loop {
        match next_packet(&mut carrier).await? {
            Packet::Connected => return Ok(Opened { carrier, silence_max: opening.silence_max() }),
            Packet::ConnectError(message) => return Err(ClientError::ConnectRefused(message)),
            Packet::Ping => carrier.send(Message::text(packet::PONG)).await?,
            other => return Err(ClientError::Protocol(format!("{other:?} before the namespace is joined"))),
        }
    }
}

async fn next_packet(carrier: &mut Carrier) -> Result<Packet, ClientError> {
    let frame = carrier.next().await.ok_or(ClientError::Disconnected(DisconnectReason::TransportClose))?;
    packet::parse(&frame).ok_or_else(|| ClientError::Protocol("unreadable frame".into()))
}

/// Serves the socket until it ends, and says why it did.
pub(super) async fn run(
    opened: Opened,
    mut outgoing: mpsc::Receiver<Outgoing>,
    shared: &Shared,
) -> DisconnectReason {
    let Opened { mut carrier, silence_max } = opened;
    loop {
        tokio::select! {
            incoming = timeout(silence_max, carrier.next()) => {
                let frame = match incoming {
                    Err(_) => return DisconnectReason::PingTimeout,
                    Ok(Some(frame)) => frame,
                    Ok(None) => return DisconnectReason::TransportClose,
                };
                if let Some(reason) = on_frame(&frame, &mut carrier, shared).await {
                    return reason;
                }
            }
            next = outgoing.recv() => match next {
                Some(Outgoing::Frame(message)) => {
                    if carrier.send(message).await.is_err() {
                        return DisconnectReason::TransportClose;
                    }
                }
                Some(Outgoing::End(ending)) => return end(carrier, ending).await,
                None => return end(carrier, Ending::Disconnect).await,
            },
        }
    }
}

async fn on_frame(frame: &str, carrier: &mut Carrier, shared: &Shared) -> Option<DisconnectReason> {
    match packet::parse(frame)? {
        Packet::Ping => {
            let sent = carrier.send(Message::text(packet::PONG)).await;
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

/// Says goodbye, and closes in order.
async fn end(mut carrier: Carrier, ending: Ending) -> DisconnectReason {
    if matches!(ending, Ending::Disconnect) {
        _ = carrier.send(Message::text(packet::DISCONNECT)).await;
    }
    carrier.close().await;
    DisconnectReason::Client
}
