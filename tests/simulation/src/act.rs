//! What can happen, and a list of it: the plan of a seed.

use crate::balancer::Telling;
use crate::client::Carriage;
use crate::kernel::{Epoch, LinkFaults, MILLISECOND, Nanos};
use railgun_peer::Video;
use std::fmt;

/// A part of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Etcd,
    Node(usize),
    Replica(usize),
    /// The TURN relay.
    Relay,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Join(usize, String),
    Leave(usize),
    Send(usize, &'static str),
    Stop(usize, &'static str),
    Mute(usize, bool),
    /// The person's connection to the replica breaks.
    Break(usize),
    /// The person's address is another, as when a NAT forgot the old one.
    Roam(usize),
    /// What a person sends (true), or is sent, takes its turn on a way of so many kbit/s, for so long.
    Narrow(usize, bool, u64, Nanos),
    Reload(usize),
    /// Pauses what it receives, and goes on after so long.
    Deafen(usize, Nanos),
    /// After its next resume, shows the resume token that it used before.
    ShowOldToken(usize),
    /// Tries something on what is another's: which trick, and a number to choose the victim by.
    Hostile(usize, u32, u64),
    /// Something that clients do beside their calls: which chore, and a number to choose its object by.
    Chore(usize, u32, u64),
    /// Something that a replica may not do, tried by one that is not of the operator's.
    Rogue(u32, u64),
    /// The person's process ends without a word, or its machine does (true), and begins anew after so long.
    Vanish(usize, bool, Nanos),
    /// For so long.
    Kill(Part, Nanos),
    PowerOff(Part, Nanos),
    Pause(Part, Nanos),
    /// One way, and both, between two parts.
    Cut(Part, Part, bool, Nanos),
    /// Between a person and a part.
    CutPerson(usize, Part, Nanos),
    NoQuorum(Nanos),
    ChangeLeader,
    Compact,
    WatchLag(Nanos, Nanos),
    CancelWatches(Nanos),
    ReplyDelay(Nanos, Nanos),
    /// Its clocks go so many parts per million too fast, from now on.
    Drift(Part, i64),
    DriftPerson(usize, i64),
    /// etcd does what it is asked, and the answer is lost, of so many in a million.
    ReplyLost(u32, Nanos),
    /// Every connection between two parts, or a person and a part, is reset.
    Reset(Part, Part),
    ResetPerson(usize, Part),
    /// Its datagrams do not leave.
    SendsFail(Part, Nanos),
    /// Its disk is full.
    DiskFull(usize, Nanos),
    /// A process is told to end (SIGTERM), and begins anew after so long.
    End(Part, Nanos),
    /// What an operator does: which deed, and a number to choose its object by.
    Operate(u32, u64),
    /// An operator asks for the calls of a channel, and for one of them.
    AskForCalls(String),
    /// The server of webhooks refuses them, or does not answer (true).
    HooksRefused(bool, Nanos),
    Skew(Part, i64),
    /// Each turn of its process takes so long.
    Slow(Part, Nanos, Nanos),
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub at: Nanos,
    pub act: Act,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at / MILLISECOND;
        write!(f, "{:>4}.{:03} s  {:?}", at / 1000, at % 1000, self.act)
    }
}

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub nodes: usize,
    pub replicas: usize,
    pub people: usize,
    pub rooms: usize,
    /// Of people's wishes and faults.
    pub lasts: Nanos,
    /// Between two packets of a source.
    pub pace: Nanos,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub size: Size,
    pub faults: LinkFaults,
    /// By person, when the right to send video ends, in seconds of the world; none: it does not end.
    pub pro_until: Vec<Option<u64>>,
    /// Who is in privacy mode.
    pub is_private: Vec<bool>,
    /// By person, how its camera and its screen are encoded.
    pub video: Vec<Video>,
    /// By person, over what its packets of socket.io travel.
    pub carriage: Vec<Carriage>,
    /// How the load balancer tells replicas whom a connection is from; none: people connect to replicas themselves.
    pub balancer: Option<Telling>,
    pub steps: Vec<Step>,
    pub begins: Begins,
    /// Engines are not looked into: what clients saw is all there is to judge by.
    pub is_blind: bool,
}

/// Where counters are when a world begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begins {
    pub clocks: Epoch,
    /// etcd's, of which rooms' epochs are made.
    pub revision: i64,
}
