//! As much of socket.io v4 over WebSocket as the tests need.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packet {
    Event(String, Value),
    Ack(u64, Value),
    ConnectError(String),
    Connected,
    /// The server told the socket to go; the connection is still there.
    Dismissed,
    Closed,
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    skipped: VecDeque<Packet>,
    last_ack: u64,
}

impl Client {
    /// The error is the message of the `connect_error`.
    pub(crate) async fn connect(address: SocketAddr, auth: Value) -> Result<Self, String> {
        Self::connect_from([127, 0, 0, 1], address, auth).await
    }

    /// From this address of loopback.
    pub(crate) async fn connect_from(from: [u8; 4], to: SocketAddr, auth: Value) -> Result<Self, String> {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.bind((from, 0).into()).unwrap();
        Self::connect_by(tcp, to, auth).await
    }

    /// Its kernel takes no more than some kilobytes that it does not read.
    pub(crate) async fn connect_narrow(to: SocketAddr, auth: Value) -> Result<Self, String> {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(4096).unwrap();
        Self::connect_by(tcp, to, auth).await
    }

    async fn connect_by(tcp: TcpSocket, to: SocketAddr, auth: Value) -> Result<Self, String> {
        let tcp = tcp.connect(to).await.unwrap();
        let url = format!("ws://{to}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = client_async(url, MaybeTlsStream::Plain(tcp)).await.unwrap();
        let mut client = Self { socket, skipped: VecDeque::new(), last_ack: 0 };
        client.send_raw(format!("40{auth}")).await;
        match client.read(PATIENCE).await {
            Packet::Connected => Ok(client),
            Packet::ConnectError(message) => Err(message),
            other => panic!("{other:?} instead of a connect"),
        }
    }

    pub(crate) async fn send_raw(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// As somebody who closes the tab.
    pub(crate) async fn close(mut self) {
        self.socket.send(Message::Close(None)).await.unwrap();
    }

    /// As `socket.disconnect()`; the connection stays.
    pub(crate) async fn disconnect(&mut self) {
        self.send_raw("41".into()).await;
    }

    /// As a machine that loses its network and comes back: the connection is reset.
    pub(crate) fn reset(self) {
        if let MaybeTlsStream::Plain(stream) = self.socket.get_ref() {
            stream.set_zero_linger().unwrap();
        }
    }

    /// Whether its TCP connection ends before anything is asked of it. That it was told to go is not
    /// enough.
    pub(crate) async fn is_gone(&mut self) -> bool {
        loop {
            match self.next().await {
                Packet::Closed => return self.connection_ends().await,
                Packet::Ack(..) => return false,
                _ => {}
            }
        }
    }

    /// Whether the TCP connection ends, whatever comes before.
    pub(crate) async fn connection_ends(&mut self) -> bool {
        let ended = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if message == Message::text("2") {
                    _ = self.socket.send(Message::text("3")).await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.is_ok()
    }

    /// Without a callback.
    pub(crate) async fn emit(&mut self, event: &str, payload: Value) {
        self.send_raw(format!("42{}", json!([event, payload]))).await;
    }

    /// With a callback, whose number this returns.
    pub(crate) async fn request(&mut self, event: &str, payload: Value) -> u64 {
        self.last_ack += 1;
        self.send_raw(format!("42{}{}", self.last_ack, json!([event, payload]))).await;
        self.last_ack
    }

    /// The same, unless the socket is gone.
    pub(crate) async fn try_request(&mut self, event: &str, payload: Value) -> Result<(), ()> {
        self.last_ack += 1;
        let text = format!("42{}{}", self.last_ack, json!([event, payload]));
        self.socket.send(Message::text(text)).await.map_err(|_| ())
    }

    /// Requests, and waits for the ack; what comes before it stays to be read.
    pub(crate) async fn ask(&mut self, event: &str, payload: Value) -> Value {
        self.ask_slow(PATIENCE, event, payload).await
    }

    /// The same of a request whose ack may take longer. `patience`: for each packet that comes.
    pub(crate) async fn ask_slow(&mut self, patience: Duration, event: &str, payload: Value) -> Value {
        let id = self.request(event, payload).await;
        loop {
            match self.read(patience).await {
                Packet::Ack(of, payload) if of == id => return payload,
                Packet::Closed | Packet::Dismissed => panic!("gone instead of an ack of {event}"),
                other => self.skipped.push_back(other),
            }
        }
    }

    /// The next event of this name; what comes before it is dropped.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            match self.next().await {
                Packet::Event(of, payload) if of == name => return payload,
                Packet::Closed | Packet::Dismissed => panic!("gone instead of {name}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Packet {
        match self.skipped.pop_front() {
            Some(packet) => packet,
            None => self.read(PATIENCE).await,
        }
    }

    /// What came while something else was waited for.
    pub(crate) fn already_there(&mut self) -> Option<Packet> {
        self.skipped.pop_front()
    }

    async fn read(&mut self, patience: Duration) -> Packet {
        tokio::time::timeout(patience, self.read_patiently()).await.expect("nothing came")
    }

    async fn read_patiently(&mut self) -> Packet {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text.to_string(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Packet::Closed,
                Some(Ok(_)) => continue,
            };
            if text == "2" {
                // It may be gone by now, which the next read tells.
                _ = self.socket.send(Message::text("3")).await;
            } else if text.starts_with("41") {
                return Packet::Dismissed;
            } else if text == "1" {
                return Packet::Closed;
            } else if text.starts_with("40") {
                return Packet::Connected;
            } else if let Some(error) = text.strip_prefix("44") {
                let error: Value = serde_json::from_str(error).unwrap();
                return Packet::ConnectError(error["message"].as_str().unwrap().into());
            } else if let Some(event) = text.strip_prefix("42") {
                let (name, payload): (String, Value) = serde_json::from_str(event).unwrap();
                return Packet::Event(name, payload);
            } else if let Some(ack) = text.strip_prefix("43") {
                let (id, payload) = ack.split_at(ack.find('[').unwrap());
                let (payload,): (Value,) = serde_json::from_str(payload).unwrap();
                return Packet::Ack(id.parse().unwrap(), payload);
            }
        }
    }
}
