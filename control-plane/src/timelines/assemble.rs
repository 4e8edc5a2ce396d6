//! Puts what several replicas kept together into calls, and has their minutes explained.

use super::call_id::CallId;
use super::document::{
    CallDocument, CallParticipant, CallSummary, EventOf, Explained, Minute, MinuteOf, Records,
};
use crate::clock::rfc3339;
use crate::policy::call_quality::{CallMinute, Finding, NodeMinute, PARTICIPANT, ParticipantMinute, explain};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

/// Minutes without anybody between two calls in a channel; fewer are a call that was interrupted.
const APART: u64 = 3;
/// Minutes of one call that are told, the last ones.
const MINUTES_MAX: usize = 1440;

/// Everything of a channel that is known.
pub(super) struct Assembled {
    /// By minute, and participant.
    minutes: BTreeMap<u64, BTreeMap<String, ParticipantMinute>>,
    /// By minute, and node.
    nodes: BTreeMap<u64, BTreeMap<String, NodeMinute>>,
}

impl Assembled {
    pub(super) fn of(all: Vec<Records>) -> Self {
        let mut assembled = Self { minutes: BTreeMap::new(), nodes: BTreeMap::new() };
        for Records { participants, nodes } in all {
            for minute in participants {
                let of = assembled.minutes.entry(minute.minute).or_default();
                let kept = of.remove(&minute.who.participant);
                let minute = match kept {
                    Some(kept) => merged(kept, minute),
                    None => minute,
                };
                of.insert(minute.who.participant.clone(), minute);
            }
            for node in nodes {
                let of = assembled.nodes.entry(node.minute).or_default();
                let node = match of.remove(&node.node) {
                    Some(kept) => kept.with(&node),
                    None => node,
                };
                of.insert(node.node.clone(), node);
            }
        }
        assembled
    }

    /// First and last minute of each call, the latest call first.
    pub(super) fn calls(&self) -> Vec<(u64, u64)> {
        let mut calls: Vec<(u64, u64)> = Vec::new();
        for minute in self.minutes.keys() {
            match calls.last_mut() {
                Some((_, last)) if minute - *last <= APART => *last = *minute,
                _ => calls.push((*minute, *minute)),
            }
        }
        calls.reverse();
        calls
    }

    pub(super) fn summary(&self, key: &str, (first, last): (u64, u64)) -> CallSummary {
        let mut sessions: Vec<&String> =
            self.minutes.range(first..=last).flat_map(|(_, of)| of.keys()).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let bad = self.minutes.range(first..=last).filter(|(minute, of)| {
            let of: Vec<ParticipantMinute> = of.values().cloned().collect();
            !self.explained(**minute, &of).is_empty()
        });
        CallSummary {
            call: CallId { key: key.into(), minute: first }.to_string(),
            started_at: told(first),
            ended_at: told(last),
            participants: sessions.len(),
            bad_minutes: bad.count(),
        }
    }

