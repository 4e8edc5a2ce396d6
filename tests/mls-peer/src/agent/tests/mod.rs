//! Whole agents against a room that orders messages as a media node does, in virtual time.

mod a_welcome_is_tried_once_with_each_group_info;
mod room;

use super::{Kind, Output};
use room::{Random, Room, Sent};

const NAMES: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];

#[test]
fn two_who_come_one_after_the_other_are_in_one_epoch() {
    let mut room = Room::default();
    room.enter("s1");
    room.run(1_000);
    room.enter("s2");
    room.run(1_000);
    room.assert_one(&["s1", "s2"]);
    // The second joined by an external commit: no third epoch was needed.
    assert_eq!(room.sent.iter().filter(|it| it.kind == Kind::Commit).count(), 1);
}

#[test]
fn five_who_come_at_once_are_in_one_epoch_within_two_seconds() {
    let mut room = Room::default();
    NAMES.iter().for_each(|it| room.enter(it));
    room.run(2_000);
    room.assert_one(&NAMES);
}

#[test]
fn five_who_come_into_a_group_are_added_by_welcomes_of_one_commit() {
    let mut room = Room::default();
    room.enter("s0");
    room.run(1_000);
    NAMES.iter().for_each(|it| room.enter(it));
    room.run(1_500);
    room.assert_one(&["s0", "s1", "s2", "s3", "s4", "s5"]);
    let count = |kind| room.sent.iter().filter(|it| it.kind == kind).count();
    assert_eq!((count(Kind::Commit), count(Kind::Welcome)), (1, 5));
}

#[test]
fn a_member_that_asks_to_be_added_once_is_told_of_its_epoch_for_a_moment() {
    let mut room = Room::default();
    NAMES.iter().for_each(|it| room.enter(it));
    room.run(2_000);
    let before = room.sent.len();
    room.asks_again("s3");
    room.run(10_000);
    let told = room.sent[before..].iter().filter(|it| it.kind == Kind::GroupInfo).count();
    assert!((1..=8).contains(&told), "{told} GroupInfos");
    room.assert_one(&NAMES);
}

#[test]
fn who_left_is_removed_and_opens_no_later_epoch_though_it_hears_every_message() {
    let mut room = Room::default();
    NAMES.iter().for_each(|it| room.enter(it));
    room.run(2_000);
    let before = room.last("s3").clone();
    room.leaves("s3");
    room.run(1_000);
    room.assert_one(&["s1", "s2", "s4", "s5"]);
    let after = room.last("s1").clone();
    assert!(after.number > before.number && after.removal, "{after:?}");
    // It was passed the removal, and whatever followed: none of it led to the epoch of the others.
    let theirs = &room.epochs["s3"];
    assert!(theirs.iter().all(|it| it.secret != after.secret && it.number < after.number), "{theirs:?}");
    assert!(room.told_left("s1"), "sending under the old epoch ends");
}

#[test]
fn if_the_first_in_order_says_nothing_the_next_one_removes_who_left() {
    let mut room = Room::default();
    for name in NAMES {
        room.enter(name);
        room.run(300);
    }
    room.run(2_000);
    // The first member has a seat and a socket, and does nothing.
    room.silence("s1");
    let count = room.sent.len();
    room.leaves("s4");
    room.run(200);
    let commits = |room: &Room| -> Vec<String> {
        let later = room.sent[count..].iter().filter(|it| it.kind == Kind::Commit);
        later.map(|it| it.from.clone()).collect()
    };
    assert_eq!(commits(&room), Vec::<String>::new(), "nobody but the first is to act before 400 ms");
    room.run(400);
    assert_eq!(commits(&room), ["s2"]);
    room.assert_one_of(&["s2", "s3", "s5"], &["s1", "s2", "s3", "s5"]);
}

