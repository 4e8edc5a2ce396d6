//! What carries engine.io's frames.

use super::polling::Polling;
use crate::error::ClientError;
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long the peer has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Of which a socket always has one: the library's 128 KiB are most of what thousands of sockets cost.
const READ_BUFFER_BYTES: usize = 8 * 1024;

pub(super) enum Carrier {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Polling(Polling),
}

impl Carrier {
    /// Opens one to the server at `host` (`host:port`), without Nagle's delay, as browsers.
    pub(super) async fn open(host: &str, polling: bool) -> Result<Self, ClientError> {
        if polling {
            return Polling::open(host).await.map(Self::Polling);
        }
        let url = format!("ws://{host}/socket.io/?EIO=4&transport=websocket");
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let (socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config), true).await?;
        Ok(Self::WebSocket(Box::new(socket)))
    }

    /// The next frame; none: there will be no more. Safe to drop before it is there.
    pub(super) async fn next(&mut self) -> Option<String> {
        match self {
            Self::Polling(polling) => polling.next().await,
            Self::WebSocket(socket) => loop {
                match socket.next().await? {
                    Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                }
            },
        }
    }

    pub(super) async fn send(&mut self, message: Message) -> Result<(), ClientError> {
        match (self, message) {
            (Self::WebSocket(socket), message) => Ok(socket.send(message).await?),
            (Self::Polling(polling), Message::Text(text)) => polling.send(text.as_str()).await,
            (Self::Polling(_), _) => Err(ClientError::Protocol("polling carries text only".into())),
        }
    }

    /// Waits a little for the peer to close, so that nothing queued is lost.
    pub(super) async fn close(&mut self) {
        match self {
            Self::Polling(polling) => polling.close().await,
            Self::WebSocket(socket) => {
                _ = timeout(CLOSE_TIMEOUT, async {
                    _ = socket.as_mut().close(None).await;
                    while let Some(Ok(_)) = socket.next().await {}
                })
                .await;
            }
        }
    }
}
