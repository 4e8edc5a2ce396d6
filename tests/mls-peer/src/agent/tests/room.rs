//! A room as MLS's delivery service, and agents as its members: it passes messages on in order and takes one commit of
//! each epoch of a group, the first.

use crate::agent::{Agent, Incoming, Kind, Listed, Millis, NewEpoch, Outcome, Output};
use crate::library::{Own, envelope};
use crate::profile::Profile;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// From a client to the room, or from the room to a client, in milliseconds.
const ONE_WAY: Millis = 15;

/// A message that the room took.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) from: String,
    pub(super) kind: Kind,
    pub(super) epoch: u64,
    pub(super) to: Option<String>,
    pub(super) data: Vec<u8>,
}

enum Due {
    /// At the room.
    Arrives(u64, Sent),
    /// At a client.
    Told(String, Incoming),
    Answered(String, u64, Outcome),
}

pub(super) struct Room {
    now: Millis,
    clients: BTreeMap<String, Agent>,
    /// Sessions that are there by the server's word.
    here: BTreeSet<String>,
    hidden: HashSet<String>,
    silent: HashSet<String>,
    due: BTreeMap<(Millis, u64), Due>,
    count: u64,
    /// By group, the next epoch that a commit is taken of.
    next: HashMap<Vec<u8>, u64>,
    pub(super) sent: Vec<Sent>,
    /// By session, what its client was given.
    pub(super) epochs: HashMap<String, Vec<NewEpoch>>,
    pub(super) said: HashMap<String, Vec<Output>>,
    /// What the room takes and passes to nobody.
    pub(super) withholds: fn(&Sent) -> bool,
    /// Whether the author of what is withheld is told that another one was first.
    pub(super) denies: bool,
    /// Of a thousand messages to clients and answers, so many are lost.
    pub(super) loses: u64,
    pub(super) random: Random,
}

/// Numbers that a seed decides (xorshift64).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            now: 1_000,
            clients: BTreeMap::new(),
            here: BTreeSet::new(),
            hidden: HashSet::new(),
            silent: HashSet::new(),
            due: BTreeMap::new(),
            count: 0,
            next: HashMap::new(),
            sent: Vec::new(),
            epochs: HashMap::new(),
            said: HashMap::new(),
            withholds: |_| false,
            denies: false,
            loses: 0,
            random: Random(1),
        }
    }
}

impl Room {
    pub(super) fn enter(&mut self, session: &str) {
        let own = Own {
            channel_id: "club".into(),
            session_id: session.into(),
            user_id: format!("user of {session}"),
        };
        self.here.insert(session.to_owned());
        let profile = Profile::generate().unwrap();
        let agent = Agent::enter(own, profile, self.people_for(session), self.now, 0).unwrap();
        self.clients.insert(session.to_owned(), agent);
        self.tell_people();
        self.step(session, |agent, now| agent.tick(now).unwrap());
    }

    /// Its client is not told, and goes on hearing everything; what it says is not taken any more.
    pub(super) fn leaves(&mut self, session: &str) {
        self.here.remove(session);
        self.tell_people();
    }

    /// Nobody is told that it is there.
    pub(super) fn hides(&mut self, session: &str) {
        self.hidden.insert(session.to_owned());
    }

    /// Its client does nothing any more.
    pub(super) fn silence(&mut self, session: &str) {
        self.silent.insert(session.to_owned());
    }

    pub(super) fn here(&self) -> Vec<String> {
        self.here.iter().cloned().collect()
    }

    /// Lets so many milliseconds pass, in which everybody speaks: whose epoch somebody has not is missed every 400 ms.
    pub(super) fn speak(&mut self, ms: Millis) {
        let end = self.now + ms;
        while self.now < end {
            self.run((end - self.now).min(400));
            for who in self.here() {
                let has = |of: &String| {
                    let sent_with = self.epochs.get(of).and_then(|it| it.last());
                    let known = self.epochs.get(&who);
                    sent_with.is_none_or(|it| {
                        known.is_some_and(|known| known.iter().any(|one| one.secret == it.secret))
                    })
                };
                let missed: Vec<String> = self.here().into_iter().filter(|of| !has(of)).collect();
                missed.iter().for_each(|of| self.missing(&who, of));
            }
        }
    }

    pub(super) fn missing(&mut self, who: &str, of: &str) {
        self.step(who, |agent, now| agent.missing(of, now).unwrap());
    }

    /// As if `from` had been asked for where it stands.
    pub(super) fn pass_info(&mut self, from: &str, to: &str) {
        let state = self.clients[from].at.state.clone().unwrap();
        let data = self.clients[from].at.mls.info(&state, &[]).unwrap();
        let epoch = state.epoch.at.epoch;
        self.arrives(Sent { from: from.into(), kind: Kind::GroupInfo, epoch, to: Some(to.into()), data });
    }

    /// As if a member had handed in a key package before it was told that it is in by another one.
    pub(super) fn asks_again(&mut self, session: &str) {
        let agent = self.clients.get_mut(session).unwrap();
        let state = agent.at.state.clone().unwrap();
        let data = agent.at.mls.propose_again(&state).unwrap();
        let epoch = state.epoch.at.epoch;
        self.arrives(Sent { from: session.into(), kind: Kind::Proposal, epoch, to: None, data });
    }

    /// A commit of the author's epoch, whose signature is wrong.
    pub(super) fn forge_commit(&mut self, author: &str) {
        let agent = &self.clients[author];
        let state = agent.at.state.clone().unwrap();
        let mut data = agent.at.mls.commit(&state, &[], &[]).unwrap().commit;
        let last = data.len() - 1;
        data[last] ^= 1;
        let epoch = state.epoch.at.epoch;
        self.arrives(Sent { from: author.into(), kind: Kind::Commit, epoch, to: None, data });
    }

