use super::*;

const SECOND: i64 = 1_000_000;

fn seen(trend: f64, is_short: bool, now_us: i64) -> Seen {
    Seen {
        trend,
        is_short,
        round_trip_us: 100_000,
        standing_us: 90_000,
        sending: 200_000,
        sent: 200_000,
        delivered: if now_us % 2_000_000 < 1_000_000 { 150_000 } else { 200_000 },
        now_us,
    }
}

/// Cut to 600 kbit/s at 0 s, to 500 at 1 s, with this queue.
fn cut_twice(standing_us: i64) -> Competition {
    let mut competition = Competition::default();
    (0..2)
        .for_each(|at| competition.on_cut(600_000 - 100_000 * at, 0, standing_us, at.cast_signed() * SECOND));
    competition
}

fn on() -> Competition {
    let mut competition = cut_twice(200_000);
    let flat = |at| seen(0.02, false, at * SECOND);
    assert_eq!((0..30).find_map(|_| competition.on_long(&flat(2))), None, "too early");
    assert_eq!(competition.on_long(&flat(3)), Some(300_000));
    assert!(competition.is_on());
    competition
}

#[test]
fn a_queue_that_follows_is_no_competition() {
    let mut competition = Competition::default();
    for at in 0..20 {
        competition.on_cut(500_000, 0, 90_000, at * SECOND);
        assert_eq!((0..20).find_map(|_| competition.on_long(&seen(0.0, false, at * SECOND))), None);
        competition.on_drained();
    }
}

#[test]
fn a_queue_that_grows_and_drains_is_a_link_that_falls() {
    let mut competition = Competition::default();
    for at in 0..200 {
        competition.on_cut(500_000, 0, 200_000, at * SECOND / 10);
        let trend = if at % 8 < 4 { 0.5 } else { -0.4 };
        assert_eq!(competition.on_long(&seen(trend, false, at * SECOND / 10)), None);
    }
}

#[test]
fn a_queue_that_stands_though_much_less_is_sent_is_somebody_elses_however_it_swings() {
    let at = |now| seen(0.5, false, now);
    assert_eq!(cut_twice(90_000).on_long(&at(2_400_000)), None, "too early");
    assert_eq!(cut_twice(90_000).on_long(&at(2_600_000)), Some(300_000));
    assert_eq!(cut_twice(200_000).on_long(&at(2_600_000)), None, "it drained by half");
    let as_much = Seen { sent: 500_000, ..at(2_600_000) };
    assert_eq!(cut_twice(90_000).on_long(&as_much), None, "what was measured is still sent: it is ours");
}

#[test]
fn it_begins_with_half_of_what_was_sent_before_the_first_cut() {
    // Of 1.2 Mbit/s, 300 kbit/s came out beside a transfer that had just begun.
    let mut competition = Competition::default();
    competition.on_cut(300_000, 1_200_000, 90_000, 0);
    competition.on_cut(250_000, 400_000, 90_000, SECOND);
    assert_eq!(competition.on_long(&seen(0.5, false, 2_600_000)), Some(600_000));
}

#[test]
fn a_queue_that_the_first_packets_after_a_silence_find_is_somebody_elses() {
    for (waited, begins) in [(80_000, true), (10_000, false)] {
        let mut competition = cut_twice(0);
        competition.on_gap();
        (0..2).for_each(|_| competition.on_arrival(90_000));
        assert_eq!(competition.on_quiet(250_000, &seen(0.0, false, SECOND)), None, "too few");
        competition.on_arrival(waited);
        let rate = competition.on_quiet(250_000, &seen(0.0, false, SECOND));
        assert_eq!((rate, competition.is_on()), (begins.then_some(250_000), begins));
    }
}

#[test]
fn a_queue_that_swings_and_does_not_follow_is_somebody_elses_and_one_that_stays_is_the_paths() {
    for (swing, begins) in [(40_000, true), (4_000, false)] {
        let mut competition = Competition::default();
        competition.on_cut(500_000, 0, 90_000, 0);
        let at = |standing_us| Seen { standing_us, ..seen(0.1, false, 4 * SECOND) };
        assert_eq!(competition.on_long(&at(90_000)), None);
        assert_eq!(competition.on_long(&at(90_000 + swing)), None);
        assert_eq!(competition.on_stuck(&at(90_000)), begins.then_some(250_000));
    }
}

#[test]
fn what_comes_out_the_same_whatever_is_sent_has_a_link_of_its_own() {
    for (swings, ends) in [(0, true), (30_000, false)] {
        let mut competition = on();
        for at in 0..200 {
            let now_us = 3 * SECOND + at * 50_000;
            let delivered = 300_000 + u64::try_from(at / 20 % 2).unwrap() * swings;
            competition.follow(0, &Seen { delivered, sending: 900_000, ..seen(0.0, false, now_us) });
        }
        assert_eq!(competition.is_on(), !ends);
    }
}

#[test]
fn a_queue_that_keeps_growing_ends_it() {
    let mut competition = on();
    (0..30).for_each(|at| {
        competition.follow(500_000, &seen(0.2, false, 3 * SECOND + at * 50_000));
    });
    assert!(!competition.is_on());
}

#[test]
fn heavy_loss_for_seconds_is_our_own_doing_and_a_burst_of_it_is_not() {
    let mut competition = on();
    let mut lose = |from: i64, until: i64, one_in: i64| {
        (from..until).for_each(|at| {
            if at % one_in == 0 {
                competition.on_loss(at * 10_000)
            } else {
                competition.on_arrival(90_000)
            }
            competition.follow(600_000, &seen(0.0, false, at * 10_000));
        });
        competition.is_on()
    };
    assert!(lose(300, 600, 3) && lose(600, 900, 50) && lose(900, 1_200, 3));
    assert!(!lose(1_200, 1_600, 3));
    (0..2).for_each(|at| competition.on_cut(300_000, 0, 90_000, (17 + at) * SECOND));
    let flat = seen(0.0, false, 21 * SECOND);
    assert_eq!((0..99).find_map(|_| competition.on_long(&flat)), None, "not again so soon");
}

#[test]
fn it_ends_when_the_queue_stays_short_and_with_silence() {
    let mut competition = on();
    (0..60).for_each(|at| {
        competition.follow(500_000, &seen(0.0, true, 3 * SECOND + at * 50_000));
    });
    assert!(!competition.is_on());
    let mut competition = on();
    competition.on_silence();
    assert!(!competition.is_on());
}
