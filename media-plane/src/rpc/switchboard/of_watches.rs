//! Streams that hear who is in a channel without a session there.

use super::super::rooms::StreamId;
use super::super::watches::nobody;
use super::{About, Switchboard, overloaded};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Command, Reply, RoomEvent};

impl Switchboard {
    /// What the stream is told of the channel comes after the answer, in the room's order.
    pub(super) fn watch_or_not(
        &mut self,
        stream: StreamId,
        request: u64,
        channel: &ChannelId,
        is_watched: bool,
    ) {
        if !is_watched {
            self.watches.remove(channel, stream);
            return self.answer(stream, request, Ok(Reply::Done));
        }
        if !self.watches.add(channel, stream) {
            return self.answer(stream, request, Err(overloaded("this node keeps no more watches")));
        }
        let Some((worker, room)) = self.rooms.place_of(channel) else {
            return self.answer(stream, request, Ok(nobody()));
        };
        if !self.order((Some((stream, request)), About::Watch), worker, room, Command::Inspect) {
            self.watches.remove(channel, stream);
            self.answer(stream, request, Err(overloaded("the media worker is overloaded")));
        }
    }

    /// Those who hear an event, and those who watch its channel, if it is for them.
    pub(super) fn with_watchers(&self, mut hearers: Vec<StreamId>, event: &RoomEvent) -> Vec<StreamId> {
        if event.is_about_people() {
            for stream in self.watches.of(&event.channel) {
                if !hearers.contains(stream) {
                    hearers.push(*stream);
                }
            }
        }
        hearers
    }
}
