//! The room as the delivery service of MLS (RFC 9420): of each epoch it takes the first commit and orders it among
//! proposals; a Welcome reaches the one it is for; what a session missed without a socket is told when it is
//! resumed; and nobody's flood costs the others anything.

use railgun_peer::World;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{
    E2EE_BURST, E2EE_KEPT_BYTES_MAX, E2EE_KEPT_MAX, E2EE_KIB_BURST, E2EE_MESSAGE_BYTES_MAX, E2EE_PER_SECOND,
    E2EE_ROOM_BURST,
};
use railgun_protocol::media_rpc::{
    Address, Command, EncryptionRule, Event, JoinRequest, LeaveReason, MissedMessage, Reply, ResumeRequest,
    TokenDigest,
};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::E2eeMessageKind::{Commit, GroupInfo, Proposal, Welcome};
use railgun_protocol::signal::{E2eeData, E2eeMessageKind, Encryption, ErrorBody, ErrorCode};
use std::time::Duration;

const GROUP: u8 = 7;
const RULE: EncryptionRule = EncryptionRule { encryption: Encryption::EndToEnd, revision: 1 };

/// A message of this kind as far as a delivery service reads it, and `rest`.
fn message(kind: E2eeMessageKind, group: u8, epoch: u64, rest: &[u8]) -> E2eeData {
    let epoch = epoch.to_be_bytes();
    let head = match kind {
        Proposal | Commit => {
            let content = if kind == Proposal { 2 } else { 3 };
            [&[0, 1, 0, 1, 1, group][..], &epoch, &[1, 0, 0, 0, 0, 0, content]].concat()
        }
        Welcome => vec![0, 1, 0, 3, 0, 1],
        GroupInfo => [&[0, 1, 0, 4, 0, 1, 0, 1, 1, group][..], &epoch].concat(),
    };
    E2eeData::new([&head, rest].concat()).unwrap()
}

struct Group {
    world: World,
    room: Address,
    sessions: u128,
}

impl Group {
    fn new(seed: u8) -> Self {
        Self { world: World::new(seed), room: World::room("mls"), sessions: 0 }
    }

    fn request(&mut self, user: Option<&str>) -> JoinRequest {
        self.sessions += 1;
        let request = World::join_request(self.sessions, Tier::Free);
        let user = user.map_or_else(|| request.user.clone(), |user| UserId::new(user).unwrap());
        JoinRequest { user, encryption: RULE, resume: Some(TokenDigest([1; 32])), ..request }
    }

    fn join(&mut self) -> SessionId {
        let request = self.request(None);
        self.world.join_with(&self.room, request)
    }

    fn leave(&mut self, session: SessionId) {
        let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
        self.world.command(&self.room, leave).unwrap();
    }

    fn tell(
        &mut self,
        session: SessionId,
        kind: E2eeMessageKind,
        epoch: u64,
        to: Option<SessionId>,
        data: E2eeData,
    ) -> Result<(), ErrorBody> {
        let command = Command::SendE2eeMessage { session, kind, epoch, to, data };
        self.world.command(&self.room, command).map(drop)
    }

    fn commit(&mut self, session: SessionId, group: u8, epoch: u64) -> Result<(), ErrorBody> {
        self.tell(session, Commit, epoch, None, message(Commit, group, epoch, b"commit"))
    }

    fn heard(&self, session: SessionId) -> Vec<(SessionId, E2eeMessageKind, u64)> {
        let told = self.world.heard_by(session).into_iter();
        told.filter_map(|event| match event {
            Event::E2eeMessage { session, kind, epoch, .. } => Some((*session, *kind, *epoch)),
            _ => None,
        })
        .collect()
    }

    fn resume(&mut self, session: SessionId) -> Vec<MissedMessage> {
        let user = UserId::new(format!("user-{}", session.to_bits())).unwrap();
        let (token, next_token) = (TokenDigest([1; 32]), TokenDigest([1; 32]));
        let request = ResumeRequest { session, user, device: None, token, next_token, rights: None };
        match self.world.command(&self.room, Command::Resume(Box::new(request))) {
            Ok(Reply::Resumed(room, own)) => {
                assert_eq!(room.encryption, Encryption::EndToEnd);
                own.missed
            }
            other => panic!("not resumed: {other:?}"),
        }
    }
}

fn epoch_of(refused: &ErrorBody) -> Option<u64> {
    (refused.code == ErrorCode::InvalidState).then(|| refused.details["epoch"].as_u64()).flatten()
}