#[test]
fn a_commit_that_the_room_kept_from_everybody_is_made_good() {
    let mut room = Room::default();
    NAMES[..3].iter().for_each(|it| room.enter(it));
    room.run(2_000);
    room.withholds = |it: &Sent| it.kind == Kind::Commit;
    room.leaves("s3");
    room.run(300);
    room.withholds = |_| false;
    // Frames of who went on cannot be opened: both sides tell each other where they are.
    let actor = room.sent.iter().rfind(|it| it.kind == Kind::Commit).unwrap().from.clone();
    let other = if actor == "s1" { "s2" } else { "s1" };
    assert_ne!(room.last("s1").secret, room.last("s2").secret);
    room.missing(other, &actor);
    room.missing(&actor, other);
    let count = room.sent.iter().filter(|it| it.kind == Kind::Commit).count();
    room.run(2_000);
    room.assert_one(&["s1", "s2"]);
    // By the commit, which the GroupInfo has in it, and by no further one.
    assert_eq!(room.sent.iter().filter(|it| it.kind == Kind::Commit).count(), count);
}

#[test]
fn a_commit_that_is_kept_also_from_its_author_is_voided_by_a_new_group() {
    let mut room = Room::default();
    NAMES[..3].iter().for_each(|it| room.enter(it));
    room.run(2_000);
    let before = room.last("s1").number;
    // The room takes it, says to its author that another one was first, and passes it to nobody.
    room.withholds = |it: &Sent| it.kind == Kind::Commit;
    room.denies = true;
    room.leaves("s3");
    room.run(300);
    room.withholds = |_| false;
    room.denies = false;
    room.run(2_500);
    room.assert_one(&["s1", "s2"]);
    assert!(room.last("s1").number > before + 4_000, "of a group of a higher generation");
}

#[test]
fn who_commits_what_nobody_can_apply_is_named_and_is_in_a_new_group_without_a_say() {
    let mut room = Room::default();
    NAMES[..3].iter().for_each(|it| room.enter(it));
    room.run(2_000);
    let before = room.last("s1").number;
    room.forge_commit("s2");
    room.run(3_000);
    room.assert_one(&["s1", "s2", "s3"]);
    assert!(room.last("s1").number > before + 4_000, "of a group of a higher generation");
    for honest in ["s1", "s3"] {
        let named = room.said[honest].iter().any(|it| {
            matches!(it, Output::Named { session_id, fault: super::Fault::BadCommit } if session_id == "s2")
        });
        assert!(named, "{honest} names whose commit it was");
        assert_eq!(room.banned_by(honest), ["s2"]);
    }
    // It goes on taking no part in commits, and is taken out like anybody.
    room.leaves("s2");
    room.run(1_500);
    room.assert_one(&["s1", "s3"]);
}

#[test]
fn a_member_whom_the_server_does_not_name_is_not_sent_to_and_put_out_a_second_later() {
    let mut room = Room::default();
    room.enter("s1");
    room.enter("s2");
    room.run(2_000);
    room.hides("ghost");
    room.enter("ghost");
    // Somebody gives it a GroupInfo; nobody has it in the list of people.
    room.pass_info("s1", "ghost");
    room.run(500);
    let with = room.last("s1").clone();
    assert!(with.held && with.members.contains(&"ghost".to_owned()), "{with:?}");
    room.run(1_200);
    for member in ["s1", "s2"] {
        let after = room.last(member);
        assert!(!after.held && after.members == ["s1", "s2"], "{after:?}");
    }
}

#[test]
fn who_comes_back_with_another_session_joins_the_group_again() {
    let mut room = Room::default();
    NAMES[..2].iter().for_each(|it| room.enter(it));
    room.run(2_000);
    room.leaves("s2");
    room.enter("s7");
    room.run(2_000);
    room.assert_one(&["s1", "s7"]);
}

/// Joins and leaves at random, with loss; when nothing more is lost, all are in one epoch within 3 s.
#[test]
fn whoever_comes_and_leaves_and_whatever_is_lost_all_end_in_one_epoch() {
    for seed in 1..=4 {
        let mut room = Room::default();
        (room.loses, room.random) = (30, Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed)));
        let mut count = 0;
        for _ in 0..40 {
            let here = room.here();
            if here.len() < 2 || (here.len() < 8 && room.random.below(2) == 0) {
                count += 1;
                // Their order is not that in which they come.
                let place = room.random.below(1_000);
                room.enter(&format!("s{place:03}-{count}"));
            } else {
                let place = room.random.below(here.len() as u64) as usize;
                room.leaves(&here[place]);
            }
            let pause = room.random.below(900) as super::Millis;
            room.speak(20 + pause);
        }
        room.loses = 0;
        room.speak(3_000);
        let here = room.here();
        println!("seed {seed}: {count} came, {} are there", here.len());
        room.assert_one(&here.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
