//! Calls from what a node and clients said, at times that the caller gives: for tests that simulate both. What is said
//! goes the way of a replica's own sessions, through meters, fleet and document; files and clocks are left out.

use super::assemble::Assembled;
use super::document::{CallDocument, Records};
use super::keeper::Fleet;
use super::seat::told_by;
use crate::policy::call_quality::{Identity, Meter, ParticipantMinute, What, Work};
use railgun_protocol::media_rpc::Event;
use railgun_protocol::signal::{Stats, StatsReport};
use std::collections::BTreeMap;

/// Everything that one replica heard of one node and its sessions. Times are Unix seconds.
#[derive(Debug)]
pub struct CallRecord {
    node: String,
    seats: Vec<(String, Meter)>,
    minutes: Vec<(String, ParticipantMinute)>,
    fleet: BTreeMap<u64, Fleet>,
    work: Work,
}

impl CallRecord {
    pub fn new(node: &str) -> Self {
        let (seats, minutes) = (Vec::new(), Vec::new());
        Self { node: node.into(), seats, minutes, fleet: BTreeMap::new(), work: Work::default() }
    }

    /// Seats so far.
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// A participant of that name takes a seat in the channel; gives the seat's number.
    pub fn join(&mut self, channel: &str, participant: &str, now: u64) -> usize {
        let who =
            Identity { participant: participant.into(), node: self.node.clone(), ..Identity::default() };
        let mut meter = Meter::new(who, now);
        meter.happened(What::Joined, now);
        self.seats.push((channel.into(), meter));
        self.seats.len() - 1
    }

    /// The node's figures of that seat's session.
    pub fn sampled(&mut self, seat: usize, stats: &Stats, now: u64) {
        self.turn(seat, now).sampled(stats, now);
    }

    /// The client's report.
    pub fn reported(&mut self, seat: usize, report: &StatsReport, now: u64) {
        self.turn(seat, now).reported(report, now);
    }

    /// A room event for that seat's session.
    pub fn told(&mut self, seat: usize, event: &Event, now: u64) {
        if let Some(what) = told_by(event) {
            self.turn(seat, now).happened(what, now);
        }
    }

    /// Packets that the node forwarded so far, datagrams that it dropped, the sum of their lateness in microseconds,
    /// and of how many that is.
    pub fn worked(&mut self, [forwarded, dropped, lateness_us, messages]: [u64; 4], now: u64) {
        let work = Work {
            forwarded_packets: forwarded,
            dropped_datagrams: dropped,
            lateness_us,
            messages,
            dead_workers: 0,
        };
        let before = std::mem::replace(&mut self.work, work);
        self.fleet.entry(now / 60).or_default().add_work(&self.node, before, work);
    }

    /// A channel's call as `GET /v1/calls/{call}` tells it, in JSON.
    pub fn document(mut self, channel: &str) -> String {
        for (channel, meter) in &mut self.seats {
            self.minutes.push((channel.clone(), meter.end()));
        }
        for (_, minute) in &self.minutes {
            self.fleet.entry(minute.minute).or_default().add(minute.clone());
        }
        let nodes = self.fleet.into_iter().flat_map(|(minute, fleet)| fleet.settled(minute)).collect();
        let here = self.minutes.into_iter().filter(|(of, _)| of == channel);
        let participants = here.map(|(_, minute)| minute).collect();
        let assembled = Assembled::of(vec![Records { participants, nodes }]);
        let span = assembled.calls().first().copied().unwrap_or_default();
        let document: CallDocument = assembled.document("simulated", span, Vec::new());
        serde_json::to_string(&document).unwrap_or_default()
    }

    fn turn(&mut self, seat: usize, now: u64) -> &mut Meter {
        let (channel, meter) = &mut self.seats[seat];
        if let Some(minute) = meter.turn(now) {
            self.minutes.push((channel.clone(), minute));
        }
        meter
    }
}