#[test]
fn the_first_and_no_other_also_of_many_groups() {
    let mut group = Group::new(101);
    let [ada, bob, cid] = [(); 3].map(|()| group.join());
    group.world.events.clear();
    // The room may have come from another node: its people are at an epoch already.
    group.commit(ada, GROUP, 40).unwrap();
    for (late, by) in [(40, bob), (40, ada), (39, cid), (42, bob), (u64::MAX - 1, cid)] {
        let refused = group.commit(by, GROUP, late).unwrap_err();
        assert_eq!(epoch_of(&refused), Some(41), "{late}");
    }
    group.tell(cid, Proposal, 41, None, message(Proposal, GROUP, 41, b"p")).unwrap();
    group.commit(bob, GROUP, 41).unwrap();
    // They found another group, because they could not go on with the last one, and the first goes on as well.
    group.commit(cid, GROUP + 1, 0).unwrap();
    assert_eq!(epoch_of(&group.commit(bob, GROUP + 1, 0).unwrap_err()), Some(1));
    assert_eq!(epoch_of(&group.commit(ada, GROUP, 41).unwrap_err()), Some(42));
    assert_eq!(group.heard(ada), [(cid, Proposal, 41), (bob, Commit, 41), (cid, Commit, 0)]);
    assert_eq!(group.heard(bob), [(ada, Commit, 40), (cid, Proposal, 41), (cid, Commit, 0)]);
    // What is refused is told to nobody and moves no number.
    let events = group.world.events.iter().filter(|it| matches!(it.event, Event::E2eeMessage { .. }));
    let numbers: Vec<u64> = events.map(|event| event.room_seq).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + 4).collect::<Vec<_>>());
    assert!(group.commit(ada, GROUP + 2, u64::MAX).is_err(), "no epoch follows");
}

#[test]
fn also_when_who_began_the_group_is_gone_and_forgotten_or_begins_others_without_end() {
    let mut group = Group::new(102);
    let [ada, bob] = [(); 2].map(|()| group.join());
    group.commit(ada, GROUP, 3).unwrap();
    group.commit(bob, GROUP, 4).unwrap();
    group.leave(ada);
    group.world.advance(Duration::from_secs(60));
    // An account that nobody needs is forgotten when somebody joins.
    let eve = group.join();
    for other in 100..120 {
        group.commit(eve, other, 0).unwrap();
    }
    assert_eq!(epoch_of(&group.commit(eve, GROUP, 4).unwrap_err()), Some(5));
    assert_eq!(epoch_of(&group.commit(bob, GROUP, 3).unwrap_err()), Some(5));
    group.commit(bob, GROUP, 5).unwrap();
}

#[test]
fn a_message_has_to_be_what_it_says_and_go_where_its_kind_goes() {
    let mut group = Group::new(103);
    let [ada, bob, cid] = [(); 3].map(|()| group.join());
    group.world.events.clear();
    let everybody = None;
    for (kind, to, epoch, data) in [
        (Commit, everybody, 1, message(Proposal, GROUP, 1, b"")),
        (Proposal, everybody, 1, message(Commit, GROUP, 1, b"")),
        (Commit, everybody, 2, message(Commit, GROUP, 1, b"")),
        (Proposal, everybody, 0, message(Proposal, GROUP, 1, b"")),
        (GroupInfo, everybody, 3, message(GroupInfo, GROUP, 2, b"")),
        (Commit, Some(bob), 1, message(Commit, GROUP, 1, b"")),
        (Proposal, Some(bob), 1, message(Proposal, GROUP, 1, b"")),
        (Welcome, everybody, 1, message(Welcome, GROUP, 1, b"secrets")),
        (Welcome, Some(bob), 1, message(Commit, GROUP, 1, b"")),
        (GroupInfo, everybody, 1, E2eeData::new(b"no MLS".to_vec()).unwrap()),
    ] {
        let refused = group.tell(ada, kind, epoch, to, data).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidPayload, "{kind:?}");
    }
    let welcome = || message(Welcome, GROUP, 1, b"secrets");
    for nobody in [ada, SessionId::from_bits(99)] {
        let refused = group.tell(ada, Welcome, 1, Some(nobody), welcome()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotFound);
    }
    assert!(group.heard(bob).is_empty() && group.heard(cid).is_empty());
    group.tell(ada, Welcome, 1, Some(bob), welcome()).unwrap();
    group.tell(ada, GroupInfo, 1, Some(cid), message(GroupInfo, GROUP, 1, b"")).unwrap();
    group.tell(ada, GroupInfo, 1, None, message(GroupInfo, GROUP, 1, b"")).unwrap();
    assert_eq!(group.heard(bob), [(ada, Welcome, 1), (ada, GroupInfo, 1)]);
    assert_eq!(group.heard(cid), [(ada, GroupInfo, 1), (ada, GroupInfo, 1)]);
    // Who is out of the room says nothing in it, and a room of another kind knows no such messages.
    group.leave(cid);
    assert_eq!(group.commit(cid, GROUP, 1).unwrap_err().code, ErrorCode::NotFound);
    let plain = World::room("plain");
    let dan = group.world.join(&plain, 50, Tier::Free);
    let data = message(Commit, GROUP, 1, b"");
    let command = Command::SendE2eeMessage { session: dan, kind: Commit, epoch: 1, to: None, data };
    assert_eq!(group.world.command(&plain, command).unwrap_err().code, ErrorCode::InvalidState);
}

