//! Why a session's socket is over, which decides what becomes of its seat.

use socketioxide::socket::DisconnectReason;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The session went in order, or was told to go: its seat is given back at once.
    Left,
    /// The connection was lost: another socket may take the session up.
    Lost,
    /// As [`Self::Lost`], and the client should try another replica: this one has no way to the session's node.
    Elsewhere,
    /// As [`Self::Lost`]: the client does not read what it is sent, and should come back with another connection.
    Behind,
    /// Another socket took the session up.
    Superseded,
    /// The user has as many sessions as one may, and another socket of the device got this one's place.
    Replaced,
}

/// Who ends first decides why.
#[derive(Clone, Debug)]
pub(crate) struct EndSignal(watch::Sender<Option<EndReason>>);

impl EndSignal {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(crate) fn set(&self, end: EndReason) {
        self.0.send_if_modified(|said| {
            let is_first = said.is_none();
            *said = said.or(Some(end));
            is_first
        });
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<EndReason>> {
        self.0.subscribe()
    }
}

impl From<DisconnectReason> for EndReason {
    /// A closed tab ends its WebSocket in order, so what ends otherwise was not meant to.
    fn from(reason: DisconnectReason) -> Self {
        match reason {
            DisconnectReason::TransportClose
            | DisconnectReason::ClientNSDisconnect
            | DisconnectReason::ServerNSDisconnect
            | DisconnectReason::PacketParsingError => Self::Left,
            DisconnectReason::TransportError
            | DisconnectReason::HeartbeatTimeout
            | DisconnectReason::MultipleHttpPollingError
            | DisconnectReason::ClosingServer => Self::Lost,
        }
    }
}

/// Returns when the session has to end, and why. An error means that nobody is left who could say
/// so, which is the end as well. A replica that stops gives its sessions to another.
pub(crate) async fn over(
    (ended, stopping): &mut (watch::Receiver<Option<EndReason>>, watch::Receiver<bool>),
) -> EndReason {
    tokio::select! {
        biased;
        ended = ended.wait_for(Option::is_some) => ended.ok().and_then(|end| *end).unwrap_or(EndReason::Left),
        _ = stopping.wait_for(|stopping| *stopping) => EndReason::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_counts() {
        let ending = EndSignal::new();
        assert!(!ending.is_set());
        ending.set(EndReason::Superseded);
        ending.set(EndReason::Left);
        assert_eq!(*ending.subscribe().borrow(), Some(EndReason::Superseded));
    }
}
