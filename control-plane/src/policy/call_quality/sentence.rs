//! What was wrong, in a sentence. Participants are called by what the reader of the sentence puts for `{p}`.

use super::finding::Cause;
use super::minute::{NodeMinute, ParticipantMinute, Path};

/// Stands for the participant's name in a sentence.
pub(crate) const PARTICIPANT: &str = "{p}";

/// By what the participant's media travelled, for the end of a sentence.
fn by(of: &ParticipantMinute) -> &'static str {
    match of.path {
        Some(Path::Relay) => ", through a relay",
        Some(Path::Tcp) => ", over TCP",
        Some(Path::Udp) | None => "",
    }
}

pub(super) fn up_loss(of: &ParticipantMinute, percent: f64) -> String {
    format!(
        "{PARTICIPANT} was heard badly: {percent:.0} % of what {PARTICIPANT} sent was lost on the way to the node{}.",
        by(of)
    )
}

/// Of what is lost beside the delay.
fn beside(loss: f64) -> String {
    if loss >= 1.0 { format!(", {loss:.0} % lost") } else { String::new() }
}

pub(super) fn up_delay(of: &ParticipantMinute, jitter: f64, delay: f64, loss: f64) -> String {
    format!(
        "{PARTICIPANT} was heard late or in pieces: what {PARTICIPANT} sent came late or unevenly ({delay:.0} ms in \
         queues, jitter {jitter:.0} ms{}){}; the uplink is full or weak.",
        beside(loss),
        by(of)
    )
}

pub(super) fn down_loss(of: &ParticipantMinute, percent: f64) -> String {
    format!(
        "{PARTICIPANT} heard the others badly: {percent:.0} % was lost on the way from the node to {PARTICIPANT}{}.",
        by(of)
    )
}

pub(super) fn down_delay(of: &ParticipantMinute, jitter: f64, delay: f64, loss: f64) -> String {
    format!(
        "{PARTICIPANT} heard the others late or in pieces: packets reached {PARTICIPANT} late or unevenly ({delay:.0} \
         ms in queues, jitter {jitter:.0} ms{}){}; the downlink is full or weak.",
        beside(loss),
        by(of)
    )
}

pub(super) fn narrow(of: &ParticipantMinute) -> String {
    let took = of.available_kbps.unwrap_or_default();
    format!(
        "{PARTICIPANT} saw smaller pictures or none: the downlink took {took} kbit/s, less than they need{}.",
        by(of)
    )
}

pub(super) fn interrupted(of: &ParticipantMinute) -> String {
    format!("{PARTICIPANT} was cut off for a while: nothing came from {PARTICIPANT}'s network{}.", by(of))
}

pub(super) fn cpu(of: &ParticipantMinute) -> String {
    format!(
        "{PARTICIPANT}'s device was too slow for what it sends: it said so in {} of {} reports.",
        of.cpu_limited, of.reports
    )
}

pub(super) fn microphone(of: &ParticipantMinute) -> String {
    format!(
        "{PARTICIPANT} was not heard: the microphone was open and gave nothing in {} of {} looks, while the \
         connection worked.",
        of.stalled, of.samples
    )
}

pub(super) fn unknown(of: &ParticipantMinute) -> String {
    let mos = of.mos.unwrap_or_default();
    format!("{PARTICIPANT}'s client rates the minute {mos:.1} of 5, and nothing that was measured says why.")
}

pub(super) fn node_lost(node: &str) -> String {
    format!(
        "Media node {node} ended or was lost; the call was interrupted until it was opened on another one."
    )
}

pub(super) fn worker_died(node: &str) -> String {
    format!("A worker of media node {node} died; the call was interrupted until it was opened anew.")
}

pub(super) fn node_drained(node: &str) -> String {
    format!("Media node {node} was drained; the call moved to another one.")
}

pub(super) fn node_overloaded(node: &str, said: &NodeMinute, is_common: bool) -> String {
    let NodeMinute { dropped_percent, late_ms, common, .. } = said;
    let all = match is_common {
        true => format!(" Most of its {} sessions had the same at once.", common.sessions),
        false => String::new(),
    };
    format!(
        "Media node {node} was overloaded: it dropped {dropped_percent:.1} % of its datagrams and was {late_ms:.0} ms \
         late.{all}"
    )
}

pub(super) fn relay(cause: Cause, percent: f64, rise: f64, sessions: u32) -> String {
    let what = match cause {
        Cause::Loss => format!("lost {percent:.0} % of the packets"),
        _ => format!("held packets up ({rise:.0} ms above the shortest round trip)"),
    };
    format!(
        "The relays {what}: the {sessions} sessions that go through them had it in common, and others did not."
    )
}
