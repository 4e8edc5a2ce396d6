//! What is kept of one minute. Losses are in percent, times in milliseconds; what was not measured is absent.

use railgun_protocol::signal::NetworkType;
use serde::{Deserialize, Serialize};

/// Events of one participant and minute that are kept; more are left out.
pub(super) const EVENTS_MAX: usize = 12;
/// Consumers of one participant and minute whose losses are kept, the worst first.
pub(super) const LOSSY_CONSUMERS_MAX: usize = 16;
/// Producers of one participant and minute that are kept.
pub(super) const PRODUCERS_MAX: usize = 6;

/// How media of a participant travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Path {
    Udp,
    Tcp,
    Relay,
}

/// Something that happened to a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum What {
    Joined,
    Left,
    /// The socket was lost; media may have gone on.
    SocketLost,
    Resumed,
    PathChanged,
    /// Nothing came from the client any more.
    PathLost,
    PathBack,
    /// The replica lost the node.
    NodeSilent,
    NodeBack,
    NodeLost,
    NodeDraining,
    WorkerDied,
    EncryptionChanged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Happened {
    /// Of the minute, 0 to 59.
    pub(crate) second: u8,
    pub(crate) what: What,
}

/// A producer of the participant, as the node received it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produced {
    /// The first digits of its id.
    pub(crate) producer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_percent: Option<f64>,
}

/// A consumer of the participant that lost packets on the way from the node: those that its client reported, less those
/// that never reached the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consumed {
    pub(crate) producer: String,
    /// Of what the node sent.
    pub(crate) loss_percent: f64,
}

/// Whose minute it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Identity {
    /// Session id: random, and another one after each join.
    pub(crate) participant: String,
    /// If the operator's setting has it kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The media node.
    pub(crate) node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<NetworkName>,
}

/// As [`NetworkType`], which the contract only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NetworkName {
    Wifi,
    Cellular,
    Ethernet,
    Vpn,
    Other,
    Unknown,
}

impl From<NetworkType> for NetworkName {
    fn from(of: NetworkType) -> Self {
        match of {
            NetworkType::Wifi => Self::Wifi,
            NetworkType::Cellular => Self::Cellular,
            NetworkType::Ethernet => Self::Ethernet,
            NetworkType::Vpn => Self::Vpn,
            NetworkType::Other => Self::Other,
            NetworkType::Unknown => Self::Unknown,
        }
    }
}

/// One participant's minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ParticipantMinute {
    /// Minutes since 1970.
    pub(crate) minute: u64,
    #[serde(flatten)]
    pub(crate) who: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Path>,
    /// Reports of the client.
    pub(crate) reports: u8,
    /// Of those, the ones in which its device was too slow.
    pub(crate) cpu_limited: u8,
    /// Mean opinion score by the client: the mean of the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mos: Option<f64>,
    /// Measurements by the node.
    pub(crate) samples: u8,
    /// Of those, the ones in which an open microphone sent nothing, while other packets came.
    pub(crate) stalled: u8,
    /// Of those, the ones in which nothing came from the client's network, neither media nor reports on what it was sent:
    /// outages that are over before ICE consent expires (RFC 7675, 30 s).
    pub(crate) silent: u8,
    /// Of those, the ones in which the client's link took less than it was to get.
    pub(crate) narrow: u8,
    /// What the link took then, at the least, in kbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) available_kbps: Option<u32>,
    /// Videos that the client wanted, at the most at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) videos: u8,
    /// The lowest layers that any of them was sent in, and the highest: spatial, temporal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers_min: Option<(u8, u8)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers_max: Option<(u8, u8)>,
    /// Measurements in which one of them was sent in no layer at all.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) dark: u8,
    /// Changes of the keys of an encrypted call (MLS commits of others).
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) key_changes: u8,
    /// Epoch of the keys after the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_epoch: Option<u64>,
    /// Node to client and back, by the node; by the client, if nothing was sent that the node could go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_ms: Option<f64>,
    /// Above the shortest of this participant's call so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rise_ms: Option<f64>,
    /// Of what the participant sent, above the soonest packets: a queue on the way up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_delay_ms: Option<f64>,
    /// Of speech; pictures are paced and come unevenly anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_jitter_ms: Option<f64>,
    /// Of the speaker who was heard most evenly; what a speaker's uplink makes uneven is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) down_jitter_ms: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) producers: Vec<Produced>,
    /// Consumers whose loss is known.
    pub(crate) consumers: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) lossy: Vec<Consumed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Happened>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl ParticipantMinute {
    /// Mean loss of what the participant sent, on its way to the node.
    pub(crate) fn up_loss(&self) -> Option<f64> {
        mean(self.producers.iter().filter_map(|of| of.loss_percent))
    }

    /// Mean loss of what the node sent to the participant.
    pub(crate) fn down_loss(&self) -> Option<f64> {
        let lost: f64 = self.lossy.iter().map(|of| of.loss_percent.clamp(0.0, 100.0)).sum();
        (self.consumers > 0).then(|| lost / f64::from(self.consumers))
    }

    /// What the round trip rose by and the way up does not explain: a queue on the way down.
    pub(crate) fn down_delay_ms(&self) -> Option<f64> {
        self.rise_ms.map(|rise| (rise - self.up_delay_ms.unwrap_or_default()).max(0.0))
    }

    /// Whether nothing came from the participant's network for a while.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.silent > 0 || self.has(What::PathLost)
    }

    pub(crate) fn has(&self, what: What) -> bool {
        self.events.iter().any(|of| of.what == what)
    }
}

