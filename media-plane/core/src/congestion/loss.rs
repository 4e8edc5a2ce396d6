//! Loss that is congestion: a queue too short for its delay to be seen.

/// A window of so many microseconds of sending, and packets, is judged.
const WINDOW_US: i64 = 400_000;
const PACKETS_MIN: u32 = 20;
/// Loss above the usual one that is congestion in two windows in a row, in thousandths.
const BAD: u32 = 100;
/// What may become the usual loss of a link.
const USUAL_MAX: u32 = 300;
/// Nothing of so many microseconds arrived: an outage.
const OUTAGE_US: i64 = 250_000;
/// After a cut, loss of the time before it is still reported.
const SETTLE_US: i64 = 500_000;

/// What loss says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossVerdict {
    Nothing,
    /// More is sent than gets through.
    Congestion,
    /// As much is lost with less: the last cut was for nothing.
    Usual,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossWatch {
    from_us: Option<i64>,
    sent: u32,
    lost: u32,
    /// Lost without an arrival between them: how many, and since when.
    run: (u32, i64),
    bad_windows: u8,
    usual: u32,
    /// Loss at the last cut, and when that was.
    cut: Option<(u32, i64)>,
}

impl LossWatch {
    pub(crate) fn on_arrival(&mut self, sent_us: i64) {
        let (count, since) = std::mem::take(&mut self.run);
        self.sent += 1;
        if count == 0 {
            return;
        }
        if sent_us - since > OUTAGE_US {
            *self = Self { usual: self.usual, ..Self::default() };
            return;
        }
        self.sent += count;
        self.lost += count;
    }

    pub(crate) fn on_loss(&mut self, sent_us: i64) {
        let (count, since) = &mut self.run;
        if *count == 0 {
            *since = sent_us;
        }
        *count += 1;
    }

    pub(crate) fn on_recovery(&mut self) {
        self.lost = self.lost.saturating_sub(1);
    }

    /// Judges the window, if it is over. `sent_us`: of the newest packet that was reported on.
    pub(crate) fn judge(&mut self, sent_us: i64) -> LossVerdict {
        let from = *self.from_us.get_or_insert(sent_us);
        if sent_us - from < WINDOW_US || self.sent < PACKETS_MIN {
            return LossVerdict::Nothing;
        }
        let loss = self.lost * 1_000 / self.sent.max(1);
        (self.from_us, self.sent, self.lost) = (Some(sent_us), 0, 0);
        if let Some((before, at)) = self.cut {
            if sent_us - at < SETTLE_US + WINDOW_US {
                return LossVerdict::Nothing;
            }
            self.cut = None;
            if loss <= USUAL_MAX && loss >= before / 4 * 3 {
                self.usual = loss;
                self.bad_windows = 0;
                return LossVerdict::Usual;
            }
        }
        if loss < self.usual {
            self.usual -= (self.usual - loss).div_ceil(8);
        }
        if loss <= self.usual + BAD {
            self.bad_windows = 0;
            return LossVerdict::Nothing;
        }
        self.bad_windows += 1;
        if self.bad_windows < 2 {
            return LossVerdict::Nothing;
        }
        self.bad_windows = 0;
        self.cut = Some((loss, sent_us));
        LossVerdict::Congestion
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verdicts other than [`LossVerdict::Nothing`] while each packet of 10 ms is lost as told.
    fn verdicts(
        watch: &mut LossWatch,
        from: i64,
        count: i64,
        is_lost: impl Fn(i64) -> bool,
    ) -> Vec<LossVerdict> {
        let mut all = Vec::new();
        for at in from..from + count {
            if is_lost(at) {
                watch.on_loss(at * 10_000);
            } else {
                watch.on_arrival(at * 10_000);
            }
            all.push(watch.judge(at * 10_000));
        }
        all.retain(|verdict| *verdict != LossVerdict::Nothing);
        all
    }

    #[test]
    fn a_few_percent_are_nothing_and_a_fifth_is_congestion() {
        let mut watch = LossWatch::default();
        assert_eq!(verdicts(&mut watch, 0, 1_000, |at| at % 14 == 3), []);
        let seen = verdicts(&mut watch, 1_000, 100, |at| at % 5 == 3);
        assert_eq!(seen, [LossVerdict::Congestion]);
    }

    #[test]
    fn a_link_that_loses_as_much_with_less_is_bad_and_not_full() {
        let mut watch = LossWatch::default();
        let seen = verdicts(&mut watch, 0, 2_000, |at| at % 6 == 3);
        assert_eq!(seen, [LossVerdict::Congestion, LossVerdict::Usual]);
    }

    #[test]
    fn an_outage_says_nothing() {
        let mut watch = LossWatch::default();
        // Three of them in a row, with a packet between.
        let is_lost = |at: i64| (300..420).contains(&at) && at % 40 != 0;
        assert_eq!(verdicts(&mut watch, 0, 1_000, is_lost), []);
    }
}
