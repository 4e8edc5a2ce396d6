//! What the engine keeps: for a participant who is only there, and for each consumer with its video.

use crate::allocations;
use anyhow::{Result, ensure};
use clap::Args;
use railgun_media_core::EngineConfig;
use railgun_peer::{KEY_FRAME, MID_ID, Offer, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use serde_json::{Value, json};

/// Of a room.
const PEOPLE: u16 = 24;
/// More than are remembered of any consumer.
const PACKETS: u32 = 1500;

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Rooms over which a participant is averaged
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    rooms: u16,
}

/// Prints two lines to standard output, or gives the figures if `json` is set.
pub(crate) fn run(options: &Options, json: bool) -> Result<Value> {
    let people = i64::from(options.rooms * PEOPLE);
    let participant = (owned_by_idle(options.rooms)? - owned_by_idle(0)?) / people;
    let consumer = (owned_with_video(PEOPLE)? - owned_with_video(1)?) / i64::from(PEOPLE - 1);
    if !json {
        println!("Memory of the engine, bytes asked of the allocator");
        println!("{:<40}{participant:>8}", "idle participant, two transports");
        let name = format!("consumer of video, after {PACKETS} packets");
        println!("{name:<40}{consumer:>8}");
    }
    Ok(json!({ "bytesPerIdleParticipant": participant, "bytesPerConsumer": consumer }))
}

/// Bytes that go when the engine goes.
fn owned(world: World) -> i64 {
    let World { engine, .. } = world;
    let before = allocations::held_by_this_thread();
    drop(engine);
    before - allocations::held_by_this_thread()
}

/// Rooms full of people who are connected both ways and send nothing.
fn owned_by_idle(rooms: u16) -> Result<i64> {
    let mut world = World::new(5);
    for room in 0..rooms {
        let address = World::room(&format!("memory-{room}"));
        for person in 0..PEOPLE {
            let session = world.join(&address, u128::from(room * PEOPLE + person + 1), Tier::Pro);
            world.connect(&address, session, Send);
            world.connect(&address, session, Recv);
        }
    }
    Ok(owned(world))
}

/// A camera, and so many of a room's people who watch it.
fn owned_with_video(consumers: u16) -> Result<i64> {
    // They come at once, which no tier's ceiling allows.
    let config = EngineConfig { bitrate_headroom_percent: u32::MAX, ..World::config(6) };
    let (mut world, room) = (World::with(config), World::room("memory"));
    let join = |world: &mut World, number: u16| {
        let mut request = World::join_request(u128::from(number) + 1, Tier::Pro);
        request.limits.participants = PEOPLE + 1;
        world.join_with(&room, request)
    };
    let talker = join(&mut world, 0);
    let peer = world.connect(&room, talker, Send);
    let offer = Offer::new(Source::Camera, 0);
    let refused = |error| anyhow::anyhow!("refused: {error:?}");
    let producer = world.produce(&room, talker, peer, &offer).map_err(refused)?;
    for number in 1..=PEOPLE {
        let session = join(&mut world, number);
        world.connect(&room, session, Recv);
        if number <= consumers {
            world.consume(&room, session, producer).map_err(refused)?;
        }
    }
    let payload = [&KEY_FRAME[..], &[7; 1_000]].concat();
    for index in 0..PACKETS {
        let (header, index) = (offer.header(index.into(), index << 8, true), index.into());
        let mid = [(MID_ID, offer.mid.as_bytes())];
        let packet = world.peers[peer].seal_rtp(header, index, &mid, &payload);
        world.send(world.peers[peer].address, packet);
        world.peers.iter_mut().for_each(|peer| peer.arrivals.clear());
    }
    let forwarded = world.engine.counters().forwarded_packets;
    ensure!(forwarded == u64::from(PACKETS) * u64::from(consumers), "{forwarded} packets were forwarded");
    Ok(owned(world))
}
