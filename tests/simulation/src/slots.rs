//! Whether video slots are linearizable: what every client asked and was answered, over all replicas, has to be explained
//! by one queue of each room.
//!
//! A claim is a session's wish to send one source. It may have a slot from when it was asked for, and has one from when
//! it was told so until the last request that was answered while nothing said otherwise. Of these two:
//! no more claims have a slot at once than the room has; nobody is refused or sent to wait while fewer than that may have
//! or want one; and who asked after another one was told to wait gets no slot while that one waits on.

use crate::history::room_of;
use crate::kernel::{Nanos, SECOND, now};
use crate::told::broken;
use railgun_protocol::limits::VIDEO_PUBLISHERS_FREE;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

const LIMIT: &str = "A room has no more video slots than its limit, whichever replica is asked (contract, 5)";
const REFUSAL: &str = "Nobody waits for a slot, or is refused one, while one is free (contract, 5)";
const FIFO: &str = "Slots go to who asked first: nobody who asked later gets one before (contract, 5)";
const FREE: u64 = VIDEO_PUBLISHERS_FREE as u64;
/// A grant that is not used ends after 30 s of the node's clock, which may be 2 % too fast.
const GRANT_SURE: Nanos = 29 * SECOND;

/// What a request has to do with slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Ask,
    Send,
    /// A place or grant is given back, or the producer closed.
    End,
}

/// A request that has to do with a slot.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub session: String,
    pub source: String,
    pub deed: Deed,
    pub asked: Nanos,
}

#[derive(Clone, Debug)]
struct Claim {
    session: String,
    source: String,
    /// It may have a slot, or wait for one, from then on.
    asked: Nanos,
    /// Its place in the queue may be as old: that of a claim before it which is not known to have ended.
    place_since: Nanos,
    /// When it was known to have one.
    held: Option<Nanos>,
    /// Its grant is unused and may end at this time.
    grant_ends: Option<Nanos>,
    /// When the last request was sent that its session carried out, without an answer that ends the wish.
    proved: Nanos,
    /// When its end was asked for.
    ends: Option<Nanos>,
    /// When it was known to be over; none: not known.
    over: Option<Nanos>,
    /// When it was asked for and answered that it waits.
    waits: Vec<(Nanos, Nanos)>,
    is_open: bool,
}

#[derive(Debug)]
struct Denial {
    request: Request,
    answered: Nanos,
}

#[derive(Debug, Default)]
struct Slots {
    limit: u64,
    claims: Vec<Claim>,
    denials: Vec<Denial>,
}

thread_local! {
    static SLOTS: RefCell<Slots> = RefCell::new(Slots::default());
}

fn with<T>(what: impl FnOnce(&mut Slots) -> T) -> T {
    SLOTS.with_borrow_mut(what)
}

/// `limit`: of any room of this world.
pub(crate) fn begin(limit: u64) {
    with(|slots| *slots = Slots { limit, ..Slots::default() });
}

impl Request {
    /// None: it has nothing to do with slots. `source_of`: of a producer.
    pub(crate) fn of(
        session: &str,
        event: &str,
        payload: &Value,
        source_of: impl FnOnce(&str) -> Option<String>,
    ) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let (deed, source) = match event {
            "voice:video:requestSlot" => (Deed::Ask, text(&payload["source"])?),
            "voice:video:releaseSlot" => (Deed::End, text(&payload["source"])?),
            "voice:rtc:produce" => (Deed::Send, text(&payload["appData"]["source"])?),
            "voice:rtc:closeProducer" => (Deed::End, source_of(payload["producerId"].as_str()?)?),
            _ => return None,
        };
        let is_video = source == "camera" || source == "screen";
        is_video.then(|| Self { session: session.to_owned(), source, deed, asked: now() })
    }
}

