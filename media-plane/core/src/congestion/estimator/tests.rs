use super::*;
use crate::feedback::sent_history::Purpose;

/// A link with a queue, fed evenly, with feedback each 50 ms.
struct Link {
    estimator: Estimator,
    now_us: i64,
    free_us: i64,
    /// Of the path, besides 20 ms.
    longer_us: i64,
    /// What would arrive before arrives then.
    held_until_us: i64,
    number: u16,
    overuses: usize,
}

impl Link {
    fn new(estimate: u64) -> Self {
        let estimator = Estimator { estimate, ..Estimator::default() };
        Self { estimator, now_us: 0, free_us: 0, longer_us: 0, held_until_us: 0, number: 0, overuses: 0 }
    }

    fn run(&mut self, millis: i64, sends: u64, takes: u64) {
        let bytes = 1_000u64 + UDP_IP;
        let gap = i64::try_from(bytes * 8_000_000 / sends).unwrap();
        let end = self.now_us + millis * 1_000;
        let mut report = self.now_us + 50_000;
        while self.now_us < end {
            self.free_us = self.free_us.max(self.now_us) + i64::try_from(bytes * 8_000_000 / takes).unwrap();
            let departure =
                Departure { number: self.number, sent_us: self.now_us, len: 1_000, purpose: Purpose::Media };
            self.estimator.on_fate(Fate::Arrived(Arrival {
                departure,
                arrived_us: (self.free_us + 20_000 + self.longer_us).max(self.held_until_us),
                ecn: Ecn::NotEct,
            }));
            self.number = self.number.wrapping_add(1);
            self.now_us += gap;
            if self.now_us >= report {
                report += 50_000;
                let verdict = self.estimator.on_message(sends, self.now_us);
                self.overuses += usize::from(verdict == Verdict::Overuse);
            }
        }
    }
}

#[test]
fn what_fits_by_a_twentieth_is_never_overuse() {
    let mut link = Link::new(1_300_000);
    link.run(60_000, 1_250_000, 1_312_500);
    assert_eq!((link.overuses, link.estimator.estimate()), (0, 1_300_000));
}

#[test]
fn what_is_too_much_by_a_twentieth_is_overuse_within_two_seconds_and_measured() {
    let mut link = Link::new(1_300_000);
    link.run(5_000, 1_000_000, 1_250_000);
    let steps = (0..20).take_while(|_| {
        link.run(100, 1_312_500, 1_250_000);
        link.overuses == 0
    });
    assert!(steps.count() < 20, "within two seconds");
    let estimate = link.estimator.estimate();
    assert!((1_220_000..1_265_000).contains(&estimate), "{estimate}");
    assert!(link.estimator.is_draining());
    link.run(2_000, 1_000_000, 1_250_000);
    assert!(!link.estimator.is_draining());
}

#[test]
fn a_link_that_falls_to_an_eighth_is_known_within_half_a_second() {
    let mut link = Link::new(4_000_000);
    link.run(5_000, 1_300_000, 4_000_000);
    link.run(500, 1_300_000, 500_000);
    let estimate = link.estimator.estimate();
    assert!(link.overuses >= 1 && (470_000..530_000).contains(&estimate), "{estimate}");
}

#[test]
fn what_is_held_back_and_let_go_at_once_is_no_queue_and_no_proof() {
    let mut link = Link::new(300_000);
    link.run(5_000, 240_000, 300_000);
    for _ in 0..10 {
        link.held_until_us = link.now_us + 300_000;
        link.run(2_000, 240_000, 300_000);
    }
    // What was held counts for the second in which it came, up to what was sent.
    let estimate = link.estimator.estimate();
    assert!(link.overuses == 0 && (300_000..312_000).contains(&estimate), "{estimate}");
}

