//! Writes minutes, a turn at a time: of participants as they come, of nodes and relays when everybody's came.

use super::files::{Files, KeepError};
use crate::clock::unix_seconds;
use crate::policy::call_quality::{Common, Exceed, NodeMinute, ParticipantMinute, Path, Work};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// What files of nodes and relays are called by, instead of a channel.
pub(super) const FLEET: &str = "fleet";
/// Sessions ask every ten seconds, so that all have told of a minute this long after it.
const MINUTE_SETTLES: u64 = 15;
/// Nodes of one minute that are kept.
const NODES_MAX: usize = 64;
/// Sessions of one node and minute that are looked at for what they have in common: the first that come.
const SESSIONS_MAX: usize = 200;
const PURGE_INTERVAL: Duration = Duration::from_secs(60);
/// Between two turns if nothing comes.
pub(super) const IDLE: Duration = Duration::from_secs(1);
/// Minutes that wait to be written, and the most that one turn writes; more are dropped and counted.
pub(super) const QUEUED_MAX: usize = 8192;

/// What there is to keep.
#[derive(Debug)]
pub(super) enum Kept {
    Participant {
        key: String,
        minute: Box<ParticipantMinute>,
    },
    /// What a node says that it did since its process started.
    Work {
        minute: u64,
        node: String,
        boot: String,
        work: Work,
    },
    /// Everything before this is to be written now.
    Finish(oneshot::Sender<()>),
}

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimelineMetrics {
    written: Counter,
    dropped: Counter,
    bytes: Gauge,
}

impl TimelineMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("railgun_control");
        registry.register("call_minutes", "Minutes of participants that were kept", self.written.clone());
        registry.register(
            "call_minutes_dropped",
            "Minutes of participants that could not be kept: the disk is slow or full, or a file is",
            self.dropped.clone(),
        );
        registry.register_with_unit(
            "call_timelines",
            "What the files of timelines take, 4096 each at the least",
            Unit::Bytes,
            self.bytes.clone(),
        );
    }

    fn dropped(&self) {
        self.dropped.inc();
    }
}

/// What a seat hands its minutes to.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) folder: PathBuf,
    pub(super) keeps_users: bool,
    pub(super) to: SyncSender<Kept>,
    pub(super) metrics: TimelineMetrics,
}

impl Keeping {
    pub(super) fn keep(&self, kept: Kept) {
        if self.to.try_send(kept).is_err() {
            self.metrics.dropped();
        }
    }
}

/// A minute of all sessions of this replica.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    /// By node: sessions that go through no relay, and the node's figures.
    nodes: HashMap<String, (Vec<ParticipantMinute>, NodeMinute)>,
    relayed: Vec<ParticipantMinute>,
}

/// Writes what a replica keeps of calls. It acts in its turns alone: a [`super::host::TimelineHost`] takes them.
#[derive(Debug)]
pub struct Keeper {
    kept: Receiver<Kept>,
    files: Files,
    metrics: TimelineMetrics,
    fleet: BTreeMap<u64, Fleet>,
    /// By node: its run, and what it had done.
    work: HashMap<String, (String, Work)>,
    was_refused: bool,
    purged: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(kept: Receiver<Kept>, files: Files, metrics: TimelineMetrics) -> Self {
        let (fleet, work) = (BTreeMap::new(), HashMap::new());
        Self { kept, files, metrics, fleet, work, was_refused: false, purged: None }
    }

    /// Waits until there is something to keep, for `wait` at most, and writes all of it. False: nobody is left who could
    /// have something, and everything is written.
    pub fn turn(&mut self, wait: Duration) -> bool {
        let now = unix_seconds(SystemTime::now());
        self.settle(now);
        if self.purged.is_none_or(|at| at.elapsed() >= PURGE_INTERVAL) {
            self.files.purge(now / 60);
            self.purged = Some(Instant::now());
            self.metrics.bytes.set(i64::try_from(self.files.total()).unwrap_or(i64::MAX));
        }
        match self.kept.recv_timeout(wait) {
            Ok(first) => self.keep(first),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => {
                self.settle(u64::MAX);
                return false;
            }
        }
        for _ in 1..QUEUED_MAX {
            let Ok(next) = self.kept.try_recv() else { break };
            self.keep(next);
        }
        true
    }

    fn keep(&mut self, kept: Kept) {
        match kept {
            Kept::Participant { key, minute } => self.participant(&key, *minute),
            Kept::Work { minute, node, boot, work } => self.work(minute, node, boot, work),
            Kept::Finish(done) => {
                self.settle(u64::MAX);
                _ = done.send(());
            }
        }
    }

