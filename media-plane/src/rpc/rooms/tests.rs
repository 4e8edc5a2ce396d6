use super::*;
use railgun_peer::World;
use railgun_protocol::ids::{ProducerId, UserId};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::Source;

fn at(name: &str) -> Address {
    Address { channel: ChannelId::new(name).unwrap(), epoch: 1 }
}

fn session(bits: u128) -> SessionId {
    SessionId::from_bits(bits)
}

/// Every one of them is the same user's.
fn who_joins(bits: u128) -> JoinRequest {
    JoinRequest { user: UserId::new("u").unwrap(), ..World::join_request(bits, Tier::Pro) }
}

fn seated(rooms: &mut RoutingTable, address: &Address, who: u128, stream: StreamId) -> Option<usize> {
    let worker = rooms.join(address, &who_joins(who), stream);
    rooms.join_answered(&address.channel, session(who), Some(1));
    worker
}

#[test]
fn a_new_room_goes_to_the_worker_with_the_fewest_sessions() {
    let mut rooms = RoutingTable::new(2);
    let workers: Vec<_> = (0..3).map(|who| seated(&mut rooms, &at("a"), who, 1)).collect();
    assert_eq!(workers, [Some(0); 3]);
    assert_eq!(seated(&mut rooms, &at("b"), 10, 1), Some(1));
    assert_eq!(seated(&mut rooms, &at("c"), 20, 1), Some(1));
    rooms.closed(&at("a").channel, 1);
    assert_eq!(seated(&mut rooms, &at("d"), 30, 1), Some(0));
    assert_eq!(rooms.population(), (3, 3));
}

#[test]
fn a_refused_resume_takes_no_event_from_one_on_its_way_on_the_same_stream() {
    let mut rooms = RoutingTable::new(1);
    let channel = at("a").channel;
    (1..=3).for_each(|who| _ = seated(&mut rooms, &at("a"), who, 1));
    for who in [1, 2] {
        rooms.detach(&channel, session(who), 1);
        assert_eq!(rooms.resume(&channel, session(who), 7), Some(0));
    }
    rooms.resume_answered(&channel, session(1), 7, None);
    rooms.resume_answered(&channel, session(2), 7, Some(2));
    assert_eq!(rooms.event(&channel, 9, &Event::RoomClosed), [1, 7]);
}

#[test]
fn a_refused_join_leaves_nothing_behind() {
    let mut rooms = RoutingTable::new(1);
    rooms.join(&at("a"), &who_joins(1), 1);
    rooms.join_answered(&at("a").channel, session(1), None);
    assert_eq!(rooms.population(), (0, 0));
    seated(&mut rooms, &at("a"), 1, 1);
    rooms.join(&at("a"), &who_joins(2), 1);
    rooms.join_answered(&at("a").channel, session(2), None);
    assert_eq!(rooms.population(), (1, 1));
}

#[test]
fn a_join_that_passes_the_news_of_the_closing_keeps_its_room() {
    let mut rooms = RoutingTable::new(2);
    seated(&mut rooms, &at("a"), 1, 1);
    rooms.left(&at("a").channel, session(1));
    assert_eq!(rooms.join(&at("a"), &who_joins(2), 2), Some(0));
    rooms.closed(&at("a").channel, 1);
    assert_eq!(rooms.event(&at("a").channel, 5, &Event::RoomClosed), [2]);
    rooms.join_answered(&at("a").channel, session(2), Some(1));
    assert_eq!(rooms.population(), (1, 1));
}

/// What a stream, a socket and a resume can do to a session's window, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The first stream says that socket was lost.
    Detach(u32),
    FirstEnds,
    /// A resume arrives on that stream.
    Resume(StreamId),
    /// The engine answers it: with the new socket's number, or not.
    Answer(StreamId, Option<u32>),
    Seconds(u32),
}

/// Its name, its steps, which socket's loss ended the session, and which stream it obeys afterwards.
type Case<'a> = (&'a str, &'a [Step], Option<u32>, Option<StreamId>);

