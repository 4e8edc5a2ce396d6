//! Which side a bad minute came from, and what was wrong there.
//!
//! What many sessions of a node have in common is the node's; what those behind relays have in common on top of it
//! is the relays'; what is left is the participant's own: uplink, downlink or device.

use super::finding::{Cause, Finding, Side, found};
use super::minute::{Common, NodeMinute, ParticipantMinute, Path, What};
use super::own::{self, JITTER, LOSS, Shared};
use super::sentence;
use std::collections::{BTreeMap, HashMap};

/// Round trip above the call's shortest, in milliseconds: a queue.
const RISE: f64 = 150.0;
/// Datagrams that a node drops, in percent.
const NODE_DROPS: f64 = 1.0;
/// Mean lateness of a node's workers, in milliseconds.
const NODE_LATE: f64 = 20.0;
/// So many sessions with the same trouble at a node are the node's trouble.
const MANY: u32 = 5;
/// Sessions behind relays, which are few.
const MANY_RELAYED: u32 = 2;
/// One session may have so many times what most have in common, and it is still that; of relays, the half of whose
/// sessions exceed what is common.
const SPREAD: f64 = 1.5;
const SPREAD_RELAYED: f64 = 1.25;
/// A call below this mean opinion score is bad.
const BAD_SCORE: f64 = 3.0;

/// A call's minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallMinute<'a> {
    pub(crate) participants: &'a [ParticipantMinute],
    pub(crate) nodes: &'a BTreeMap<String, NodeMinute>,
    /// What sessions behind relays had in common, on all nodes.
    pub(crate) relays: Option<&'a NodeMinute>,
}

/// What was wrong, if anything was; the sides that are shared by many come first.
pub(crate) fn explain(minute: &CallMinute<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut shared = HashMap::new();
    let mut names: Vec<&str> = minute.participants.iter().map(|of| of.who.node.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of_node = node(minute, name, &mut findings);
        shared.insert(name, of_node);
    }
    let of_relays = relays(minute, &shared, &mut findings);
    for (place, of) in minute.participants.iter().enumerate() {
        let mut above = shared.get(of.who.node.as_str()).copied().unwrap_or_default();
        if let Some(of_relays) = of_relays.filter(|_| of.path == Some(Path::Relay)) {
            above = above.beside(&of_relays);
        }
        own::find(place, of, &above, jitter_of_others(minute.participants, place), &mut findings);
    }
    // Whoever hears badly because of what was found is explained by it.
    if findings.is_empty() {
        let bad = |of: &ParticipantMinute| of.mos.is_some_and(|mos| mos < BAD_SCORE) && of.reports > 1;
        for (place, of) in minute.participants.iter().enumerate().filter(|(_, of)| bad(of)) {
            findings.push(found(Side::Unknown, Cause::Unknown, Some((place, of)), sentence::unknown(of)));
        }
    }
    findings
}

fn node(minute: &CallMinute<'_>, name: &str, findings: &mut Vec<Finding>) -> Shared {
    let here = || minute.participants.iter().filter(|of| of.who.node == name);
    let said = minute.nodes.get(name).cloned().unwrap_or_default();
    let mut add = |cause, sentence| {
        let node = Some(name.to_owned());
        findings.push(Finding { side: Side::Node, cause, participant: None, node, sentence });
    };
    let any = |what| here().any(|of| of.has(what));
    if any(What::NodeLost) {
        add(Cause::Failed, sentence::node_lost(name));
    } else if said.dead_workers > 0 || any(What::WorkerDied) {
        add(Cause::Failed, sentence::worker_died(name));
    } else if any(What::NodeDraining) {
        add(Cause::Moved, sentence::node_drained(name));
    }
    let Common { sessions, up_loss, down_loss, rise_ms, up_delay_ms, down_delay_ms, jitter_ms } = said.common;
    let is_many = sessions >= MANY;
    let admits = said.dropped_percent >= NODE_DROPS || said.late_ms >= NODE_LATE;
    let is_common =
        is_many && (up_loss >= LOSS || down_loss >= LOSS || rise_ms >= RISE || jitter_ms >= JITTER);
    if admits || is_common {
        add(Cause::Overload, sentence::node_overloaded(name, &said, is_common));
    }
    // Drops are of datagrams in and out together, so that of what one way lost they say half at the least.
    let dropped = if admits { said.dropped_percent } else { 0.0 };
    let of_many = |common: f64, few: f64| if is_many { common } else { few };
    Shared {
        up_loss: of_many(up_loss, 0.0).max(dropped),
        down_loss: of_many(down_loss, 0.0).max(dropped),
        // What waits for a worker waits on the way up; its answer waits again.
        rise_ms: of_many(rise_ms, 2.0 * said.late_ms),
        up_delay_ms: of_many(up_delay_ms, said.late_ms),
        down_delay_ms: of_many(down_delay_ms, said.late_ms),
        jitter_ms: of_many(jitter_ms, 0.0).max(said.late_ms),
        spread: SPREAD,
        is_found: admits || is_common,
    }
}

