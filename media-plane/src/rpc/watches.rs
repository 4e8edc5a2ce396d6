//! Which streams hear who is in a channel without a session there.

use super::rooms::StreamId;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::limits::WATCHES_PER_NODE;
use railgun_protocol::media_rpc::{Reply, RoomSnapshot};
use railgun_protocol::signal::{Encryption, ErrorBody, ErrorCode};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Watches {
    streams: HashMap<ChannelId, Vec<StreamId>>,
    /// Pairs of a channel and a stream.
    count: usize,
}

impl Watches {
    /// False: the node keeps no more of them.
    pub(super) fn add(&mut self, channel: &ChannelId, stream: StreamId) -> bool {
        if self.of(channel).contains(&stream) {
            return true;
        }
        if self.count >= WATCHES_PER_NODE {
            return false;
        }
        self.count += 1;
        self.streams.entry(channel.clone()).or_default().push(stream);
        true
    }

    pub(super) fn remove(&mut self, channel: &ChannelId, stream: StreamId) {
        let Some(streams) = self.streams.get_mut(channel) else { return };
        let before = streams.len();
        streams.retain(|other| *other != stream);
        self.count -= before - streams.len();
        if streams.is_empty() {
            self.streams.remove(channel);
        }
    }

    pub(super) fn of(&self, channel: &ChannelId) -> &[StreamId] {
        self.streams.get(channel).map_or(&[], Vec::as_slice)
    }

    pub(super) fn stream_ended(&mut self, stream: StreamId) {
        self.streams.retain(|_, streams| {
            let before = streams.len();
            streams.retain(|other| *other != stream);
            self.count -= before - streams.len();
            !streams.is_empty()
        });
    }
}

/// The engine's answer; a room that is not open yet, or not any more, has nobody in it.
pub(super) fn or_empty(reply: Result<Reply, ErrorBody>) -> Result<Reply, ErrorBody> {
    match reply {
        Err(error) if error.code == ErrorCode::NotFound => Ok(nobody()),
        reply => reply,
    }
}

/// A room without anybody in it.
pub(super) fn nobody() -> Reply {
    let (participants, encryption) = (Vec::new(), Encryption::Transport);
    Reply::Inspected(RoomSnapshot { room_seq: 0, participants, attachment: 0, encryption })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(number: usize) -> ChannelId {
        ChannelId::new(format!("c{number}")).unwrap()
    }

    #[test]
    fn a_stream_watches_until_it_ends_and_a_node_keeps_no_more_than_its_limit() {
        let mut watches = Watches::default();
        for number in 0..WATCHES_PER_NODE {
            assert!(watches.add(&channel(number), 1 + (number % 2) as StreamId));
        }
        assert!(watches.add(&channel(0), 1), "it is there already");
        assert!(!watches.add(&channel(0), 2));
        watches.remove(&channel(0), 2);
        assert!(!watches.add(&channel(0), 2), "nothing was removed");
        watches.remove(&channel(0), 1);
        assert!(watches.add(&channel(0), 2) && watches.of(&channel(0)) == [2]);
        watches.stream_ended(2);
        assert!(watches.of(&channel(0)).is_empty() && watches.count == WATCHES_PER_NODE / 2 - 1);
        watches.stream_ended(1);
        assert!(watches.streams.is_empty() && watches.count == 0);
    }
}
