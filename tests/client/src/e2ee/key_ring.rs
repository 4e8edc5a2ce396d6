//! The epochs whose frames are opened, and the one that is sent with (`docs/end-to-end-encryption.md`, Epochs). The time is
//! given.

use crate::sframe::{Epoch, FrameCodec, FrameOpener, FrameSealer, SframeError, epoch_id_of};
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long an epoch is accepted after the next one.
const ACCEPTED_AFTER_ADDITION: Duration = Duration::from_secs(10);
const ACCEPTED_AFTER_REMOVAL: Duration = Duration::from_secs(1);
/// Until whoever made an epoch sends with it: the others have to be given it first.
const OWN_DELAY: Duration = Duration::from_millis(700);
const EPOCHS_MAX: usize = 32;
/// Streams of one epoch that are opened.
const OPENERS_MAX: usize = 1_024;

pub(super) struct Installation {
    pub(super) epoch: Epoch,
    /// Whose frames are opened under it.
    pub(super) members: HashSet<SessionId>,
    /// Somebody who has the epochs before must not have this one.
    pub(super) removal: bool,
    /// It is sent with when the others can be expected to have it.
    pub(super) delayed: bool,
    /// It is not sent with until it is installed again without.
    pub(super) held: bool,
}

struct Installed {
    epoch: Epoch,
    code: String,
    members: HashSet<SessionId>,
    /// `None`: not yet known.
    sends_from: Option<Instant>,
    /// `None`: it does not end, as below.
    stops_at: Option<Instant>,
    erases_at: Option<Instant>,
    sealers: HashMap<(Source, FrameCodec), FrameSealer>,
    openers: HashMap<(SessionId, Source, FrameCodec), FrameOpener>,
}

/// Of one session.
pub(super) struct KeyRing {
    own: SessionId,
    /// The newest first; of two with one number the one with the larger code.
    epochs: Vec<Installed>,
    /// The highest number that was erased; nothing up to it is taken again.
    erased: u64,
}

impl Installed {
    fn is_sent_with(&self, now: Instant) -> bool {
        self.sends_from.is_some_and(|from| from <= now) && self.stops_at.is_none_or(|stop| now < stop)
    }
}

fn earlier(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}

impl KeyRing {
    pub(super) fn new(own: SessionId) -> Self {
        Self { own, epochs: Vec::new(), erased: 0 }
    }

    /// False: one of the same number or a higher one is erased, so its time is over.
    pub(super) fn install(&mut self, given: Installation, now: Instant) -> bool {
        let Installation { epoch, members, removal, delayed, held } = given;
        self.sweep(now);
        let (number, code) = (epoch.number(), epoch.code());
        if number <= self.erased {
            return false;
        }
        let sends_from = if delayed { self.after_the_others(number, now) } else { now };
        let is_same = |it: &&mut Installed| it.epoch.number() == number && it.code == code;
        if let Some(known) = self.epochs.iter_mut().find(is_same) {
            if !held {
                known.sends_from = earlier(known.sends_from, sends_from);
            }
            return true;
        }
        let end = now + if removal { ACCEPTED_AFTER_REMOVAL } else { ACCEPTED_AFTER_ADDITION };
        for older in self.epochs.iter_mut().filter(|it| it.epoch.number() < number) {
            older.erases_at = earlier(older.erases_at, end);
        }
        // One that comes late is only to be read with.
        let is_late = self.epochs.iter().any(|it| it.epoch.number() > number);
        self.epochs.push(Installed {
            epoch,
            code,
            members,
            sends_from: (!held).then_some(sends_from),
            stops_at: None,
            erases_at: is_late.then(|| now + ACCEPTED_AFTER_REMOVAL),
            sealers: HashMap::new(),
            openers: HashMap::new(),
        });
        self.epochs.sort_by(|a, b| (b.epoch.number(), &b.code).cmp(&(a.epoch.number(), &a.code)));
        let oldest = self.epochs.split_off(self.epochs.len().min(EPOCHS_MAX));
        self.forget(oldest);
        true
    }

