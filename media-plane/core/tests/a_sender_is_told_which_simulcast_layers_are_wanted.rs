//! `producerLayers`: the owner of a video hears the highest layer that anyone receives or wants, at
//! once when it rises, and after a while when it falls.

use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Audience, Command, Event};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::ConsumerLayers;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

struct Stage {
    world: World,
    room: Address,
    talker: SessionId,
    producer: ProducerId,
    /// Session and consumer, resumed.
    viewers: Vec<(SessionId, ConsumerId)>,
}

impl Stage {
    /// A camera in three layers and two viewers.
    fn new() -> Self {
        let mut world = World::new(19);
        let room = World::room("layers");
        let talker = world.join(&room, 1, Tier::Pro);
        let send = world.connect(&room, talker, Send);
        let producer = world.produce(&room, talker, send, &Offer::simulcast(5, 3)).unwrap();
        let mut viewers = Vec::new();
        for number in 2..4 {
            let session = world.join(&room, number, Tier::Free);
            world.connect(&room, session, Recv);
            viewers.push((session, world.consume(&room, session, producer).unwrap().consumer));
        }
        Self { world, room, talker, producer, viewers }
    }

    fn command(&mut self, command: Command) {
        self.world.command(&self.room, command).unwrap();
    }

    fn prefer(&mut self, viewer: usize, spatial_layer: u8) {
        let (session, consumer) = self.viewers[viewer];
        let layers = ConsumerLayers { spatial_layer, temporal_layer: None };
        self.command(Command::SetPreferredLayers { session, consumer, layers });
    }

    fn pause(&mut self, viewer: usize) {
        let (session, consumer) = self.viewers[viewer];
        self.command(Command::PauseConsumer { session, consumer });
    }

    /// What was told since this was asked last.
    fn told(&mut self) -> Vec<Option<u8>> {
        let events = std::mem::take(&mut self.world.events);
        let layers = events.into_iter().filter_map(|event| match event.event {
            Event::ProducerLayers { producer, max_spatial } => {
                assert_eq!((producer, event.audience), (self.producer, Audience::Only(self.talker)));
                Some(max_spatial)
            }
            _ => None,
        });
        layers.collect()
    }

    fn wait(&mut self, seconds: u64) {
        self.world.advance(Duration::from_secs(seconds));
    }
}

#[test]
fn the_highest_of_all_viewers_counts() {
    let mut stage = Stage::new();
    stage.wait(4);
    assert_eq!(stage.told(), [], "everything is wanted, as everything is sent");
    stage.prefer(0, 0);
    stage.wait(4);
    assert_eq!(stage.told(), [], "the other still wants all");
    stage.prefer(1, 1);
    assert_eq!(stage.told(), []);
    stage.wait(4);
    assert_eq!(stage.told(), [Some(1)]);
    stage.prefer(0, 9);
    assert_eq!(stage.told(), [Some(2)], "more is told at once, and no more than there is");
}

#[test]
fn nobody_is_told_as_none_and_whoever_resumes_wants_again() {
    let mut stage = Stage::new();
    stage.pause(0);
    let (session, reason) = (stage.viewers[1].0, railgun_protocol::media_rpc::LeaveReason::Left);
    stage.command(Command::Leave { session, reason, attachment: None });
    stage.wait(4);
    assert_eq!(stage.told(), [None]);
    let (session, consumer) = stage.viewers[0];
    stage.command(Command::ResumeConsumer { session, consumer });
    assert_eq!(stage.told(), [Some(2)]);
}

#[test]
fn a_viewer_who_blinks_is_not_told_of() {
    let mut stage = Stage::new();
    let (session, consumer) = stage.viewers[0];
    stage.prefer(1, 0);
    for _ in 0..5 {
        stage.pause(0);
        stage.wait(1);
        stage.command(Command::ResumeConsumer { session, consumer });
        stage.wait(1);
    }
    assert_eq!(stage.told(), []);
}
