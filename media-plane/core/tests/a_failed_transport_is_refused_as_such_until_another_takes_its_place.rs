//! What is asked of a transport whose handshake failed is `TRANSPORT_FAILED`, to its owner alone; asking
//! for a transport of that direction gives another, with which everything works.

use railgun_peer::{Call, Offer, Peer};
use railgun_shared::ids::{SessionId, TransportId};
use railgun_shared::media_rpc::{Command, Event, Reply};
use railgun_shared::plan::Tier;
use railgun_shared::signal::{ErrorCode, Source};
use railgun_shared::transport_parameters::TransportDirection::{self, Recv, Send};
use railgun_shared::transport_parameters::{DtlsParameters, DtlsState};
use std::net::SocketAddr;
use std::time::Duration;

/// A transport whose client shows another certificate than it signalled.
fn failed(
    call: &mut Call,
    session: SessionId,
    direction: TransportDirection,
) -> (TransportId, DtlsParameters) {
    let (room, world) = (call.room.clone(), &mut call.world);
    let reply = world.command(&room, Command::CreateTransport { session, direction });
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else { panic!("{reply:?}") };
    let place = world.peers.len();
    let address = SocketAddr::from(([10, 66, 0, u8::try_from(place).unwrap()], 5000));
    let peer = Peer::new(transport, address, &parameters, 70 + place as u64, world.now);
    let mut dtls = peer.dtls_parameters();
    dtls.fingerprints[0].value = ["AB"; 32].join(":");
    world.peers.push(peer);
    let connect = Command::ConnectTransport { session, transport, dtls: dtls.clone() };
    world.command(&room, connect).unwrap();
    world.peers[place].start(world.now);
    let has_failed = |event: &&Event| matches!(event, Event::TransportState { transport: of, dtls: DtlsState::Failed, .. } if *of == transport);
    for _ in 0..200 {
        world.exchange();
        if world.heard_by(session).iter().any(&has_failed) {
            return (transport, dtls);
        }
        world.advance(Duration::from_millis(10));
    }
    panic!("the handshake went through");
}

fn refusal(call: &mut Call, command: Command) -> ErrorCode {
    call.world.command(&call.room.clone(), command).unwrap_err().code
}

#[test]
fn everything_that_needs_it_is_refused_and_another_one_works() {
    let mut call = Call::new(31);
    let room = call.room.clone();
    let session = call.world.join(&room, 3, Tier::Pro);
    let stranger = call.world.join(&room, 4, Tier::Pro);
    let (sending, dtls) = failed(&mut call, session, Send);
    let (receiving, _) = failed(&mut call, session, Recv);
    let microphone = Offer::new(Source::Mic, 9);
    let refused = call.world.produce_on(&room, session, sending, &microphone).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TransportFailed);
    let refused = call.world.consume(&room, session, call.mic.producer).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TransportFailed);
    let again = Command::ConnectTransport { session, transport: sending, dtls: dtls.clone() };
    assert_eq!(refusal(&mut call, again), ErrorCode::TransportFailed);
    for transport in [sending, receiving] {
        let restart = Command::RestartIce { session, transport };
        assert_eq!(refusal(&mut call, restart), ErrorCode::TransportFailed);
    }
    let foreign = Command::ConnectTransport { session: stranger, transport: sending, dtls };
    assert_eq!(refusal(&mut call, foreign), ErrorCode::NotFound);

    let sends = call.world.connect(&room, session, Send);
    call.world.connect(&room, session, Recv);
    call.world.produce(&room, session, sends, &microphone).unwrap();
    call.world.consume(&room, session, call.mic.producer).unwrap();
    let gone = Command::RestartIce { session, transport: sending };
    assert_eq!(refusal(&mut call, gone), ErrorCode::NotFound);
    call.assert_goes_on();
}
