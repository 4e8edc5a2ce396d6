//! What becomes of one join: did its media connect, and if not, why, in one sentence.
//!
//! It sees what the control-plane sees: the client's requests and the node's transport states. A
//! client that connects a transport has gathered its side; what is missing after that is the network.

use railgun_protocol::transport_parameters::{DtlsState, IceState};

/// How long media may take from the client's first `connectTransport`, in milliseconds.
pub(crate) const MEDIA_DEADLINE: u64 = 15_000;

/// Times are milliseconds since the join.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JoinTrace {
    has_transport: bool,
    /// Privacy mode: checks count only if they came through a relay.
    is_relayed: bool,
    connecting_since: Option<u64>,
    /// A connectivity check with the right password arrived.
    was_checked: bool,
    was_secured: Option<u64>,
    has_failed: bool,
}

/// The end of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MediaOutcome {
    Connected,
    /// Nothing of the client's ICE reached the node.
    IceFailed,
    /// ICE did, and the DTLS handshake did not complete.
    DtlsFailed,
    /// The client went before media was due.
    Left,
    /// The client never connected a transport.
    NotTried,
}

impl MediaOutcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::IceFailed => "ice_failed",
            Self::DtlsFailed => "dtls_failed",
            Self::Left => "left",
            Self::NotTried => "not_tried",
        }
    }
}

impl JoinTrace {
    pub(crate) fn goes_through_relays(&mut self) {
        self.is_relayed = true;
    }

    pub(crate) fn transport_created(&mut self) {
        self.has_transport = true;
    }

    pub(crate) fn connect_asked(&mut self, at: u64) {
        self.connecting_since.get_or_insert(at);
    }

    pub(crate) fn transport_state(&mut self, ice: IceState, dtls: DtlsState, at: u64) {
        self.was_checked |= matches!(ice, IceState::Connected | IceState::Completed);
        match dtls {
            DtlsState::Connected => _ = self.was_secured.get_or_insert(at),
            DtlsState::Failed => self.has_failed = true,
            DtlsState::New | DtlsState::Connecting | DtlsState::Closed => {}
        }
    }

    /// When [`Self::settled`] has to be looked at, if nothing else happens.
    pub(crate) fn due(&self) -> Option<u64> {
        self.connecting_since.map(|since| since.saturating_add(MEDIA_DEADLINE))
    }

    /// The outcome, once it is known.
    pub(crate) fn settled(&self, now: u64) -> Option<MediaOutcome> {
        if self.was_secured.is_some() {
            return Some(MediaOutcome::Connected);
        }
        let is_late = self.due().is_some_and(|due| due <= now);
        match (self.was_checked, self.has_failed || is_late) {
            (_, false) => None,
            (true, true) => Some(MediaOutcome::DtlsFailed),
            (false, true) => Some(MediaOutcome::IceFailed),
        }
    }

    /// The outcome of a join that ends now.
    pub(crate) fn ended(&self, now: u64) -> MediaOutcome {
        let early = if self.connecting_since.is_some() { MediaOutcome::Left } else { MediaOutcome::NotTried };
        self.settled(now).unwrap_or(early)
    }

    pub(crate) fn explain(&self, outcome: MediaOutcome, now: u64) -> String {
        match outcome {
            MediaOutcome::Connected => {
                format!("Media connected {} ms after the join.", self.was_secured.unwrap_or(now))
            }
            MediaOutcome::IceFailed if self.is_relayed => "The user is in privacy mode, and no connectivity \
                 check came through a relay: the client cannot reach the relays of turn.urls, they cannot reach \
                 the media node, or rtc.relays does not hold the address that they send from."
                .into(),
            MediaOutcome::IceFailed => "No connectivity check of the client reached the media node: UDP to \
                 its media ports is blocked on the way, or the node announces an address that the client \
                 cannot reach."
                .into(),
            MediaOutcome::DtlsFailed if self.has_failed => "Connectivity checks arrived, but the DTLS \
                 handshake failed: it timed out, or the client's certificate was not the one it announced."
                .into(),
            MediaOutcome::DtlsFailed => "Connectivity checks arrived, but the DTLS handshake did not \
                 complete: larger packets are lost on the way, or something lets through STUN alone."
                .into(),
            MediaOutcome::Left => format!(
                "The client left {} ms after it began to connect, before its media was due.",
                now.saturating_sub(self.connecting_since.unwrap_or(now))
            ),
            MediaOutcome::NotTried if self.has_transport => "The client made transports and then neither \
                 sent nor received: it had no microphone, or there was nobody to hear."
                .into(),
            MediaOutcome::NotTried => {
                "The client joined and asked for no transport: it stopped before its media began.".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connecting() -> JoinTrace {
        let mut trace = JoinTrace::default();
        trace.transport_created();
        trace.connect_asked(100);
        trace
    }

    #[test]
    fn media_that_connects_is_a_success_whatever_comes_later() {
        let mut trace = connecting();
        trace.transport_state(IceState::Connected, DtlsState::Connecting, 200);
        assert_eq!(trace.settled(300), None);
        trace.transport_state(IceState::Completed, DtlsState::Connected, 400);
        trace.transport_state(IceState::Disconnected, DtlsState::Failed, 500);
        assert_eq!(trace.settled(600), Some(MediaOutcome::Connected));
        assert!(trace.explain(MediaOutcome::Connected, 600).contains("400 ms"));
    }

    #[test]
    fn without_a_check_it_is_ice_and_with_one_dtls() {
        let silent = connecting();
        assert_eq!(silent.settled(15_099), None);
        assert_eq!(silent.settled(15_100), Some(MediaOutcome::IceFailed));
        let mut checked = connecting();
        checked.transport_state(IceState::Connected, DtlsState::New, 200);
        assert_eq!(checked.settled(15_100), Some(MediaOutcome::DtlsFailed));
        let mut failed = checked;
        failed.transport_state(IceState::Connected, DtlsState::Failed, 900);
        assert_eq!(failed.settled(900), Some(MediaOutcome::DtlsFailed));
        let mut private = silent;
        private.goes_through_relays();
        let told = private.explain(private.ended(20_000), 20_000);
        assert!(told.contains("privacy mode") && !told.contains("UDP"), "{told}");
        let why = [&silent, &checked, &failed].map(|trace| trace.explain(trace.ended(20_000), 20_000));
        assert!(why[0].contains("UDP") && why[1].contains("did not complete") && why[2].contains("failed"));
    }

    #[test]
    fn who_goes_early_or_never_tries_is_no_failure_of_the_network() {
        assert_eq!(connecting().ended(15_000), MediaOutcome::Left);
        let mut trace = JoinTrace::default();
        assert_eq!((trace.ended(60_000), trace.due()), (MediaOutcome::NotTried, None));
        trace.transport_created();
        assert_eq!(trace.ended(60_000), MediaOutcome::NotTried);
    }
}