/// It is on its way.
pub(crate) fn asked(request: &Request) {
    with(|slots| match (request.deed, slots.open(&request.session, &request.source)) {
        (Deed::End, Some(claim)) => claim.ends = Some(claim.ends.unwrap_or(request.asked)),
        (Deed::Ask | Deed::Send, None) => {
            let place_since = slots.place_before(request).unwrap_or(request.asked);
            slots.claims.push(Claim { place_since, ..Claim::new(request) });
        }
        _ => {}
    });
}

/// It was answered now: with these fields, or with a code.
pub(crate) fn answered(request: &Request, answer: Result<&Value, &str>) {
    with(|slots| slots.answered(request, now(), answer));
}

/// A claim's turn has come. The grant is no older than the last answer that it waits.
pub(crate) fn granted(session: &str, source: &str) {
    with(|slots| {
        if let Some(claim) = slots.open(session, source) {
            let since = claim.waits.last().map_or(claim.asked, |(asked, _)| *asked);
            claim.held = claim.held.or_else(|| Some(now()));
            claim.grant_ends = Some(since + GRANT_SURE);
        }
    });
}

/// Its producer was closed, and it did not ask for that.
pub(crate) fn closed(session: &str, source: &str) {
    with(|slots| {
        if let Some(claim) = slots.open(session, source) {
            (claim.is_open, claim.over) = (false, Some(now()));
        }
    });
}

/// What was asked at that time was done for this session.
pub(crate) fn was_in(session: &str, asked: Nanos) {
    with(|slots| {
        for claim in slots.claims.iter_mut().filter(|it| it.is_open && it.session == session) {
            claim.proved = claim.proved.max(asked);
        }
    });
}

/// Its connection broke, or it may not send video now: what it was not told may be otherwise.
pub(crate) fn in_doubt(session: &str) {
    with(|slots| {
        for claim in slots.claims.iter_mut().filter(|it| it.session == session) {
            claim.is_open = false;
        }
    });
}

/// Its leave was asked for at that time, and answered now.
pub(crate) fn left(session: &str, asked: Nanos) {
    with(|slots| {
        for claim in slots.claims.iter_mut().filter(|it| it.session == session) {
            claim.ends = Some(claim.ends.unwrap_or(asked));
            claim.over = claim.over.or_else(|| Some(now()));
            claim.is_open = false;
        }
    });
}

impl Slots {
    fn open(&mut self, session: &str, source: &str) -> Option<&mut Claim> {
        self.claims.iter_mut().find(|it| it.is_open && it.session == session && it.source == source)
    }

    /// From when the place may be that this claimant still had when it was told of it last.
    fn place_before(&self, request: &Request) -> Option<Nanos> {
        let is_its = |it: &&Claim| it.session == request.session && it.source == request.source;
        let last = self.claims.iter().rev().find(is_its)?;
        last.over.is_none().then_some(last.place_since)
    }

    fn answered(&mut self, request: &Request, at: Nanos, answer: Result<&Value, &str>) {
        let limit = self.limit;
        if let Ok(fields) = answer
            && let (Some(current), Some(max)) = (fields["current"].as_u64(), fields["max"].as_u64())
            // A limit that shrinks takes no slot from anybody.
            && (current > max && limit == FREE || current > limit || max > limit)
        {
            broken(LIMIT, || format!("{request:?} was answered {fields}"));
        }
        let waits = answer.is_ok_and(|fields| fields["granted"] == false) && request.deed == Deed::Ask;
        if waits || answer == Err("VIDEO_LIMIT_REACHED") {
            self.denials.push(Denial { request: request.clone(), answered: at });
        }
        let Some(claim) = self.open(&request.session, &request.source) else { return };
        // It may have been done, or not.
        if answer == Err("NODE_UNAVAILABLE") {
            claim.is_open = false;
            return;
        }
        // Its grant ended unused: it is at the end of the queue.
        if waits && claim.held.is_some() {
            (claim.is_open, claim.over) = (false, Some(at));
            return self.claims.push(Claim { waits: vec![(request.asked, at)], ..Claim::new(request) });
        }
        match (request.deed, answer) {
            (Deed::Ask, Ok(_)) if waits => claim.waits.push((request.asked, at)),
            (Deed::Ask, Ok(_)) if claim.held.is_none() => {
                claim.held = Some(at);
                claim.grant_ends = Some(request.asked + GRANT_SURE);
            }
            (Deed::Send, Ok(_)) => {
                claim.held = claim.held.or(Some(at));
                claim.grant_ends = None;
            }
            (Deed::End, Ok(_) | Err("NOT_FOUND")) => (claim.is_open, claim.over) = (false, Some(at)),
            (Deed::End, Err(_)) => claim.ends = None,
            // It asked for this for the first time, and in vain.
            (Deed::Ask | Deed::Send, Err(_)) if claim.asked == request.asked => {
                (claim.is_open, claim.over) = (false, Some(at));
            }
            // It may have lost its place with its permission.
            (Deed::Ask, Err(_)) => claim.is_open = false,
            _ => {}
        }
    }
}

