//! Simulcast layers are known by their RIDs, so before its first packet a layer cannot be asked for a
//! key frame. A consumer that waits for one must not leave the engine with something due for ever.

use railgun_peer::{Offer, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

#[test]
fn a_consumer_that_waits_for_simulcast_leaves_nothing_due() {
    let mut world = World::new(4);
    let room = World::room("simulcast");
    let talker = world.join(&room, 1, Tier::Pro);
    let listener = world.join(&room, 2, Tier::Free);
    let peer = world.connect(&room, talker, Send);
    world.connect(&room, listener, Recv);
    let producer = world.produce(&room, talker, peer, &Offer::simulcast(5, 3)).unwrap();
    world.advance(Duration::from_millis(5));

    world.consume(&room, listener, producer).unwrap();
    let due = world.engine.poll_timeout();
    assert!(due.is_some_and(|due| due > world.now), "due {due:?}, now {:?}", world.now);
    // Reports of a few seconds go out, and it ends.
    world.advance(Duration::from_secs(5));
}