    /// Whose commits nobody applies in the group of this session.
    pub(super) fn banned_by(&self, session: &str) -> &[String] {
        let state = self.clients[session].at.state.as_ref();
        state.map(|it| &it.epoch.banned[..]).unwrap_or_default()
    }

    /// Lets so many milliseconds pass.
    pub(super) fn run(&mut self, ms: Millis) {
        let end = self.now + ms;
        loop {
            let wakes = self.clients.iter().filter(|(it, _)| !self.silent.contains(*it));
            let woken = wakes.filter_map(|(it, agent)| Some((agent.wake_at()?, it.clone()))).min();
            let due = self.due.first_key_value().map(|((at, _), _)| *at);
            let next = due.into_iter().chain(woken.as_ref().map(|(at, _)| *at)).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            if due == Some(next) {
                let (_, due) = self.due.pop_first().unwrap();
                self.handle(due);
            } else if let Some((_, session)) = woken {
                self.step(&session, |agent, now| agent.tick(now).unwrap());
            }
        }
        self.now = end;
    }

    pub(super) fn last(&self, session: &str) -> &NewEpoch {
        self.epochs.get(session).and_then(|it| it.last()).expect("an epoch")
    }

    pub(super) fn told_left(&self, session: &str) -> bool {
        self.said[session].contains(&Output::Left)
    }

    /// All of these are in one epoch, of which they are the members.
    pub(super) fn assert_one(&self, sessions: &[&str]) {
        self.assert_one_of(sessions, sessions);
    }

    /// All of the sessions are in one epoch, which has these members.
    pub(super) fn assert_one_of(&self, sessions: &[&str], of: &[&str]) {
        let first = self.last(sessions[0]);
        for session in sessions {
            let epoch = self.last(session);
            let members: BTreeSet<&str> = epoch.members.iter().map(String::as_str).collect();
            assert_eq!(members, of.iter().copied().collect(), "of {session}");
            assert_eq!((epoch.number, &epoch.secret), (first.number, &first.secret), "of {session}");
        }
    }

    fn people_for(&self, session: &str) -> Vec<Listed> {
        let others = self.here.iter().filter(|it| *it != session && !self.hidden.contains(*it));
        let listed = |it: &String| Listed {
            session_id: it.clone(),
            user_id: format!("user of {it}"),
            reconnecting: false,
        };
        others.map(listed).collect()
    }

    fn tell_people(&mut self) {
        for session in self.here.clone() {
            if self.clients.contains_key(&session) {
                let people = self.people_for(&session);
                self.step(&session, |agent, now| agent.people(people, now).unwrap());
            }
        }
    }

    fn step(&mut self, session: &str, what: impl FnOnce(&mut Agent, Millis) -> Vec<Output>) {
        if self.silent.contains(session) {
            return;
        }
        let Some(agent) = self.clients.get_mut(session) else { return };
        for output in what(agent, self.now) {
            self.said.entry(session.to_owned()).or_default().push(output.clone());
            match output {
                Output::Send { id, kind, epoch, to, data } => {
                    let sent = Sent { from: session.to_owned(), kind, epoch, to, data };
                    self.later(Due::Arrives(id, sent));
                }
                Output::Epoch(epoch) => self.epochs.entry(session.to_owned()).or_default().push(epoch),
                Output::Left | Output::Named { .. } => {}
            }
        }
    }

    fn later(&mut self, due: Due) {
        self.count += 1;
        self.due.insert((self.now + ONE_WAY, self.count), due);
    }

    fn handle(&mut self, due: Due) {
        let is_lost = self.random.below(1_000) < self.loses;
        match due {
            Due::Told(..) if is_lost => {}
            Due::Answered(session, id, _) if is_lost => {
                self.step(&session, |agent, now| agent.sent(id, Outcome::Failed, now).unwrap());
            }
            Due::Arrives(id, sent) => {
                let (from, is_denied) = (sent.from.clone(), self.denies && (self.withholds)(&sent));
                let outcome = if !self.here.contains(&from) {
                    Outcome::Failed
                } else if self.arrives(sent) && !is_denied {
                    Outcome::Taken
                } else {
                    Outcome::Late
                };
                self.later(Due::Answered(from, id, outcome));
            }
            Due::Told(session, message) => {
                self.step(&session, |agent, now| agent.message(message, now).unwrap());
            }
            Due::Answered(session, id, outcome) => {
                self.step(&session, |agent, now| agent.sent(id, outcome, now).unwrap());
            }
        }
    }

    /// False: another commit was the first of its epoch.
    fn arrives(&mut self, sent: Sent) -> bool {
        if sent.kind == Kind::Commit {
            let of = envelope(&sent.data).unwrap();
            assert_eq!(of.epoch, sent.epoch);
            let next = self.next.entry(of.group).or_insert(of.epoch);
            if *next != of.epoch {
                return false;
            }
            *next += 1;
        }
        self.sent.push(sent.clone());
        if (self.withholds)(&sent) {
            return true;
        }
        let is_for = |it: &String| *it != sent.from && sent.to.as_ref().is_none_or(|to| to == it);
        for to in self.clients.keys().filter(|it| is_for(it)).cloned().collect::<Vec<_>>() {
            let Sent { from, kind, epoch, data, .. } = sent.clone();
            self.later(Due::Told(to, Incoming { session_id: from, kind, epoch, data }));
        }
        true
    }
}
