//! The amplification bound: an address that has not shown that it receives what is sent to it gets
//! at most three times the bytes it sent (RFC 9000 section 8.1 sets the same factor for QUIC), and once
//! there are keys no more than what asks it for a proof: a member who forges check after check aims no
//! stream. What speech may pass besides is `address_change`'s.
//!
//! Pure accounting: one [`AddressProof`] per tuple of a transport. An ICE check proves that its
//! sender knows the password, not that it is at its source address.

use std::time::Duration;

/// How many bytes may be sent to an unproved address for each byte received from it.
pub const AMPLIFICATION_FACTOR: u64 = 3;
/// Bytes under SRTP's keys that go to an unproved address in one [`UNPROVED_SEALED_PERIOD`], however
/// much came from it: what asks for a proof, several times, since each may be lost.
pub const UNPROVED_SEALED_MAX: u64 = 600;
/// The period of [`UNPROVED_SEALED_MAX`].
pub const UNPROVED_SEALED_PERIOD: Duration = Duration::from_secs(10);

/// What one tuple has sent, been sent, and proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressProof {
    received: u64,
    sent: u64,
    /// Bytes among them of RTP and RTCP in this period.
    sealed: u64,
    proved: bool,
}

impl AddressProof {
    /// Counts a datagram of `len` bytes that came from the tuple. Only datagrams that passed a
    /// check of their own count: with junk counted, a forger would buy the budget he spends.
    pub fn on_received(&mut self, len: usize) {
        self.received = self.received.saturating_add(len as u64);
    }

    /// Asks to send `len` bytes and counts them when they may go.
    /// `is_sealed`: RTP or RTCP, which is also bounded by [`UNPROVED_SEALED_MAX`].
    #[must_use]
    pub fn try_send(&mut self, len: usize, is_sealed: bool) -> bool {
        if self.proved {
            return true;
        }
        let sealed = if is_sealed { self.sealed.saturating_add(len as u64) } else { 0 };
        let is_within = len as u64 <= self.remaining() && sealed <= UNPROVED_SEALED_MAX;
        if is_within {
            self.on_sent(len);
            self.sealed = self.sealed.max(sealed);
        }
        is_within
    }

    /// The next [`UNPROVED_SEALED_PERIOD`] begins.
    pub fn renew(&mut self) {
        self.sealed = 0;
    }

    /// Counts what is sent whatever the bound: the answer to a check, which is shorter than it.
    pub fn on_sent(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len as u64);
    }

    /// Bytes that may be sent at this moment; `u64::MAX` once proved.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        if self.proved {
            return u64::MAX;
        }
        self.received.saturating_mul(AMPLIFICATION_FACTOR).saturating_sub(self.sent)
    }

    /// Lifts the bound. Called when DTLS completed with the tuple alone, or when RTCP from it echoed
    /// what could only be known there.
    pub fn proved(&mut self) {
        self.proved = true;
    }

    /// Whether the peer has shown that it receives what is sent there.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.proved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unproved_address_gets_three_times_what_it_sent_and_not_a_byte_more() {
        let mut proof = AddressProof::default();
        assert!(!proof.try_send(1, false));
        proof.on_received(100);
        assert!(proof.try_send(200, false));
        assert!(!proof.try_send(101, false));
        assert!(proof.try_send(100, false));
        assert!(!proof.try_send(1, false));
        proof.on_received(1);
        assert_eq!(proof.remaining(), 3);
        assert!(proof.try_send(3, false));
    }

    #[test]
    fn what_is_sealed_is_bounded_however_much_came() {
        let mut proof = AddressProof::default();
        proof.on_received(1_000_000);
        assert!(proof.try_send(500, true));
        assert!(!proof.try_send(101, true));
        assert!(proof.try_send(100, true));
        assert!(proof.try_send(2_000, false), "a handshake is not sealed");
        proof.renew();
        assert!(proof.try_send(600, true));
        assert!(!proof.try_send(1, true));
    }

    #[test]
    fn a_refused_packet_costs_nothing() {
        let mut proof = AddressProof::default();
        proof.on_received(10);
        assert!(!proof.try_send(1200, false));
        assert_eq!(proof.remaining(), 30);
    }

    #[test]
    fn a_proved_address_is_not_bounded() {
        let mut proof = AddressProof::default();
        proof.proved();
        assert!(proof.is_proved());
        assert!((0..1000).all(|_| proof.try_send(1500, false)));
    }

    #[test]
    fn counters_at_their_end_do_not_wrap() {
        let mut proof = AddressProof::default();
        proof.on_received(usize::MAX);
        proof.on_received(usize::MAX);
        assert!(proof.try_send(usize::MAX, false));
        assert!(!proof.try_send(usize::MAX, false));
    }
}