/// What a node says that it did in a time, or what that came to in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Work {
    pub(crate) forwarded_packets: u64,
    pub(crate) dropped_datagrams: u64,
    pub(crate) lateness_us: u64,
    pub(crate) messages: u64,
    pub(crate) dead_workers: u32,
}

/// What many sessions had in common: of each figure the one that a part of them exceed ([`Exceed`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Common {
    pub(crate) sessions: u32,
    pub(crate) up_loss: f64,
    pub(crate) down_loss: f64,
    pub(crate) rise_ms: f64,
    pub(crate) up_delay_ms: f64,
    pub(crate) down_delay_ms: f64,
    pub(crate) jitter_ms: f64,
}

/// How many sessions have to exceed a figure for it to be common to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceed {
    /// Of a node, which has many.
    ThreeQuarters,
    /// Of relays, through which few go.
    Half,
}

impl Common {
    /// Of the sessions of one replica, and of another.
    pub(crate) fn with(self, other: Self) -> Self {
        let (a, b) = (f64::from(self.sessions), f64::from(other.sessions));
        let weighed = |x: f64, y: f64| if a + b > 0.0 { (a * x + b * y) / (a + b) } else { 0.0 };
        Self {
            sessions: self.sessions.saturating_add(other.sessions),
            up_loss: weighed(self.up_loss, other.up_loss),
            down_loss: weighed(self.down_loss, other.down_loss),
            rise_ms: weighed(self.rise_ms, other.rise_ms),
            up_delay_ms: weighed(self.up_delay_ms, other.up_delay_ms),
            down_delay_ms: weighed(self.down_delay_ms, other.down_delay_ms),
            jitter_ms: weighed(self.jitter_ms, other.jitter_ms),
        }
    }

    /// Of these sessions of one minute, without those whose own network was gone.
    pub(crate) fn of<'a>(
        minutes: impl Iterator<Item = &'a ParticipantMinute> + Clone,
        exceed: Exceed,
    ) -> Self {
        let minutes = minutes.filter(|of| !of.is_cut_off());
        let part = match exceed {
            Exceed::ThreeQuarters => 4,
            Exceed::Half => 2,
        };
        let least = |read: &dyn Fn(&ParticipantMinute) -> Option<f64>| {
            let mut known: Vec<f64> = minutes.clone().filter_map(read).collect();
            known.sort_by(f64::total_cmp);
            known.get(known.len().saturating_sub(1) / part).copied().unwrap_or_default()
        };
        Self {
            sessions: u32::try_from(minutes.clone().count()).unwrap_or(u32::MAX),
            up_loss: least(&ParticipantMinute::up_loss),
            down_loss: least(&ParticipantMinute::down_loss),
            rise_ms: least(&|of| of.rise_ms),
            up_delay_ms: least(&|of| of.up_delay_ms),
            down_delay_ms: least(&ParticipantMinute::down_delay_ms),
            jitter_ms: least(&|of| match (of.up_jitter_ms, of.down_jitter_ms) {
                (Some(up), Some(down)) => Some(up.min(down)),
                (one, other) => one.or(other),
            }),
        }
    }
}

/// A node's minute, of all its calls that a replica had sessions of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeMinute {
    pub(crate) minute: u64,
    /// The node; empty: what is said is of all relays.
    pub(crate) node: String,
    /// Of sessions that go through no relay; of the relays, of those that do.
    pub(crate) common: Common,
    /// Datagrams that the node dropped, of all that it had to do with.
    pub(crate) dropped_percent: f64,
    /// From a packet's arrival to the worker's turn, the mean.
    pub(crate) late_ms: f64,
    /// Workers that died.
    pub(crate) dead_workers: u32,
}

impl NodeMinute {
    /// As one replica and another saw it.
    pub(crate) fn with(self, other: &Self) -> Self {
        Self {
            common: self.common.with(other.common),
            dropped_percent: self.dropped_percent.max(other.dropped_percent),
            late_ms: self.late_ms.max(other.late_ms),
            dead_workers: self.dead_workers.max(other.dead_workers),
            ..self
        }
    }

    /// Adds what the node did between two looks at it.
    pub(crate) fn add_work(&mut self, before: Work, now: Work) {
        let since = |read: fn(&Work) -> u64| ratio(read(&now).saturating_sub(read(&before)));
        let (dropped, forwarded) = (since(|of| of.dropped_datagrams), since(|of| of.forwarded_packets));
        if dropped + forwarded > 0.0 {
            self.dropped_percent = self.dropped_percent.max(100.0 * dropped / (dropped + forwarded));
        }
        let messages = since(|of| of.messages);
        if messages > 0.0 {
            self.late_ms = self.late_ms.max(since(|of| of.lateness_us) / messages / 1000.0);
        }
        self.dead_workers += now.dead_workers.saturating_sub(before.dead_workers);
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of a minute")]
pub(super) fn ratio(count: u64) -> f64 {
    count as f64
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_did_is_told_of_its_worst_look_and_of_nothing_if_it_did_nothing() {
        let at = |dropped_datagrams, forwarded_packets, lateness_us, messages| Work {
            dropped_datagrams,
            forwarded_packets,
            lateness_us,
            messages,
            dead_workers: u32::from(messages > 20),
        };
        let mut minute = NodeMinute::default();
        minute.add_work(at(0, 0, 0, 0), at(0, 0, 0, 0));
        assert_eq!((minute.dropped_percent, minute.late_ms), (0.0, 0.0));
        minute.add_work(at(0, 0, 0, 0), at(250, 750, 50_000, 10));
        minute.add_work(at(250, 750, 50_000, 10), at(251, 1_749, 60_000, 30));
        assert_eq!((minute.dropped_percent, minute.late_ms, minute.dead_workers), (25.0, 5.0, 1));
    }
}
