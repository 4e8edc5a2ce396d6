//! What comes out of the engine: datagrams, notices, and counts of what happened.

use crate::arena::{RoomKey, TransportKey};
use crate::send_batch::SendBatch;
use railgun_protocol::ids::TransportId;
use railgun_protocol::media_rpc::{Address, Audience, Event, Reply, RoomEvent};
use railgun_protocol::signal::ErrorBody;
use std::collections::{HashMap, VecDeque};
use tracing::level_filters::LevelFilter;

/// Bytes that may wait for the driver to send them: a full receive burst to a full room.
const SEND_BATCH_BYTES: usize = if cfg!(feature = "fuzzing") { 256 << 10 } else { 8 << 20 };

/// A message of the engine to its driver; they come in the order in which things happened.
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// The answer to the command that came with `tag`.
    Reply {
        /// As given to [`Engine::handle_command`](crate::Engine::handle_command).
        tag: u64,
        /// What was done, or why it was refused.
        reply: Result<Reply, ErrorBody>,
    },
    /// Something happened in a room; for whom is in it.
    Event(RoomEvent),
    /// The first packet of a consumer was forwarded over this transport; only if
    /// [`EngineConfig::tells_media_started`](crate::EngineConfig::tells_media_started).
    MediaStarted(TransportId),
}

/// Numbers that only rise, since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Media packets put into a send batch.
    pub forwarded_packets: u64,
    /// Media packets that a consumer should have got: no keys or address yet, or no room.
    pub dropped_packets: u64,
    /// Neither STUN, DTLS, RTP nor RTCP.
    pub unknown_datagrams: u64,
    /// From an address without a valid ICE check.
    pub unknown_addresses: u64,
    /// An SSRC that was not declared and carries no MID of the sender's.
    pub unknown_streams: u64,
    /// A payload type that the producer did not declare.
    pub wrong_payload_types: u64,
    /// RTP headers and elements that do not lie in their packet.
    pub malformed_packets: u64,
    /// Replayed, or not sealed with the peer's key.
    pub unauthentic_packets: u64,
    /// Packets sent again to consumers that lost them.
    pub resent_packets: u64,
    /// Sequence numbers in NACKs that were never sent, sent too often, too old, or over the budget.
    pub refused_resends: u64,
    /// Sequence numbers in NACKs that were looked up among what the consumer was sent.
    pub resend_lookups: u64,
    /// Payloads copied to be sent again.
    pub resend_copies: u64,
    /// Packets of padding sent to learn what links take.
    pub padding_packets: u64,
    /// Packets asked for again from publishers.
    pub asked_packets: u64,
    /// ICE checks dropped without an answer.
    pub refused_checks: u64,
    /// Addresses that connected clients nominated before they were proved, and those that then were.
    pub address_changes: u64,
    /// Addresses among them that were proved: they echoed what was sent there.
    pub proved_addresses: u64,
    /// Echoes from addresses not yet proved that name what was never sent there.
    pub wrong_guesses: u64,
    /// Addresses barred after too many wrong guesses.
    pub refused_addresses: u64,
    /// ICE checks for a session in privacy mode that came past the relays.
    pub unrelayed_checks: u64,
    /// PLI and FIR sent to publishers.
    pub key_frame_requests: u64,
    /// DTLS from clients that would have begun a handshake too many.
    pub refused_handshakes: u64,
    /// Handshakes that were in progress for long and lost their place to another one.
    pub evicted_handshakes: u64,
    /// Packets of producers above their bitrate limit.
    pub policed_packets: u64,
    /// DTLS handshakes that ended in SRTP keys.
    pub handshakes_done: u64,
    /// DTLS handshakes that ended without, for lack of time or of the signaled certificate.
    pub handshakes_failed: u64,
}