    pub(super) fn document(
        &self,
        key: &str,
        (first, last): (u64, u64),
        unreached: Vec<String>,
    ) -> CallDocument {
        let mut names = HashMap::new();
        let (mut participants, mut nodes) = (Vec::new(), Vec::<String>::new());
        for of in self.minutes.range(first..=last).flat_map(|(_, of)| in_order(of)) {
            let who = &of.who;
            if !nodes.contains(&who.node) {
                nodes.push(who.node.clone());
            }
            let count = names.len() + 1;
            let name = names.entry(who.participant.clone()).or_insert_with(|| {
                participants.push(CallParticipant {
                    participant: format!("P{count}"),
                    session_id: who.participant.clone(),
                    user_id: who.user.clone(),
                    region: who.region.clone(),
                    network: None,
                });
                count
            });
            // What the client says of its network comes after the join.
            if let (Some(network), Some(known)) = (who.network, participants.get_mut(*name - 1)) {
                known.network = Some(word(network));
            }
        }
        let name = |of: &ParticipantMinute| {
            names.get(&of.who.participant).map_or_else(String::new, |number| format!("P{number}"))
        };
        let skipped = self.minutes.range(first..=last).count().saturating_sub(MINUTES_MAX);
        let minutes = self.minutes.range(first..=last).skip(skipped).map(|(minute, of)| {
            let of: Vec<ParticipantMinute> = in_order(of).cloned().collect();
            let findings = self.explained(*minute, &of).into_iter().map(|finding| {
                let Finding { side, cause, participant, node, sentence } = finding;
                let participant = participant.and_then(|place| of.get(place)).map(name);
                let sentence = sentence.replace(PARTICIPANT, participant.as_deref().unwrap_or_default());
                Explained { side, cause, participant, node, sentence }
            });
            Minute {
                at: told(*minute),
                findings: findings.collect(),
                participants: of.iter().map(|of| minute_of(of, name(of))).collect(),
            }
        });
        let minutes = minutes.collect();
        CallDocument {
            call: CallId { key: key.into(), minute: first }.to_string(),
            started_at: told(first),
            ended_at: told(last),
            participants,
            nodes,
            minutes,
            unreached,
        }
    }

    fn explained(&self, minute: u64, participants: &[ParticipantMinute]) -> Vec<Finding> {
        let none = BTreeMap::new();
        let nodes = self.nodes.get(&minute).unwrap_or(&none);
        explain(&CallMinute { participants, nodes, relays: nodes.get("") })
    }
}

/// Of one participant, by two replicas: its socket went from one to the other.
fn merged(one: ParticipantMinute, other: ParticipantMinute) -> ParticipantMinute {
    let (mut more, less) = if one.samples + one.reports / 2 >= other.samples + other.reports / 2 {
        (one, other)
    } else {
        (other, one)
    };
    more.events.extend(less.events);
    more.events.sort_by_key(|of| of.second);
    more.path = more.path.or(less.path);
    more.mos = more.mos.or(less.mos);
    // Whoever saw the outage may have the shorter record of the minute.
    more.silent = more.silent.max(less.silent);
    more.key_changes = more.key_changes.saturating_add(less.key_changes);
    more.key_epoch = more.key_epoch.max(less.key_epoch);
    more
}

/// By when they joined, as far as that minute tells.
fn in_order(of: &BTreeMap<String, ParticipantMinute>) -> impl Iterator<Item = &ParticipantMinute> {
    let mut all: Vec<&ParticipantMinute> = of.values().collect();
    all.sort_by_key(|of| of.events.first().map_or(0, |event| event.second));
    all.into_iter()
}

fn minute_of(of: &ParticipantMinute, participant: String) -> MinuteOf {
    let tenths = |value: Option<f64>| value.map(|value| (10.0 * value).round() / 10.0);
    MinuteOf {
        participant,
        node: of.who.node.clone(),
        path: of.path.map(word),
        mos: tenths(of.mos),
        round_trip_ms: tenths(of.round_trip_ms),
        up_loss_percent: tenths(of.up_loss()),
        down_loss_percent: tenths(of.down_loss()),
        up_jitter_ms: tenths(of.up_jitter_ms),
        down_jitter_ms: tenths(of.down_jitter_ms),
        available_kbps: of.available_kbps,
        videos: (of.videos > 0).then_some(of.videos),
        layers_min: of.layers_min.map(layers),
        layers_max: of.layers_max.map(layers),
        dark_percent: tenths(
            (of.dark > 0).then(|| 100.0 * f64::from(of.dark) / f64::from(of.samples.max(1))),
        ),
        key_changes: (of.key_changes > 0).then_some(of.key_changes),
        key_epoch: of.key_epoch,
        events: of.events.iter().map(|of| EventOf { second: of.second, what: word(of.what) }).collect(),
    }
}