/// Jitter, in milliseconds, that the speech of the others had when it reached the node: of the one whose came most evenly.
fn jitter_of_others(participants: &[ParticipantMinute], place: usize) -> f64 {
    let others = participants.iter().enumerate().filter(|(other, _)| *other != place);
    others.filter_map(|(_, of)| of.up_jitter_ms).min_by(f64::total_cmp).unwrap_or_default()
}

/// What relays add to nodes, if they do.
fn relays(
    minute: &CallMinute<'_>,
    of_nodes: &HashMap<&str, Shared>,
    findings: &mut Vec<Finding>,
) -> Option<Shared> {
    let is_used = minute.participants.iter().any(|of| of.path == Some(Path::Relay));
    let common = minute.relays.map(|of| of.common).filter(|of| is_used && of.sessions >= MANY_RELAYED)?;
    let above = |value: f64, read: fn(&Shared) -> f64| {
        let of_node = of_nodes.values().map(read).min_by(f64::total_cmp).unwrap_or_default();
        (value - of_node).max(0.0)
    };
    let above = Shared {
        up_loss: above(common.up_loss, |of| of.up_loss),
        down_loss: above(common.down_loss, |of| of.down_loss),
        rise_ms: above(common.rise_ms, |of| of.rise_ms),
        up_delay_ms: above(common.up_delay_ms, |of| of.up_delay_ms),
        down_delay_ms: above(common.down_delay_ms, |of| of.down_delay_ms),
        jitter_ms: above(common.jitter_ms, |of| of.jitter_ms),
        spread: SPREAD_RELAYED,
        is_found: true,
    };
    let (loses, delays) = (
        above.up_loss >= LOSS && above.down_loss >= LOSS,
        above.rise_ms >= RISE || above.jitter_ms >= JITTER,
    );
    if !loses && !delays {
        return None;
    }
    let cause = if loses { Cause::Loss } else { Cause::Delay };
    let sentence = sentence::relay(cause, above.up_loss.max(above.down_loss), above.rise_ms, common.sessions);
    findings.push(found(Side::Relay, cause, None, sentence));
    Some(above)
}

#[cfg(test)]
mod tests {
    use super::super::minute::{Consumed, Happened, Identity, Produced};
    use super::*;

    fn somebody(name: &str) -> ParticipantMinute {
        ParticipantMinute {
            who: Identity { participant: name.into(), node: "n".into(), ..Identity::default() },
            path: Some(Path::Udp),
            reports: 6,
            samples: 6,
            mos: Some(4.2),
            rise_ms: Some(5.0),
            up_delay_ms: Some(3.0),
            up_jitter_ms: Some(4.0),
            down_jitter_ms: Some(4.0),
            producers: vec![Produced { producer: name.into(), loss_percent: Some(0.1) }],
            consumers: 2,
            ..ParticipantMinute::default()
        }
    }

    type Case = (&'static str, Change, &'static [(Side, Cause, Option<usize>)]);
    type Change = fn(&mut Vec<ParticipantMinute>, &mut NodeMinute, &mut NodeMinute);