#[test]
fn a_window_runs_while_nobody_has_the_session_and_no_resume_is_on_its_way() {
    use Step::{Answer, Detach, FirstEnds, Resume, Seconds};
    let cases: &[Case<'_>] = &[
        ("left alone", &[Seconds(60)], None, Some(1)),
        ("a lost socket", &[Detach(1), Seconds(15)], None, None),
        ("a lost socket, too long", &[Detach(1), Seconds(16)], Some(1), None),
        ("another socket was lost", &[Detach(2), Seconds(60)], None, Some(1)),
        ("a lost stream", &[FirstEnds, Seconds(16)], Some(1), None),
        ("told twice", &[Detach(1), Seconds(10), Detach(1), Seconds(6)], Some(1), None),
        ("told, and then the stream ends", &[Detach(1), Seconds(10), FirstEnds, Seconds(6)], Some(1), None),
        (
            "resumed elsewhere",
            &[Detach(1), Seconds(9), Resume(2), Answer(2, Some(2)), Seconds(60)],
            None,
            Some(2),
        ),
        (
            "resumed on the same stream",
            &[Detach(1), Resume(1), Answer(1, Some(2)), Seconds(60)],
            None,
            Some(1),
        ),
        (
            "resumed before the loss is told",
            &[Resume(2), Answer(2, Some(2)), Detach(1), Seconds(60)],
            None,
            Some(2),
        ),
        (
            "told while it resumes",
            &[Resume(2), Detach(1), Seconds(60), Answer(2, Some(2)), Seconds(60)],
            None,
            Some(2),
        ),
        (
            "the stream ends while it resumes",
            &[Resume(2), FirstEnds, Seconds(60), Answer(2, Some(2)), Seconds(60)],
            None,
            Some(2),
        ),
        ("refused while it is in use", &[Resume(2), Answer(2, None), Seconds(60)], None, Some(1)),
        (
            "refused in the window",
            &[Detach(1), Seconds(9), Resume(2), Seconds(60), Answer(2, None), Seconds(6)],
            None,
            None,
        ),
        (
            "refused, and the window goes on",
            &[Detach(1), Seconds(9), Resume(2), Answer(2, None), Seconds(7)],
            Some(1),
            None,
        ),
        (
            "told while a refused one is on its way",
            &[Resume(2), Detach(1), Answer(2, None), Seconds(16)],
            Some(1),
            None,
        ),
        (
            "two at once",
            &[Detach(1), Resume(2), Resume(3), Answer(2, Some(2)), Answer(3, Some(3)), Seconds(60)],
            None,
            Some(3),
        ),
        (
            "the second of two is refused",
            &[Detach(1), Resume(2), Resume(3), Answer(2, Some(2)), Answer(3, None), Seconds(60)],
            None,
            Some(2),
        ),
        (
            "and the new socket is lost",
            &[Resume(2), Answer(2, Some(2)), Detach(2), Seconds(16)],
            Some(2),
            None,
        ),
        (
            "old news of an old stream",
            &[Resume(2), Answer(2, Some(2)), FirstEnds, Seconds(60)],
            None,
            Some(2),
        ),
    ];
    for (name, steps, abandoned, owner) in cases {
        let mut rooms = RoutingTable::new(1);
        let (channel, who) = (at("a").channel, session(1));
        seated(&mut rooms, &at("a"), 1, 1);
        let mut left = Vec::new();
        for step in *steps {
            match *step {
                Detach(attachment) => rooms.detach(&channel, who, attachment),
                FirstEnds => rooms.stream_ended(1),
                Resume(stream) => assert_eq!(rooms.resume(&channel, who, stream), Some(0), "{name}"),
                Answer(stream, accepted) => rooms.resume_answered(&channel, who, stream, accepted),
                Seconds(seconds) => (0..seconds).for_each(|_| {
                    let second = Duration::from_secs(1);
                    left.extend(rooms.age(second, second * 15).into_iter().map(|it| it.silence.attachment));
                }),
            }
        }
        assert_eq!(left.first(), abandoned.as_ref(), "{name}: abandoned");
        for stream in 1..=3 {
            let obeys = rooms.route(&channel, who, stream).is_some();
            assert_eq!(obeys, *owner == Some(stream), "{name}: stream {stream}");
            let hears = rooms.event(&channel, 1, &Event::RoomClosed).contains(&stream);
            assert!(hears || !obeys, "{name}: stream {stream} must hear");
        }
    }
}

#[test]
fn a_stream_commands_only_its_own_sessions_and_hears_only_rooms_it_is_in() {
    let mut rooms = RoutingTable::new(1);
    seated(&mut rooms, &at("a"), 1, 1);
    seated(&mut rooms, &at("a"), 2, 2);
    let channel = at("a").channel;
    assert_eq!(rooms.route(&channel, session(1), 2), None);
    assert_eq!(rooms.route(&channel, session(3), 1), None);
    assert_eq!(rooms.worker_of(&channel), Some(0), "operators speak on any stream");
    assert_eq!(rooms.resume(&channel, session(9), 3), None, "nobody's");
    assert_eq!(rooms.resume(&channel, session(2), 3), Some(0));
    assert_eq!(rooms.event(&channel, 1, &Event::RoomClosed), [1, 2, 3]);
    rooms.resume_answered(&channel, session(2), 3, None);
    assert_eq!(rooms.event(&channel, 1, &Event::RoomClosed), [1, 2]);
    rooms.resume(&channel, session(2), 3);
    rooms.resume_answered(&channel, session(2), 3, Some(2));
    assert_eq!(rooms.event(&channel, 1, &Event::RoomClosed), [1, 3]);
}