    /// When the others can be expected to have it, and no later than the epochs before stop.
    fn after_the_others(&self, number: u64, now: Instant) -> Instant {
        let older = self.epochs.iter().filter(|it| it.epoch.number() < number && it.is_sent_with(now));
        // Those that do not stop come last.
        let last_use = older.map(|it| it.stops_at).max_by_key(|stop| (stop.is_none(), *stop));
        match last_use {
            None => now,
            Some(None) => now + OWN_DELAY,
            Some(Some(stop)) => stop.min(now + OWN_DELAY),
        }
    }

    /// Nothing is sent under the epochs there are from a second on.
    pub(super) fn somebody_left(&mut self, now: Instant) {
        for epoch in &mut self.epochs {
            epoch.stops_at = earlier(epoch.stops_at, now + ACCEPTED_AFTER_REMOVAL);
        }
    }

    /// Of the newest epoch, which is sent with now or in a moment: its code and its members.
    pub(super) fn newest(&self) -> Option<(&str, &HashSet<SessionId>)> {
        self.epochs.first().map(|it| (it.code.as_str(), &it.members))
    }

    /// Whether the newest epoch is sent with.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.epochs.first().is_some_and(|it| it.is_sent_with(now))
    }

    /// Whether there is a key to send with.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.epochs.iter().any(|it| it.is_sent_with(now))
    }

    /// The frame as it goes to the packetiser; `None`: nothing may be sent.
    pub(super) fn seal(
        &mut self,
        (source, codec): (Source, FrameCodec),
        frame: &[u8],
        now: Instant,
    ) -> Option<Vec<u8>> {
        let own = self.own;
        let Installed { epoch, sealers, .. } = self.epochs.iter_mut().find(|it| it.is_sent_with(now))?;
        let sealer = sealers.entry((source, codec));
        Some(sealer.or_insert_with(|| FrameSealer::new(epoch, own, source, codec)).seal(frame))
    }

    /// The frame as its sender's encoder made it.
    pub(super) fn open(
        &mut self,
        of: (SessionId, Source, FrameCodec),
        wire: &[u8],
        now: Instant,
    ) -> Result<Vec<u8>, SframeError> {
        self.sweep(now);
        let (session, source, codec) = of;
        let id = epoch_id_of(codec, wire).ok_or(SframeError::Malformed)?;
        let mut result = Err(SframeError::NoKey);
        let is_of = |it: &&mut Installed| it.epoch.id() == id && it.members.contains(&session);
        for Installed { epoch, openers, .. } in self.epochs.iter_mut().filter(is_of) {
            if openers.len() >= OPENERS_MAX && !openers.contains_key(&of) {
                continue;
            }
            let opener = openers.entry(of).or_insert_with(|| FrameOpener::new(epoch, session, source, codec));
            result = opener.open(wire);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Erases what is over.
    fn sweep(&mut self, now: Instant) {
        let is_over = |it: &mut Installed| it.erases_at.is_some_and(|at| at <= now);
        let over: Vec<_> = self.epochs.extract_if(.., is_over).collect();
        self.forget(over);
    }

    fn forget(&mut self, over: Vec<Installed>) {
        for it in over {
            // Of two with one number the other one may still be in use.
            let is_other =
                |other: &Installed| other.epoch.number() == it.epoch.number() && other.erases_at.is_none();
            if !self.epochs.iter().any(is_other) {
                self.erased = self.erased.max(it.epoch.number());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SessionId = SessionId::from_bits(1);
    const OTHER: SessionId = SessionId::from_bits(2);
    const MIC: (Source, FrameCodec) = (Source::Mic, FrameCodec::Opus);

    fn epoch(number: u64, members: &[SessionId]) -> Installation {
        let secret = [u8::try_from(number % 256).unwrap(); 32];
        Installation {
            epoch: Epoch::of_group(number, "club", secret),
            members: members.iter().copied().collect(),
            removal: false,
            delayed: false,
            held: false,
        }
    }

    /// The epoch that a frame of this ring is of, if one may be sent.
    fn sent_with(ring: &mut KeyRing, now: Instant) -> Option<u8> {
        ring.seal(MIC, b"speech", now).and_then(|wire| epoch_id_of(FrameCodec::Opus, &wire))
    }

    fn opens(ring: &mut KeyRing, from: &mut KeyRing, now: Instant) -> bool {
        let wire = from.seal(MIC, b"speech", now).unwrap();
        ring.open((from.own, Source::Mic, FrameCodec::Opus), &wire, now).is_ok_and(|it| it == b"speech")
    }

    #[test]
    fn an_epoch_is_opened_for_ten_seconds_after_an_addition_and_for_one_after_a_removal() {
        let now = Instant::now();
        for (removal, accepted) in [(false, ACCEPTED_AFTER_ADDITION), (true, ACCEPTED_AFTER_REMOVAL)] {
            let (mut ring, mut other) = (KeyRing::new(OWN), KeyRing::new(OTHER));
            other.install(epoch(1, &[OWN, OTHER]), now);
            ring.install(epoch(1, &[OWN, OTHER]), now);
            ring.install(Installation { removal, ..epoch(2, &[OWN, OTHER]) }, now);
            assert!(opens(&mut ring, &mut other, now + accepted - Duration::from_millis(1)));
            assert!(!opens(&mut ring, &mut other, now + accepted));
            assert!(
                !ring.install(epoch(1, &[OWN, OTHER]), now + accepted),
                "an erased epoch is not taken back"
            );
        }
    }

    #[test]
    fn who_made_an_epoch_sends_with_it_when_the_others_can_have_it() {
        let now = Instant::now();
        let mut ring = KeyRing::new(OWN);
        ring.install(Installation { delayed: true, ..epoch(1, &[OWN]) }, now);
        assert_eq!(sent_with(&mut ring, now), Some(1), "there is none before it");
        ring.install(Installation { delayed: true, ..epoch(2, &[OWN, OTHER]) }, now);
        assert_eq!(sent_with(&mut ring, now + OWN_DELAY - Duration::from_millis(1)), Some(1));
        assert_eq!(sent_with(&mut ring, now + OWN_DELAY), Some(2));
    }

    #[test]
    fn after_somebody_left_nothing_is_sent_under_the_old_epoch_for_longer_than_a_second() {
        let now = Instant::now();
        let mut ring = KeyRing::new(OWN);
        ring.install(epoch(1, &[OWN, OTHER]), now);
        ring.somebody_left(now);
        assert_eq!(sent_with(&mut ring, now + Duration::from_millis(999)), Some(1));
        assert_eq!(sent_with(&mut ring, now + ACCEPTED_AFTER_REMOVAL), None);
        assert!(!ring.may_send(now + ACCEPTED_AFTER_REMOVAL));
        ring.install(Installation { removal: true, ..epoch(2, &[OWN]) }, now + ACCEPTED_AFTER_REMOVAL);
        assert_eq!(sent_with(&mut ring, now + ACCEPTED_AFTER_REMOVAL), Some(2));
    }

    #[test]
    fn an_epoch_with_somebody_whom_the_server_does_not_name_is_read_and_not_sent_with() {
        let now = Instant::now();
        let (mut ring, mut other) = (KeyRing::new(OWN), KeyRing::new(OTHER));
        ring.install(epoch(1, &[OWN]), now);
        ring.install(Installation { held: true, ..epoch(2, &[OWN, OTHER]) }, now);
        other.install(epoch(2, &[OWN, OTHER]), now);
        assert!(opens(&mut ring, &mut other, now) && !ring.is_settled(now));
        assert_eq!(sent_with(&mut ring, now), Some(1));
        ring.install(epoch(2, &[OWN, OTHER]), now);
        assert_eq!(sent_with(&mut ring, now), Some(2));
    }

    #[test]
    fn frames_of_who_is_no_member_are_not_opened_though_the_key_is_known_to_them() {
        let now = Instant::now();
        let (mut ring, mut ghost) = (KeyRing::new(OWN), KeyRing::new(OTHER));
        ring.install(epoch(1, &[OWN]), now);
        ghost.install(epoch(1, &[OWN]), now);
        assert!(!opens(&mut ring, &mut ghost, now));
    }
}
