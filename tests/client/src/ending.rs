//! How a socket ends, and why it did.

/// Why a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The server ended the socket.io session (`io server disconnect`).
    Server,
    /// This client did.
    Client,
    /// The websocket closed or broke.
    TransportClose,
    /// The server's heartbeat stopped.
    PingTimeout,
}

/// How this client ends a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// A socket.io disconnect packet, then the close handshake.
    Disconnect,
    /// The close handshake alone, as when a tab is closed.
    WebSocketClose,
}