fn layers((spatial, temporal): (u8, u8)) -> String {
    format!("{spatial}.{temporal}")
}

/// A unit variant as JSON has it.
fn word(of: impl Serialize) -> String {
    let value = serde_json::to_value(of).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn told(minute: u64) -> String {
    rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(minute.saturating_mul(60).min(1 << 50)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::call_quality::{Cause, Common, Happened, Identity, Path, What};

    fn minute(minute: u64, participant: &str, samples: u8) -> ParticipantMinute {
        let who = Identity { participant: participant.into(), node: "n1".into(), ..Identity::default() };
        ParticipantMinute { minute, who, samples, reports: 6, mos: Some(4.0), ..Default::default() }
    }

    fn records(participants: Vec<ParticipantMinute>) -> Records {
        Records { participants, nodes: Vec::new() }
    }

    #[test]
    fn calls_are_minutes_that_belong_together_whoever_kept_them() {
        let here = records(vec![minute(100, "a", 6), minute(101, "a", 6), minute(200, "a", 6)]);
        let there = records(vec![minute(103, "b", 6), minute(104, "b", 6)]);
        let assembled = Assembled::of(vec![here, there]);
        assert_eq!(assembled.calls(), [(200, 200), (100, 104)]);
        let summary = assembled.summary("k", (100, 104));
        assert_eq!((summary.participants, summary.bad_minutes, summary.call.as_str()), (2, 0, "k-100"));
    }

    #[test]
    fn a_minute_that_two_replicas_saw_is_one_with_the_events_of_both() {
        let event = |what| vec![Happened { second: 30, what }];
        let before = ParticipantMinute {
            events: event(What::SocketLost),
            path: Some(Path::Relay),
            silent: 1,
            ..minute(9, "a", 2)
        };
        let after = ParticipantMinute { events: event(What::Resumed), ..minute(9, "a", 4) };
        let assembled = Assembled::of(vec![records(vec![before]), records(vec![after])]);
        let document = assembled.document("k", (9, 9), Vec::new());
        let told = &document.minutes[0].participants;
        assert_eq!((told.len(), told[0].events.len(), told[0].path.as_deref()), (1, 2, Some("relay")));
        let was_cut_off = document.minutes[0].findings.iter().any(|it| it.cause == Cause::Interrupted);
        assert!(was_cut_off, "{:?}", document.minutes[0].findings);
    }

    #[test]
    fn a_sentence_names_the_participant_as_the_document_does() {
        let slow = ParticipantMinute { cpu_limited: 6, ..minute(9, "b", 6) };
        let node = NodeMinute { minute: 9, node: "n1".into(), late_ms: 60.0, ..NodeMinute::default() };
        let here = Records { participants: vec![minute(9, "a", 6), slow], nodes: vec![node.clone()] };
        let calm = NodeMinute { late_ms: 1.0, common: Common { sessions: 2, ..Common::default() }, ..node };
        let there = Records { participants: Vec::new(), nodes: vec![calm] };
        let orders = [[&here, &there], [&there, &here]];
        for records in orders.map(|of| of.map(Clone::clone).to_vec()) {
            names_the_node_and_the_participant(records);
        }
    }

    /// Whichever replica says first how the node was.
    fn names_the_node_and_the_participant(records: Vec<Records>) {
        let document = Assembled::of(records).document("k", (9, 9), vec!["http://r2/".into()]);
        let findings = &document.minutes[0].findings;
        let b = document.participants.iter().find(|of| of.session_id == "b").unwrap();
        assert_eq!(findings[1].participant.as_ref(), Some(&b.participant));
        assert!(findings[1].sentence.starts_with(&format!("{}'s device was too slow", b.participant)));
        assert!(findings[0].sentence.contains("n1 was overloaded") && findings[0].sentence.contains("60 ms"));
        assert!(!findings.iter().any(|of| of.sentence.contains(PARTICIPANT)));
    }
}
