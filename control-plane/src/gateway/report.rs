//! `voice:stats:report`, `voice:ui:event`. Checks: a channel was joined, and the numbers are ones
//! that can be, for the report. Both are answered by the ack alone.

use crate::session::{Answer, Session};
use railgun_shared::signal::{ErrorBody, ErrorCode, StatsReport, UiEventName};
use serde_json::Map;

pub(super) fn stats(session: &mut Session, report: &StatsReport) -> Result<Answer, ErrorBody> {
    session.seated()?;
    if !can_be(report) {
        return Err(ErrorBody::new(ErrorCode::InvalidPayload, "a number is out of its range"));
    }
    if let Some(call) = session.seat.as_mut().and_then(|seat| seat.call.as_mut()) {
        call.reported(report);
    }
    Ok(Answer::AckOnly(Map::new()))
}

fn can_be(report: &StatsReport) -> bool {
    let StatsReport { rtt, jitter, packet_loss, mos, .. } = report;
    let is_time = |millis: &f64| (0.0..=600_000.0).contains(millis);
    is_time(rtt) && is_time(jitter) && (0.0..=1.0).contains(packet_loss) && (1.0..=5.0).contains(mos)
}

pub(super) fn ui_event(session: &Session, name: UiEventName) -> Answer {
    session.services.metrics.calls.ui_event(name);
    Answer::AckOnly(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_of_a_call_that_can_be() {
        let good = StatsReport {
            transport: "udp".into(),
            rtt: 40.0,
            jitter: 0.0,
            packet_loss: 1.0,
            mos: 4.4,
            network_type: None,
        };
        assert!(can_be(&good));
        for wrong in [
            StatsReport { rtt: -1.0, ..good.clone() },
            StatsReport { rtt: f64::NAN, ..good.clone() },
            StatsReport { jitter: f64::INFINITY, ..good.clone() },
            StatsReport { packet_loss: 1.1, ..good.clone() },
            StatsReport { mos: 0.0, ..good.clone() },
            StatsReport { mos: 5.1, ..good.clone() },
        ] {
            assert!(!can_be(&wrong), "{wrong:?}");
        }
    }
}