#[test]
fn a_list_counts_who_is_seated_and_what_is_sent() {
    let mut rooms = RoutingTable::new(1);
    seated(&mut rooms, &at("b"), 1, 1);
    seated(&mut rooms, &at("b"), 2, 1);
    rooms.join(&at("a"), &who_joins(3), 1);
    let (producer, user) = (ProducerId::from_bits(1), UserId::new("u").unwrap());
    let (kind, source) = (MediaKind::Audio, Source::Mic);
    let began =
        Event::NewProducer { producer, user: user.clone(), session: session(1), kind, source, paused: false };
    let ended = Event::ProducerClosed { producer, user, session: session(1), reason: None };
    for event in [&began, &began, &ended] {
        rooms.event(&at("b").channel, 1, event);
    }
    let summary = |name, participants, producers| RoomSummary { address: at(name), participants, producers };
    assert_eq!(rooms.list(), [summary("a", 0, 0), summary("b", 2, 1)]);
}

#[test]
fn the_rooms_of_a_dead_worker_are_given_up_and_it_gets_no_more() {
    let mut rooms = RoutingTable::new(2);
    seated(&mut rooms, &at("a"), 1, 7);
    rooms.event(&at("a").channel, 41, &Event::RoomClosed);
    let lost = rooms.worker_died(0);
    assert_eq!(lost, [LostRoom { address: at("a"), room_seq: 41, subscribers: vec![7] }]);
    assert_eq!(rooms.join(&at("a"), &who_joins(2), 7), Some(1));
    rooms.worker_died(1);
    assert_eq!(rooms.join(&at("b"), &who_joins(3), 7), None);
    rooms.worker_started(0);
    assert_eq!(rooms.join(&at("b"), &who_joins(3), 7), Some(0));
}

#[test]
fn the_seats_of_a_user_are_those_that_there_are() {
    let mut rooms = RoutingTable::new(2);
    let user = UserId::new("u").unwrap();
    let seats = |rooms: &RoutingTable| {
        let mut seats: Vec<_> = rooms.seats_of(&user).iter().map(|seat| seat.session.to_bits()).collect();
        seats.sort_unstable();
        seats
    };
    seated(&mut rooms, &at("a"), 1, 1);
    seated(&mut rooms, &at("a"), 2, 1);
    seated(&mut rooms, &at("b"), 3, 1);
    rooms.join(&at("b"), &who_joins(9), 1);
    seated(&mut rooms, &at("b"), 3, 1);
    assert_eq!(seats(&rooms), [1, 2, 3, 9]);
    rooms.join_answered(&at("b").channel, session(9), None);
    rooms.left(&at("a").channel, session(1));
    assert_eq!(seats(&rooms), [2, 3]);
    rooms.closed(&at("a").channel, 1);
    assert_eq!(seats(&rooms), [3]);
    rooms.worker_died(1);
    assert_eq!((seats(&rooms), rooms.seats_of(&user).len()), (Vec::new(), 0));
}

#[test]
fn of_a_user_with_too_many_seats_the_longest_lost_one_has_to_go() {
    let mut rooms = RoutingTable::new(1);
    let user = UserId::new("u").unwrap();
    for who in 0..5 {
        seated(&mut rooms, &at("a"), who, 1);
    }
    rooms.detach(&at("a").channel, session(3), 1);
    rooms.age(Duration::from_secs(4), Duration::from_secs(15));
    rooms.detach(&at("a").channel, session(1), 1);
    assert_eq!(rooms.one_too_many(&user), None, "five are allowed");
    seated(&mut rooms, &at("b"), 9, 1);
    let goes = rooms.one_too_many(&user).unwrap();
    let silence = Silence { session: session(3), attachment: 1, lasted: RESUME_WINDOW_MAX };
    assert_eq!((goes.address, goes.silence), (at("a"), silence));
    rooms.left(&at("a").channel, session(3));
    assert_eq!(rooms.one_too_many(&user), None);
}