    fn participant(&mut self, key: &str, minute: ParticipantMinute) {
        match self.write(minute.minute, key, &minute) {
            true => self.metrics.written.inc(),
            false => self.metrics.dropped.inc(),
        };
        self.fleet.entry(minute.minute).or_default().add(minute);
    }

    fn work(&mut self, minute: u64, node: String, boot: String, work: Work) {
        let before = self.work.get(&node).filter(|(of, _)| *of == boot).map(|(_, work)| *work);
        if let Some(before) = before {
            self.fleet.entry(minute).or_default().add_work(&node, before, work);
        }
        // A node that is gone for good is one of few.
        if self.work.len() >= 4 * NODES_MAX {
            self.work.clear();
        }
        self.work.insert(node, (boot, work));
    }

    /// Writes the minutes of nodes and relays that are settled at `now` (Unix seconds).
    fn settle(&mut self, now: u64) {
        while let Some(entry) = self.fleet.first_entry()
            && entry.key().saturating_add(1).saturating_mul(60).saturating_add(MINUTE_SETTLES) <= now
        {
            let (minute, fleet) = entry.remove_entry();
            for of in fleet.settled(minute) {
                self.write(minute, FLEET, &of);
            }
        }
    }

    fn write(&mut self, minute: u64, key: &str, record: &impl Serialize) -> bool {
        let Ok(line) = serde_json::to_string(record) else { return false };
        let refused = self.files.append(minute, key, &line).err();
        // Once, until it goes well again: a disk stays full for long.
        match &refused {
            Some(KeepError::Io(error)) if !self.was_refused => {
                tracing::error!(%error, "timelines of calls cannot be written to calls.dir");
                self.was_refused = true;
            }
            Some(_) => {}
            None => self.was_refused = false,
        }
        refused.is_none()
    }
}

impl Fleet {
    pub(super) fn add(&mut self, minute: ParticipantMinute) {
        let sessions = match minute.path {
            Some(Path::Relay) => &mut self.relayed,
            _ => match self.node(&minute.who.node) {
                Some((sessions, _)) => sessions,
                None => return,
            },
        };
        if sessions.len() < SESSIONS_MAX {
            sessions.push(minute);
        }
    }

    /// What the node did between two looks at it.
    pub(super) fn add_work(&mut self, node: &str, before: Work, now: Work) {
        if let Some((_, of)) = self.node(node) {
            of.add_work(before, now);
        }
    }

    /// The minute of each node, and under an empty name of the relays.
    pub(super) fn settled(self, minute: u64) -> Vec<NodeMinute> {
        let Self { nodes, relayed } = self;
        let of_node = |(node, (sessions, said)): (String, (Vec<ParticipantMinute>, NodeMinute))| {
            let common = Common::of(sessions.iter(), Exceed::ThreeQuarters);
            NodeMinute { minute, node, common, ..said }
        };
        let mut settled: Vec<_> = nodes.into_iter().map(of_node).collect();
        if !relayed.is_empty() {
            let common = Common::of(relayed.iter(), Exceed::Half);
            settled.push(NodeMinute { minute, common, ..NodeMinute::default() });
        }
        settled
    }

    /// None: there are too many nodes.
    fn node(&mut self, name: &str) -> Option<&mut (Vec<ParticipantMinute>, NodeMinute)> {
        if !self.nodes.contains_key(name) && self.nodes.len() >= NODES_MAX {
            return None;
        }
        Some(self.nodes.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::{lines, make};
    use super::*;
    use crate::policy::call_quality::Identity;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_turn_writes_all_that_waits_and_the_last_one_what_was_not_settled() {
        let folder = std::env::temp_dir().join(format!("railgun-calls-{:x}", rand::random::<u64>()));
        make(&folder).unwrap();
        let files = Files::open(&folder, Duration::from_secs(3600), u64::MAX).unwrap();
        let (to, kept) = sync_channel(9);
        let mut keeper = Keeper::new(kept, files, TimelineMetrics::default());
        let written = |key| lines(&folder, key, 0..=u64::MAX).unwrap().len();
        assert!(keeper.turn(Duration::ZERO), "nothing waits");
        let minute = unix_seconds(SystemTime::now()) / 60;
        let who = Identity { node: "n1".into(), ..Identity::default() };
        for minute in [minute, minute + 1] {
            let minute = Box::new(ParticipantMinute { minute, who: who.clone(), ..Default::default() });
            to.send(Kept::Participant { key: "aa".into(), minute }).unwrap();
        }
        assert!(keeper.turn(Duration::ZERO));
        assert_eq!((written("aa"), written(FLEET)), (2, 0));
        drop(to);
        assert!(!keeper.turn(Duration::ZERO), "nobody is left");
        assert_eq!(written(FLEET), 2);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
