//! What arrived in the last second.

const BIN_US: i64 = 50_000;
const BINS: usize = 20;

/// Bytes by 50 ms of arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DeliveredRate {
    bins: [(i64, u64); BINS],
    newest: i64,
    first: Option<i64>,
}

impl DeliveredRate {
    pub(crate) fn on_packet(&mut self, arrived_us: i64, bytes: u64) {
        let number = arrived_us.div_euclid(BIN_US);
        let place = usize::try_from(number.rem_euclid(BINS as i64)).unwrap_or(0);
        if let Some(bin) = self.bins.get_mut(place) {
            match bin {
                (at, sum) if *at == number => *sum += bytes,
                _ => *bin = (number, bytes),
            }
        }
        if self.first.is_none() {
            (self.first, self.newest) = (Some(number), number);
        }
        self.newest = self.newest.max(number);
    }

    /// Bits a second over the last whole bins, at most so many; 0 in the first of them.
    fn over(&self, bins: i64) -> u64 {
        let bins = bins.min(self.newest - self.first.unwrap_or(self.newest));
        let is_recent = |at: i64| (1..=bins).contains(&(self.newest - at));
        let sum: u64 = self.bins.iter().filter(|(at, _)| is_recent(*at)).map(|(_, sum)| *sum).sum();
        u64::try_from(bins * BIN_US).ok().and_then(|span| (sum * 8_000_000).checked_div(span)).unwrap_or(0)
    }

    /// Bits of the newest bins, at most so many, the unfinished one included.
    pub(super) fn bits_of(&self, bins: i64) -> u64 {
        let is_recent = |at: i64| (0..bins).contains(&(self.newest - at));
        self.bins.iter().filter(|(at, _)| is_recent(*at)).map(|(_, sum)| sum * 8).sum()
    }

    /// Bits of the last second.
    pub(crate) fn bits(&self) -> u64 {
        self.bits_of(BINS as i64)
    }

    /// Bits a second over the last 950 ms.
    pub(crate) fn second(&self) -> u64 {
        self.over(BINS as i64 - 1)
    }

    /// Bits a second over the last 300 ms.
    pub(crate) fn recent(&self) -> u64 {
        self.over(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bytes_by_time_and_forgets() {
        let mut rate = DeliveredRate::default();
        (0..300).for_each(|at| rate.on_packet(-5_000_000 + at * 10_000, 1_250));
        assert_eq!((rate.second(), rate.recent()), (1_000_000, 1_000_000));
        (300..330).for_each(|at| rate.on_packet(-5_000_000 + at * 10_000, 125));
        assert_eq!(rate.recent(), 250_000);
        assert!(rate.second() > 700_000);
    }
}