impl Claim {
    fn new(request: &Request) -> Self {
        Self {
            session: request.session.clone(),
            source: request.source.clone(),
            asked: request.asked,
            place_since: request.asked,
            held: None,
            grant_ends: None,
            proved: request.asked,
            ends: None,
            over: None,
            waits: Vec::new(),
            is_open: true,
        }
    }

    /// From when until when it has a slot for sure.
    fn has(&self) -> Option<(Nanos, Nanos)> {
        let from = self.held?;
        let until = self.proved.min(self.ends.unwrap_or(Nanos::MAX));
        let until = until.min(self.grant_ends.unwrap_or(Nanos::MAX));
        (until > from).then_some((from, until))
    }

    /// It may have a slot, or wait for one, at some time from `from` to `until`.
    fn may_want(&self, from: Nanos, until: Nanos) -> bool {
        self.asked <= until && self.over.is_none_or(|over| over >= from)
    }
}

/// Judges all of it.
pub(crate) fn look() {
    let slots = with(std::mem::take);
    let mut rooms: BTreeMap<(u32, u64), Vec<&Claim>> = BTreeMap::new();
    for claim in &slots.claims {
        if let Some(room) = room_of(&claim.session) {
            rooms.entry(room).or_default().push(claim);
        }
    }
    for (room, claims) in &rooms {
        no_more_than(slots.limit, *room, claims);
        in_order(*room, claims);
    }
    for denial in &slots.denials {
        let Request { session, source, asked, .. } = &denial.request;
        let Some(claims) = room_of(session).and_then(|room| rooms.get(&room)) else { continue };
        let others = claims.iter().filter(|it| it.session != *session || it.source != *source);
        let wanting = others.filter(|it| it.may_want(*asked, denial.answered)).count();
        // The least that a room has: with fewer one is free.
        if (wanting as u64) < FREE {
            broken(REFUSAL, || format!("{denial:?}, where {wanting} may have or want one: {claims:?}"));
        }
    }
}

fn no_more_than(limit: u64, room: (u32, u64), claims: &[&Claim]) {
    let held: Vec<_> = claims.iter().filter_map(|it| it.has().map(|has| (*it, has))).collect();
    for (_, (from, _)) in &held {
        let at_once: Vec<_> =
            held.iter().filter(|(_, (since, until))| since <= from && from < until).collect();
        if at_once.len() as u64 > limit {
            return broken(LIMIT, || format!("{room:?} at {from}: {at_once:?}"));
        }
    }
}

fn in_order(room: (u32, u64), claims: &[&Claim]) {
    for first in claims {
        let Some((_, told)) = first.waits.first() else { continue };
        let later = claims.iter().filter(|it| it.place_since > *told);
        for other in later {
            // `first` asked again after `other` was known to have its slot, and was told to wait on.
            let Some(held) = other.held else { continue };
            if let Some(again) = first.waits.iter().find(|(asked, _)| *asked > held) {
                return broken(FIFO, || format!("{room:?}: {first:?} waits at {again:?}; {other:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
