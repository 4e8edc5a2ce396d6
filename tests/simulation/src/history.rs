//! Whether joining is linearizable: what every client asked and was answered, over all replicas, has to be explained by
//! one order of joins and leaves of each room in which nothing comes before what was over when it was asked.
//!
//! A join reads the room as it adds to it, and its reply bears the room's own number. So of two sessions of one room:
//! a join's reply names the other if that was in the room from before the request until after the reply, and does not
//! name it if it had left before the request or asked after the reply; and the numbers rise in the order of what did not overlap.

use crate::kernel::Nanos;
use crate::told::broken;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

const LINEARIZABLE: &str = "Joins of a room have one order, in which none comes before one that was answered when it was asked (contract, 2)";

#[derive(Clone, Debug)]
struct Join {
    asked: Nanos,
    answered: Nanos,
    seq: u64,
    sees: BTreeSet<String>,
    /// When the last request was sent that this session carried out: it had its seat then.
    in_until: Nanos,
    /// When its leave was answered.
    left: Option<Nanos>,
}

/// A room: the host of its node, and the epoch under which it was opened there.
pub(crate) type Room = (u32, u64);

thread_local! {
    static JOINS: RefCell<BTreeMap<String, Join>> = const { RefCell::new(BTreeMap::new()) };
    static ROOMS: RefCell<BTreeMap<String, Room>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn begin() {
    JOINS.take();
    ROOMS.take();
}

/// An engine has this session in that room.
pub(crate) fn sits(session: &str, host: u32, first_epoch: u64) {
    ROOMS.with_borrow_mut(|rooms| {
        if !rooms.contains_key(session) {
            rooms.insert(session.to_owned(), (host, first_epoch));
        }
    });
}

/// The room of a session, if an engine was seen to have it.
pub(crate) fn room_of(session: &str) -> Option<Room> {
    ROOMS.with_borrow(|rooms| rooms.get(session).copied())
}

/// It was answered at this time.
pub(crate) fn joined(session: &str, asked: Nanos, answered: Nanos, seq: u64, sees: BTreeSet<String>) {
    let join = Join { asked, answered, seq, sees, in_until: asked, left: None };
    JOINS.with_borrow_mut(|joins| joins.insert(session.to_owned(), join));
}

/// What was asked then was done for this session.
pub(crate) fn was_in(session: &str, asked: Nanos) {
    change(session, |join| join.in_until = join.in_until.max(asked));
}

/// Its leave was answered at this time.
pub(crate) fn left(session: &str, answered: Nanos) {
    change(session, |join| join.left = Some(answered));
}

fn change(session: &str, what: impl FnOnce(&mut Join)) {
    JOINS.with_borrow_mut(|joins| joins.get_mut(session).map(what));
}

/// Sessions whose join was answered.
pub(crate) fn sessions() -> BTreeSet<String> {
    JOINS.with_borrow(|joins| joins.keys().cloned().collect())
}

/// Judges all of it.
pub(crate) fn look() {
    let (joins, rooms) = (JOINS.take(), ROOMS.with_borrow(Clone::clone));
    for (one, a) in &joins {
        for (other, b) in joins.iter().filter(|(other, _)| *other != one) {
            let room = rooms.get(one);
            if room.is_none() || room != rooms.get(other) {
                continue;
            }
            let wrong = |what: &str| broken(LINEARIZABLE, || format!("{other} {what} {one}: {b:?}, {a:?}"));
            if a.answered < b.asked && a.seq >= b.seq {
                wrong("has a lower number than");
            }
            let sees = b.sees.contains(one);
            if a.answered < b.asked && a.in_until > b.answered && !sees {
                wrong("does not see");
            }
            if sees && (a.asked > b.answered || a.left.is_some_and(|left| left < b.asked)) {
                wrong("sees");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told;

    /// A joins from 10 to 20 with number 1; B asks at 30 and is answered at 40.
    fn is_linearizable(number: u64, sees: &[&str], a_was_in: Nanos, a_left: Option<Nanos>) -> bool {
        told::begin(false);
        begin();
        ["a", "b"].into_iter().for_each(|session| sits(session, 1, 7));
        joined("a", 10, 20, 1, BTreeSet::new());
        was_in("a", a_was_in);
        if let Some(at) = a_left {
            left("a", at);
        }
        joined("b", 30, 40, number, sees.iter().map(|it| (*it).to_owned()).collect());
        look();
        told::end().1.is_empty()
    }

    #[test]
    fn a_join_sees_who_is_there_and_not_who_had_left_and_has_a_later_number() {
        assert!(is_linearizable(2, &["a"], 50, None));
        assert!(!is_linearizable(2, &[], 50, None), "a is there before and after");
        assert!(is_linearizable(2, &[], 35, None), "a may have left meanwhile");
        assert!(!is_linearizable(2, &["a"], 20, Some(29)), "a had left");
        assert!(is_linearizable(2, &["a"], 20, Some(31)), "a left meanwhile");
        assert!(!is_linearizable(1, &["a"], 50, None), "of two joins the later one has the higher number");
    }
}