    fn event(what: What) -> Vec<Happened> {
        vec![Happened { second: 7, what }]
    }

    fn lossy(producer: &str, loss_percent: f64) -> Consumed {
        Consumed { producer: producer.into(), loss_percent }
    }

    #[test]
    fn each_side_and_cause_of_a_bad_minute_is_named_with_its_participant() {
        use Side::{Device, Node, ReceiverDownlink, Relay, SenderUplink, Unknown};
        let cases: [Case; 28] = [
            ("nothing", |_, _, _| {}, &[]),
            (
                "an uplink that loses, and its hearer's score",
                |all, _, _| {
                    all[0].producers[0].loss_percent = Some(9.0);
                    all[1].mos = Some(2.5);
                },
                &[(SenderUplink, Cause::Loss, Some(0))],
            ),
            (
                "a downlink that loses",
                |all, _, _| all[1].lossy = vec![lossy("a", 8.0), lossy("c", 7.0)],
                &[(ReceiverDownlink, Cause::Loss, Some(1))],
            ),
            (
                "a queue on the way up",
                |all, _, _| all[2].up_jitter_ms = Some(60.0),
                &[(SenderUplink, Cause::Delay, Some(2))],
            ),
            (
                "an uneven way up of the only other speaker, which is heard unevenly",
                |all, _, _| {
                    all.truncate(2);
                    (all[0].up_jitter_ms, all[1].down_jitter_ms) = (Some(200.0), Some(120.0));
                },
                &[(SenderUplink, Cause::Delay, Some(0))],
            ),
            (
                "an uneven way down",
                |all, _, _| all[2].down_jitter_ms = Some(60.0),
                &[(ReceiverDownlink, Cause::Delay, Some(2))],
            ),
            (
                "a queue on the way down",
                |all, _, _| (all[2].up_delay_ms, all[2].rise_ms) = (Some(20.0), Some(300.0)),
                &[(ReceiverDownlink, Cause::Delay, Some(2))],
            ),
            (
                "a full queue on the way up, which loses at its tail, and whose feedback comes late",
                |all, _, _| {
                    (all[2].up_delay_ms, all[2].rise_ms, all[2].narrow) = (Some(900.0), Some(1_000.0), 5);
                    all[2].producers[0].loss_percent = Some(6.0);
                },
                &[(SenderUplink, Cause::Delay, Some(2))],
            ),
            (
                "queues on both ways",
                |all, _, _| (all[2].up_delay_ms, all[2].rise_ms) = (Some(500.0), Some(1_000.0)),
                &[(SenderUplink, Cause::Delay, Some(2)), (ReceiverDownlink, Cause::Delay, Some(2))],
            ),
            (
                "a clock that jumped, which no round trip rises by",
                |all, _, _| all[2].up_delay_ms = Some(5_000.0),
                &[],
            ),
            (
                "a downlink that loses and is held for narrow by it",
                |all, _, _| (all[1].lossy, all[1].narrow) = (vec![lossy("a", 12.0)], 5),
                &[(ReceiverDownlink, Cause::Loss, Some(1))],
            ),
            (
                "a narrow downlink whose queue overflows",
                |all, _, _| {
                    (all[0].narrow, all[0].rise_ms) = (5, Some(200.0));
                    all[0].lossy = vec![lossy("b", 20.0), lossy("c", 20.0)];
                },
                &[(ReceiverDownlink, Cause::Bandwidth, Some(0))],
            ),
            (
                "a late downlink, held for narrow by it",
                |all, _, _| (all[0].narrow, all[0].rise_ms) = (5, Some(900.0)),
                &[(ReceiverDownlink, Cause::Delay, Some(0))],
            ),
            (
                "links held for narrow because of a node that is late",
                |all, node, _| {
                    node.late_ms = 150.0;
                    all.iter_mut().for_each(|of| (of.narrow, of.rise_ms) = (5, Some(310.0)));
                },
                &[(Node, Cause::Overload, None)],
            ),
            (
                "a narrow downlink",
                |all, _, _| all[0].narrow = 5,
                &[(ReceiverDownlink, Cause::Bandwidth, Some(0))],
            ),
            ("a slow device", |all, _, _| all[0].cpu_limited = 4, &[(Device, Cause::Cpu, Some(0))]),
            (
                "a slow device that sends unevenly",
                |all, _, _| (all[0].cpu_limited, all[0].up_jitter_ms) = (4, Some(55.0)),
                &[(Device, Cause::Cpu, Some(0))],
            ),
            (
                "a microphone that gives nothing",
                |all, _, _| all[1].stalled = 5,
                &[(Device, Cause::Microphone, Some(1))],
            ),
            (
                "a path that was lost",
                |all, _, _| {
                    all[1].events = event(What::PathLost);
                    all[1].producers[0].loss_percent = Some(30.0);
                },
                &[(SenderUplink, Cause::Interrupted, Some(1))],
            ),
            (
                "a node that drops",
                |all, node, _| {
                    node.dropped_percent = 8.0;
                    all.iter_mut().for_each(|of| of.producers[0].loss_percent = Some(9.0));
                },
                &[(Node, Cause::Overload, None)],
            ),
            (
                "a node whose every session is late, and that says nothing",
                |all, node, _| {
                    node.common =
                        Common { sessions: 9, rise_ms: 400.0, jitter_ms: 70.0, ..Common::default() };
                    all.iter_mut().for_each(|of| (of.rise_ms, of.up_jitter_ms) = (Some(420.0), Some(75.0)));
                },
                &[(Node, Cause::Overload, None)],
            ),
            (
                "a node that drops, and an uplink that is worse",
                |all, node, _| {
                    node.dropped_percent = 4.0;
                    all[0].producers[0].loss_percent = Some(16.0);
                },
                &[(Node, Cause::Overload, None), (SenderUplink, Cause::Loss, Some(0))],
            ),
            (
                "a node that ended",
                |all, _, _| all.iter_mut().for_each(|of| of.events = event(What::NodeLost)),
                &[(Node, Cause::Failed, None)],
            ),
            (
                "a node whose worker died",
                |all, _, _| all[1].events = event(What::WorkerDied),
                &[(Node, Cause::Failed, None)],
            ),
            (
                "a node that was drained",
                |all, _, _| all.iter_mut().for_each(|of| of.events = event(What::NodeDraining)),
                &[(Node, Cause::Moved, None)],
            ),
            (
                "relays that lose",
                |all, _, relays| {
                    relays.common = Common { sessions: 4, up_loss: 6.0, down_loss: 7.0, ..Common::default() };
                    all[0].path = Some(Path::Relay);
                    all[0].producers[0].loss_percent = Some(7.0);
                },
                &[(Relay, Cause::Loss, None)],
            ),
            (
                "one behind a relay whose own uplink loses",
                |all, _, relays| {
                    relays.common = Common { sessions: 4, ..Common::default() };
                    all[0].path = Some(Path::Relay);
                    all[0].producers[0].loss_percent = Some(7.0);
                },
                &[(SenderUplink, Cause::Loss, Some(0))],
            ),
            (
                "a bad score that nothing explains",
                |all, _, _| all[2].mos = Some(2.0),
                &[(Unknown, Cause::Unknown, Some(2))],
            ),
        ];
        for (case, change, expected) in cases {
            let mut all = vec![somebody("a"), somebody("b"), somebody("c")];
            let mut node = NodeMinute { node: "n".into(), ..NodeMinute::default() };
            let mut relays = NodeMinute::default();
            change(&mut all, &mut node, &mut relays);
            let nodes = BTreeMap::from([("n".to_owned(), node)]);
            let findings = explain(&CallMinute { participants: &all, nodes: &nodes, relays: Some(&relays) });
            let told: Vec<_> = findings.iter().map(|of| (of.side, of.cause, of.participant)).collect();
            assert_eq!(told, expected, "{case}: {findings:?}");
            assert!(findings.iter().all(|of| of.sentence.ends_with('.')), "{case}");
        }
    }
}
