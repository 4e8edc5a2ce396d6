//! Whether datagrams to a receiver go out as ECT(1): only while its feedback shows that the mark gets there, as QUIC does it
//! (RFC 9000 section 13.4.2). A path that clears the bits, or a receiver that cannot read them, has no marks to react to.

use crate::packet::ecn::Ecn;

/// Packets in a row that went out as ECT(1) and came without a mark of that kind: the path clears them.
const CLEARED_MAX: u8 = 50;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The setting is off, the receiver's feedback has no ECN, or the path clears it.
    #[default]
    Off,
    /// Until the receiver's first feedback with ECN marks.
    Allowed,
    /// Since this moment of the history's clock.
    Sending(i64),
}

/// ECT(1) to one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EcnValidation {
    state: State,
    cleared: u8,
}

impl EcnValidation {
    /// The receiver negotiated feedback with ECN marks.
    pub(crate) fn allow(&mut self) {
        if self.state == State::Off && self.cleared == 0 {
            self.state = State::Allowed;
        }
    }

    /// What the IP header of the next datagram says.
    #[inline]
    pub(crate) fn codepoint(&self) -> Ecn {
        match self.state {
            State::Sending(_) => Ecn::Ect1,
            State::Off | State::Allowed => Ecn::NotEct,
        }
    }

    /// Feedback that can carry ECN marks came.
    pub(crate) fn on_feedback(&mut self, now_us: i64) {
        if self.state == State::Allowed {
            self.state = State::Sending(now_us);
        }
    }

    /// A packet that was sent then came so.
    pub(crate) fn on_arrival(&mut self, sent_us: i64, ecn: Ecn) {
        let State::Sending(since_us) = self.state else { return };
        match ecn {
            Ecn::Ect1 | Ecn::Ce => self.cleared = 0,
            Ecn::NotEct | Ecn::Ect0 if sent_us > since_us => self.cleared += 1,
            Ecn::NotEct | Ecn::Ect0 => {}
        }
        if self.cleared == CLEARED_MAX {
            self.state = State::Off;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending() -> EcnValidation {
        let mut ecn = EcnValidation::default();
        ecn.allow();
        assert_eq!(ecn.codepoint(), Ecn::NotEct, "no feedback yet");
        ecn.on_feedback(1_000);
        ecn
    }

    #[test]
    fn ect1_is_sent_once_the_setting_allows_it_and_feedback_with_marks_came() {
        let mut off = EcnValidation::default();
        off.on_feedback(1_000);
        assert_eq!(off.codepoint(), Ecn::NotEct);
        assert_eq!(sending().codepoint(), Ecn::Ect1);
    }

    #[test]
    fn a_path_that_clears_the_marks_ends_ect1_for_good() {
        let mut ecn = sending();
        (0..200).for_each(|_| ecn.on_arrival(900, Ecn::NotEct));
        assert_eq!(ecn.codepoint(), Ecn::Ect1, "those were sent before");
        for sent_us in 0..300 {
            let came = if sent_us % 49 == 0 { Ecn::Ce } else { Ecn::NotEct };
            ecn.on_arrival(2_000 + sent_us, came);
        }
        assert_eq!(ecn.codepoint(), Ecn::Ect1, "marks come now and then");
        (0..50).for_each(|_| ecn.on_arrival(3_000, Ecn::Ect0));
        assert_eq!(ecn.codepoint(), Ecn::NotEct);
        ecn.allow();
        ecn.on_feedback(4_000);
        assert_eq!(ecn.codepoint(), Ecn::NotEct, "not tried again");
    }
}