/// Why a datagram or a media packet went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// Neither STUN, DTLS, RTP nor RTCP.
    UnknownProtocol,
    /// No transport has an ICE check from its address.
    UnknownAddress,
    /// No producer of its transport has its SSRC or its MID.
    UnknownStream,
    /// The packet's payload type is none that its producer declared.
    WrongPayloadType,
    Malformed,
    /// Replayed, or not sealed with the peer's key.
    Unauthentic,
    /// The packet's producer sends more than its bitrate limit.
    Policed,
    /// The consumer's transport has no keys or address yet, or the batch or the consumer's sequence numbers had no
    /// room.
    NotSendable,
}

impl Counters {
    fn of(&mut self, reason: DropReason) -> &mut u64 {
        match reason {
            DropReason::UnknownProtocol => &mut self.unknown_datagrams,
            DropReason::UnknownAddress => &mut self.unknown_addresses,
            DropReason::UnknownStream => &mut self.unknown_streams,
            DropReason::WrongPayloadType => &mut self.wrong_payload_types,
            DropReason::Malformed => &mut self.malformed_packets,
            DropReason::Unauthentic => &mut self.unauthentic_packets,
            DropReason::Policed => &mut self.policed_packets,
            DropReason::NotSendable => &mut self.dropped_packets,
        }
    }

    /// Counts a drop, and says on trace level whose packet it was.
    #[cold]
    pub(crate) fn drop(&mut self, reason: DropReason, transport: Option<TransportKey>, ssrc: Option<u32>) {
        *self.of(reason) += 1;
        if LevelFilter::current() >= LevelFilter::TRACE {
            trace_drop(reason, transport, ssrc);
        }
    }
}

/// A function of its own: the formatting's registers and stack are not prepared for each drop.
#[inline(never)]
fn trace_drop(reason: DropReason, transport: Option<TransportKey>, ssrc: Option<u32>) {
    tracing::trace!(?reason, ?transport, ssrc, "dropped");
}

/// What the events of one room carry.
#[derive(Debug)]
pub(crate) struct RoomFeed {
    pub(crate) address: Address,
    /// `room_seq` of the last event that went to more than one session.
    pub(crate) seq: u64,
}

pub(crate) struct Output {
    pub(crate) sends: SendBatch,
    pub(crate) notices: VecDeque<Notice>,
    pub(crate) counters: Counters,
    /// First packets are told.
    pub(crate) tells_media_started: bool,
    feeds: HashMap<RoomKey, RoomFeed>,
}

impl Output {
    pub(crate) fn new(tells_media_started: bool) -> Self {
        Self {
            sends: SendBatch::with_capacity(SEND_BATCH_BYTES),
            notices: VecDeque::new(),
            counters: Counters::default(),
            tells_media_started,
            feeds: HashMap::new(),
        }
    }

    /// A room exists from now on, so it may be told about.
    pub(crate) fn open_feed(&mut self, room: RoomKey, address: Address) {
        self.feeds.insert(room, RoomFeed { address, seq: 0 });
    }

    pub(crate) fn close_feed(&mut self, room: RoomKey) -> Option<RoomFeed> {
        self.feeds.remove(&room)
    }

    pub(crate) fn feed(&self, room: RoomKey) -> Option<&RoomFeed> {
        self.feeds.get(&room)
    }

    pub(crate) fn feed_mut(&mut self, room: RoomKey) -> Option<&mut RoomFeed> {
        self.feeds.get_mut(&room)
    }

    /// Queues an event of a room; only what changes the room for more than one session moves its sequence.
    pub(crate) fn tell(&mut self, room: RoomKey, audience: Audience, event: Event) {
        let Some(feed) = self.feeds.get_mut(&room) else { return };
        let is_passing = matches!(event, Event::ActiveSpeaker(_) | Event::AudioLevels(_));
        if !is_passing && !matches!(audience, Audience::Only(_)) {
            feed.seq += 1;
        }
        self.notices.push_back(Notice::Event(RoomEvent {
            channel: feed.address.channel.clone(),
            epoch: feed.address.epoch,
            room_seq: feed.seq,
            audience,
            event,
        }));
    }
}
