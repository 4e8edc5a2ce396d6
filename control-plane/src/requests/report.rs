//! `voice:stats:report`, `voice:ui:event`. Checks: a channel was joined, and the numbers are ones
//! that can be, for the report. Both are answered by the ack alone.

use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::signal::{StatsReport, UiEventName};
use serde_json::Map;

/// Nothing that is called a call takes longer.
const MILLIS_MAX: f64 = 600_000.0;
/// The lowest mean opinion score.
const MOS_MIN: f64 = 1.0;
/// The lowest value of the contract's formula is 0.989, at a rating R of 3.1: its cubic term dips below the scale.
const MOS_FORMULA_MIN: f64 = 0.98;

pub(super) fn stats(session: &mut Session, mut report: StatsReport) -> Result<Answer, Refusal> {
    session.seated()?;
    if !can_be(&report) {
        return Err(Refusal::OutOfRange);
    }
    report.mos = report.mos.map(|mos| mos.max(MOS_MIN));
    if let Some(seat) = &mut session.seat {
        if let Some(call) = &mut seat.call {
            call.reported(&report);
        }
        if let Some(timeline) = &mut seat.timeline {
            timeline.reported(&report);
        }
    }
    Ok(Answer::AckOnly(Map::new()))
}

fn can_be(report: &StatsReport) -> bool {
    let is_within = |number: Option<f64>, least: f64, most: f64| {
        number.is_none_or(|number| (least..=most).contains(&number))
    };
    is_within(report.rtt, 0.0, MILLIS_MAX)
        && is_within(report.jitter, 0.0, MILLIS_MAX)
        && is_within(report.packet_loss, 0.0, 100.0)
        && is_within(report.mos, MOS_FORMULA_MIN, 5.0)
}

pub(super) fn ui_event(session: &Session, name: UiEventName) -> Answer {
    session.services.metrics.calls.ui_event(name);
    Answer::AckOnly(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_of_a_call_that_can_be_and_may_leave_out_what_was_not_measured() {
        let good = StatsReport {
            transport: Some("turn".into()),
            rtt: Some(40.0),
            jitter: Some(0.0),
            packet_loss: Some(100.0),
            mos: Some(4.4),
            network_type: None,
            cpu_limited: None,
        };
        assert!(can_be(&good));
        assert!(can_be(&StatsReport::default()));
        assert!(can_be(&StatsReport { mos: Some(0.989), ..good.clone() }), "the formula, R = 3.1");
        for wrong in [
            StatsReport { rtt: Some(-1.0), ..good.clone() },
            StatsReport { rtt: Some(f64::NAN), ..good.clone() },
            StatsReport { jitter: Some(f64::INFINITY), ..good.clone() },
            StatsReport { packet_loss: Some(100.1), ..good.clone() },
            StatsReport { mos: Some(0.97), ..good.clone() },
            StatsReport { mos: Some(5.1), ..good.clone() },
        ] {
            assert!(!can_be(&wrong), "{wrong:?}");
        }
    }
}