#[test]
fn what_a_session_missed_without_a_socket_is_told_when_it_is_resumed() {
    let mut group = Group::new(104);
    let ada = group.join();
    group.commit(ada, GROUP, 0).unwrap();
    let [bob, cid] = [(); 2].map(|()| group.join());
    group.tell(ada, Welcome, 1, Some(bob), message(Welcome, GROUP, 1, b"for bob")).unwrap();
    group.tell(ada, Welcome, 1, Some(cid), message(Welcome, GROUP, 1, b"for cid")).unwrap();
    group.commit(bob, GROUP, 1).unwrap();
    group.commit(ada, GROUP, 2).unwrap();
    let told = |missed: Vec<MissedMessage>| {
        missed.into_iter().map(|it| (it.session, it.kind, it.epoch)).collect::<Vec<_>>()
    };
    // Neither what was before it came, nor what is its own or somebody else's.
    let missed = group.resume(bob);
    let numbers: Vec<u64> = missed.iter().map(|it| it.room_seq).collect();
    assert_eq!(told(missed), [(ada, Welcome, 1), (ada, Commit, 2)]);
    let events = group.world.events.iter();
    let first = events.filter(|it| matches!(it.event, Event::E2eeMessage { session, .. } if session == ada));
    let first: Vec<u64> = first.map(|it| it.room_seq).collect();
    assert_eq!(numbers, [first[1], first[3]], "the numbers of the first time");
    // Nobody is resumed any more that lost its socket so long ago.
    group.world.advance(Duration::from_secs(76));
    assert_eq!(told(group.resume(cid)), []);
}

#[test]
fn a_flood_is_refused_and_pushes_nothing_out_that_others_said() {
    let mut group = Group::new(105);
    let [ada, bob] = [(); 2].map(|()| group.join());
    group.commit(ada, GROUP, 0).unwrap();
    let eves = [(); 3].map(|()| {
        let request = group.request(Some("eve"));
        group.world.join_with(&group.room, request)
    });
    // Small ones by their number, over all her devices.
    let mut taken = 0;
    for n in 0..600 {
        let data = message(Proposal, GROUP, 1, b"");
        match group.tell(eves[n % 3], Proposal, 1, None, data) {
            Ok(()) => taken += 1,
            Err(refused) => assert_eq!(refused.code, ErrorCode::RateLimited),
        }
        group.world.advance(Duration::from_millis(10));
    }
    let allowed = E2EE_BURST + 6 * E2EE_PER_SECOND;
    assert!((allowed - 2..=allowed).contains(&taken), "{taken} of {allowed}");
    // Large ones by their bytes.
    group.world.advance(Duration::from_secs(60));
    group.commit(ada, GROUP, 1).unwrap();
    let large = vec![5; E2EE_MESSAGE_BYTES_MAX - 64];
    let taken = (0..100)
        .filter(|_| group.tell(eves[0], Proposal, 1, None, message(Proposal, GROUP, 1, &large)).is_ok())
        .count();
    assert_eq!(taken, E2EE_KIB_BURST as usize / (E2EE_MESSAGE_BYTES_MAX / 1024));
    let missed = group.resume(bob);
    let bytes: usize = missed.iter().map(|it| it.data.bytes().len()).sum();
    assert!(missed.len() <= E2EE_KEPT_MAX && bytes <= E2EE_KEPT_BYTES_MAX, "{} {bytes}", missed.len());
    assert!(missed.iter().any(|it| it.session == ada && it.kind == Commit && it.epoch == 1));
    // A crowd together: by the room.
    group.world.advance(Duration::from_secs(120));
    let crowd: Vec<SessionId> = (0..15).map(|_| group.join()).collect();
    let taken = (0..E2EE_BURST)
        .flat_map(|_| crowd.clone())
        .filter(|eve| group.tell(*eve, Proposal, 1, None, message(Proposal, GROUP, 1, b"")).is_ok())
        .count();
    assert_eq!(taken, E2EE_ROOM_BURST as usize);
}