#[test]
fn arrival_times_prove_no_more_than_was_sent() {
    let mut estimator = Estimator::default();
    for at in 0..5_000u16 {
        // 800 kbit/s, all of it reported as if it came each 20 us.
        let (number, sent_us) = (at, i64::from(at) * 10_000);
        let departure = Departure { number, sent_us, len: 972, purpose: Purpose::Media };
        let arrived_us = 1_000_000 + i64::from(at) * 20;
        estimator.on_fate(Fate::Arrived(Arrival { departure, arrived_us, ecn: Ecn::NotEct }));
        if at % 5 == 0 {
            estimator.on_message(800_000, sent_us + 30_000);
        }
    }
    let estimate = estimator.estimate();
    assert!((250_000..1_100_000).contains(&estimate), "{estimate}");
}

/// The receiver claims a queue each 2 s: what was sent in 1.5 s came out of it in 200 ms.
#[test]
fn a_queue_that_empties_faster_than_it_was_filled_proves_no_more_than_was_sent() {
    let mut estimator = Estimator::default();
    let mut most = 0;
    for at in 0..1_500u16 {
        // 800 kbit/s; the first 2 s are told as they were.
        let sent_us = i64::from(at) * 10_000;
        let into = sent_us % 2_000_000;
        let is_true = sent_us < 2_000_000 || into >= 1_500_000;
        let arrived_us =
            20_000 + if is_true { sent_us } else { sent_us - into + 750_000 + into * 200 / 1_500 };
        let departure = Departure { number: at, sent_us, len: 972, purpose: Purpose::Media };
        estimator.on_fate(Fate::Arrived(Arrival { departure, arrived_us, ecn: Ecn::NotEct }));
        if at % 5 == 0 {
            estimator.on_message(800_000, sent_us + 30_000);
            most = most.max(estimator.estimate());
        }
    }
    assert!((250_000..1_250_000).contains(&most), "{most}");
}

#[test]
fn delay_that_does_not_follow_our_rate_is_taken_for_the_paths() {
    let mut link = Link::new(1_300_000);
    link.run(5_000, 600_000, 2_000_000);
    link.longer_us = 70_000;
    link.run(300, 600_000, 2_000_000);
    link.estimator.cut(700_000, link.now_us);
    link.run(2_000, 500_000, 2_000_000);
    assert!(link.estimator.is_draining());
    link.run(4_000, 500_000, 2_000_000);
    assert!(link.estimator.is_calm());
}

/// Packets of one burst, each 1,180 bytes, as they come over a link that takes so much.
fn burst_of(count: u16, takes: u64) -> Estimator {
    let mut estimator = Estimator::default();
    let each = i64::try_from((1_180 + UDP_IP) * 8_000_000 / takes).unwrap();
    for number in 0..count {
        let departure = Departure { number, sent_us: 1_000, len: 1_180, purpose: Purpose::Media };
        let arrived_us = 21_000 + each * i64::from(number + 1);
        estimator.on_fate(Fate::Arrived(Arrival { departure, arrived_us, ecn: Ecn::NotEct }));
    }
    estimator.on_message(130_000, 100_000);
    estimator
}

#[test]
fn before_the_first_report_a_call_is_paced_below_what_narrow_links_take() {
    assert_eq!(Estimator::default().pace(130_000), 150_000);
    // Everybody's lowest layer is sent whatever it takes.
    assert_eq!(Estimator::default().pace(600_000), 600_000);
}

#[test]
fn a_first_burst_that_came_without_a_wait_frees_the_rest_of_the_key_frame() {
    assert_eq!(burst_of(4, 20_000_000).pace(130_000), 1_000_000);
    // One packet cannot have waited for itself.
    assert_eq!(burst_of(1, 200_000).pace(130_000), 250_000);
}

#[test]
fn a_first_burst_that_fills_a_narrow_link_is_followed_by_less_than_the_link() {
    let estimator = burst_of(4, 200_000);
    assert!((90_000..135_000).contains(&estimator.pace(130_000)), "{}", estimator.pace(130_000));
}
