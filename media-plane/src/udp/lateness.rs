//! How late a worker is: from a message's arrival at the socket, by the kernel's time stamp, to its turn. A
//! worker that gets too little CPU shows here before anybody hears it.

use std::time::Duration;

/// Upper bounds in microseconds. Speech is played out after some 60 ms; a second is a hole.
const BOUNDS: [u64; 12] =
    [100, 250, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// Messages by how late they were read: a message is what one slot of `recvmmsg` holds, one datagram or
/// several of the same sender.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness {
    /// By the bound that they kept; the last one kept none.
    counts: [u64; BOUNDS.len() + 1],
    micros: u64,
    /// The worst since [`Self::take_worst`].
    worst: u64,
}

impl Lateness {
    /// Counts a message, and gives how late it is. Both since 1970. A message from the future was stamped before the clock
    /// was set back.
    pub(super) fn note(&mut self, arrived: Duration, now: Duration) -> Duration {
        let late = now.saturating_sub(arrived);
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.micros = self.micros.saturating_add(micros);
        self.worst = self.worst.max(micros);
        late
    }

    /// The worst since it was last asked for.
    pub(crate) fn take_worst(&mut self) -> Duration {
        Duration::from_micros(std::mem::take(&mut self.worst))
    }

    /// Together with another worker's.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.micros = self.micros.saturating_add(other.micros);
        self
    }

    /// Microseconds in all, and messages.
    pub(crate) fn sum(&self) -> (u64, u64) {
        (self.micros, self.counts.iter().sum())
    }

    /// Seconds in all, messages, and how many kept each bound (in seconds) and no smaller one.
    pub(crate) fn histogram(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.counts).collect();
        (seconds(self.micros), self.counts.iter().sum(), buckets)
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 285 years of microseconds")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_counts_by_the_smallest_bound_that_it_kept() {
        let mut late = Lateness::default();
        let now = Duration::from_secs(1_800_000_000);
        for micros in [0, 100, 101, 800_000, 2_000_000] {
            late.note(now - Duration::from_micros(micros), now);
        }
        // The clock was set back meanwhile.
        late.note(now + Duration::from_secs(3600), now);
        let (sum, count, buckets) = late.plus(&Lateness::default()).histogram();
        assert_eq!((count, (sum * 1e6).round()), (6, 2_800_201.0));
        let of = |bound: f64| buckets.iter().find(|(of, _)| *of == bound).unwrap().1;
        assert_eq!((of(0.0001), of(0.000_25), of(1.0), of(f64::INFINITY)), (3, 1, 1, 1));
        assert_eq!(late.take_worst(), Duration::from_secs(2));
        assert_eq!(late.take_worst(), Duration::ZERO);
    }
}
