use super::*;
use crate::history;
use crate::told;
use serde_json::json;

fn request(session: &str, deed: Deed, asked: Nanos) -> Request {
    Request { session: session.into(), source: "camera".into(), deed, asked }
}

fn judge(what: impl FnOnce()) -> Vec<String> {
    told::begin(false);
    history::begin();
    begin(4);
    ["a", "b", "c", "d", "e", "f"].into_iter().for_each(|session| history::sits(session, 1, 7));
    what();
    look();
    told::end().1
}

/// Asks from `asked` until 1 later.
fn ask(session: &str, deed: Deed, at: Nanos, answer: Result<Value, &str>) {
    let request = request(session, deed, at);
    asked(&request);
    with(|slots| slots.answered(&request, at + 1, answer.as_ref().map_err(|code| *code)));
}

fn slot(granted: bool) -> Result<Value, &'static str> {
    Ok(json!({"granted": granted, "current": 4, "max": 4}))
}

fn four_hold() {
    for (at, session) in (10..).step_by(10).zip(["a", "b", "c", "d"]) {
        ask(session, Deed::Send, at, Ok(json!({})));
    }
}

#[test]
fn a_room_has_no_more_slots_than_its_limit() {
    let five = |proved: Nanos| {
        judge(|| {
            four_hold();
            ask("e", Deed::Send, 100, Ok(json!({})));
            ["a", "b", "c", "d", "e"].into_iter().for_each(|session| was_in(session, proved));
        })
    };
    assert_eq!(five(200).len(), 1);
    assert!(five(99).is_empty(), "one of the four may be gone since");
}

#[test]
fn nobody_is_refused_or_sent_to_wait_while_a_slot_is_free() {
    let refused = |answer: fn() -> Result<Value, &'static str>, over: bool| {
        judge(|| {
            four_hold();
            if over {
                ask("a", Deed::End, 60, Ok(json!({})));
            }
            let deed = if answer().is_ok() { Deed::Ask } else { Deed::Send };
            ask("e", deed, 100, answer());
        })
    };
    let limit: fn() -> Result<Value, &'static str> = || Err("VIDEO_LIMIT_REACHED");
    assert!(refused(limit, false).is_empty() && refused(|| slot(false), false).is_empty());
    assert!(!refused(limit, true).is_empty() && !refused(|| slot(false), true).is_empty());
}

#[test]
fn who_asked_later_gets_no_slot_while_an_earlier_one_waits_on() {
    let order = |asked_later: Nanos, waits_again: bool| {
        judge(|| {
            four_hold();
            ask("e", Deed::Ask, 100, slot(false));
            ask("a", Deed::End, 120, Ok(json!({})));
            ask("f", Deed::Ask, asked_later, slot(true));
            if waits_again {
                ask("e", Deed::Ask, 200, slot(false));
            }
        })
    };
    assert!(!order(150, true).is_empty());
    assert!(order(150, false).is_empty(), "the earlier one may have gone");
    assert!(order(101, true).is_empty(), "both asked at once");
}

#[test]
fn who_asks_again_after_a_broken_connection_may_have_kept_its_place() {
    let order = |happens: fn()| {
        judge(|| {
            four_hold();
            ask("f", Deed::Ask, 90, slot(false));
            ask("e", Deed::Ask, 100, slot(false));
            happens();
            ask("f", Deed::Ask, 130, slot(false));
            ask("a", Deed::End, 140, Ok(json!({})));
            ask("f", Deed::Ask, 150, slot(true));
            ask("e", Deed::Ask, 200, slot(false));
        })
    };
    assert!(order(|| {}).is_empty(), "it asked first");
    assert!(order(|| in_doubt("f")).is_empty(), "its place is the one that it had before");
    let twice: fn() = || {
        in_doubt("f");
        ask("f", Deed::Ask, 120, Err("NODE_UNAVAILABLE"));
    };
    assert!(order(twice).is_empty(), "nor does a request in doubt end it");
    assert!(!order(|| ask("f", Deed::End, 110, Ok(json!({})))).is_empty(), "it gave its place back");
}

#[test]
fn who_lost_its_place_with_its_permission_is_passed_by() {
    let order = |is_lost: bool| {
        judge(|| {
            four_hold();
            ask("e", Deed::Ask, 100, slot(false));
            ask("f", Deed::Ask, 110, slot(false));
            if is_lost {
                in_doubt("e");
            }
            ask("a", Deed::End, 120, Ok(json!({})));
            ask("f", Deed::Ask, 130, slot(true));
            ask("e", Deed::Ask, 200, slot(false));
        })
    };
    assert!(!order(false).is_empty());
    assert!(order(true).is_empty());
}

#[test]
fn a_grant_that_is_not_used_is_not_counted_on_for_longer_than_it_lasts() {
    let claim = |asked, proved| {
        judge(|| {
            ["a", "b", "c", "d"].into_iter().for_each(|session| ask(session, Deed::Ask, asked, slot(true)));
            ask("e", Deed::Send, 40 * SECOND, Ok(json!({})));
            ["a", "b", "c", "d", "e"].into_iter().for_each(|session| was_in(session, proved));
        })
    };
    assert!(claim(SECOND, 50 * SECOND).is_empty());
    assert!(!claim(20 * SECOND, 50 * SECOND).is_empty());
}
