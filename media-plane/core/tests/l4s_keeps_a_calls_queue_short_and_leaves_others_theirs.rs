//! L4S (RFC 9330): over a link with a dual queue (DualPI2, RFC 9332), a call that is sent as ECT(1) waits less than one
//! that is not, beside the same TCP transfer, and leaves that its part because it follows the marks.

use railgun_peer::simulator::{LinkConfig, Queue, Reports, Scenario, Viewed, run};
use std::time::Duration;

const FROM: Duration = Duration::from_secs(20);

/// The viewer of a call over a dual queue of this rate, with a TCP transfer from 10 s on.
fn call(rate: u64, reports: Reports, l4s: bool, seed: u64) -> Viewed {
    let link =
        LinkConfig { queue: Queue::Dual, transfers: vec![Duration::from_secs(10)], ..LinkConfig::new(rate) };
    run(&Scenario { reports, l4s, ..Scenario::new(link, 60) }, seed).remove(0)
}

/// What the transfer got of its fair half, from 20 s on.
fn transfers_share(viewed: &Viewed) -> f64 {
    let theirs: u64 = viewed.transferred[0].iter().skip(10).sum();
    2.0 * theirs as f64 / (theirs + viewed.bytes_from(20)) as f64
}

/// The mean over these calls.
fn mean(calls: &[Viewed], of: impl Fn(&Viewed) -> f64) -> f64 {
    calls.iter().map(of).sum::<f64>() / calls.len() as f64
}

fn calls(rate: u64, l4s: bool) -> Vec<Viewed> {
    [1, 2, 3, 11].map(|seed| call(rate, Reports::Ccfb, l4s, seed)).into()
}

#[test]
fn beside_a_tcp_transfer_an_l4s_call_waits_less_than_half_of_what_a_classic_one_does() {
    let (classic, low) = (calls(2_000_000, false), calls(2_000_000, true));
    let waits = [&classic, &low].map(|calls| mean(calls, |it| it.waits_p95(FROM).into()));
    // One full-size packet of the transfer takes 6 ms, which nothing goes before.
    assert!(waits[0] > 25.0 && waits[1] < waits[0] / 2.0, "{waits:?} ms");
    let frozen = [&classic, &low].map(|calls| mean(calls, |it| it.pictures[0].frozen.as_secs_f64()));
    assert!(frozen[1] < frozen[0] / 2.0, "{frozen:?} s");
}

#[test]
fn an_l4s_call_follows_the_marks_and_leaves_a_tcp_transfer_its_part() {
    // The call would take 1.3 Mbit/s, which is nearly all.
    let calls = calls(1_500_000, true);
    let share = mean(&calls, transfers_share);
    assert!((0.8..1.7).contains(&share), "{share} of its fair part");
    let pictures = mean(&calls, |it| it.pictures[0].shown as f64 / 60.0);
    assert!(pictures > 9.0, "{pictures} a second");
}

#[test]
fn a_receiver_that_reports_no_marks_is_sent_no_ect1() {
    let viewed = call(2_000_000, Reports::True, true, 3);
    let classic = call(2_000_000, Reports::True, false, 3);
    assert_eq!(viewed.fingerprint, classic.fingerprint);
    assert!(viewed.waits_p95(FROM) > 15.0, "{}", viewed.waits_p95(FROM));
}
