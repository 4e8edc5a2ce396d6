//! What a person wants and has, as scenario, rules and client share it.

use super::socket::Carriage;
use super::view::View;
use crate::kernel::Nanos;
use railgun_peer::Video;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a hostile client asks besides.
#[derive(Clone, Debug)]
pub(crate) enum Hostile {
    /// An event with a payload that nobody may be harmed by.
    Ask(&'static str, serde_json::Value),
}

/// What a person wants at this time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub channel: Option<String>,
    pub sources: BTreeSet<&'static str>,
    pub muted: bool,
    /// The connection breaks, once.
    pub breaks: bool,
    /// Its address is another, once.
    pub roams: bool,
    /// The tab is closed and opened again, once.
    pub reloads: bool,
    pub shows_old_token: bool,
    /// Consumers are paused until then.
    pub deaf_until: Nanos,
    pub hostile: VecDeque<Hostile>,
    /// What it does beside its call: which chore, and a number to choose its object by.
    pub chores: VecDeque<(u32, u64)>,
    /// Its microphone is as loud all the time until then.
    pub noise_until: Nanos,
    /// How often it was.
    pub noises: u32,
}

/// A person's consumer.
#[allow(dead_code, reason = "a failure tells it")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Consuming {
    pub consumer: String,
    pub ssrc: u32,
    pub user: String,
    pub source: String,
    pub packets: u64,
    pub last: Nanos,
}

/// What a person has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Has {
    /// None: not in a call.
    pub session: Option<String>,
    pub channel: String,
    pub since: Nanos,
    pub view: View,
    /// By id, the source.
    pub own: BTreeMap<String, String>,
    /// By producer.
    pub consuming: BTreeMap<String, Consuming>,
    pub joins: u64,
    pub resumes: u64,
    pub packets: u64,
    pub video_granted: bool,
    pub refused: BTreeMap<String, u64>,
    /// Channels that it watches, and the users who are there.
    pub watched: BTreeMap<String, BTreeSet<String>>,
    /// DMs from which it is called.
    pub ringing: BTreeSet<String>,
    /// Ids that this person has known, for those who try what is not theirs.
    pub known: Vec<String>,
}

/// A person, as scenario, rules and client share it.
#[derive(Debug)]
pub(crate) struct Person {
    pub user: String,
    pub device: String,
    pub pro: bool,
    /// Its camera sends three layers.
    pub has_layers: bool,
    /// Seconds of virtual time until which it has Pro; none: for good.
    pub pro_until: Option<u64>,
    /// In privacy mode: its media goes through the relay alone.
    pub is_private: bool,
    pub video: Video,
    pub carriage: Carriage,
    pub ip: Ipv4Addr,
    pub replicas: Vec<SocketAddr>,
    /// Between two packets of a source.
    pub pace: Nanos,
    state: Mutex<(Wish, Has)>,
}

impl Person {
    pub(crate) fn new(
        number: usize,
        ip: Ipv4Addr,
        replicas: Vec<SocketAddr>,
        pace: Nanos,
        pro_until: Option<u64>,
        is_private: bool,
        (video, carriage): (Video, Carriage),
    ) -> Arc<Self> {
        let (user, device, pro) = (format!("p{number}"), "laptop".into(), number % 3 != 2);
        Arc::new(Self {
            user,
            device,
            pro,
            has_layers: number.is_multiple_of(2),
            pro_until,
            is_private,
            video,
            carriage,
            ip,
            replicas,
            pace,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, (Wish, Has)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wish<T>(&self, change: impl FnOnce(&mut Wish) -> T) -> T {
        change(&mut self.state().0)
    }

    /// Nothing is left of what it had, but what was counted, and what others may know of it.
    pub(crate) fn forget(&self) {
        self.has(|has| {
            *has = Has {
                joins: has.joins,
                resumes: has.resumes,
                packets: has.packets,
                known: std::mem::take(&mut has.known),
                refused: std::mem::take(&mut has.refused),
                ..Has::default()
            };
        });
    }

    pub(crate) fn has<T>(&self, look: impl FnOnce(&mut Has) -> T) -> T {
        look(&mut self.state().1)
    }
}
