//! The engine: what goes in, what comes out, and who is asked in which order.

use crate::arena::{AccountKey, Arena, ConsumerKey, ProducerKey, RoomKey, SPARE_MIN, TransportKey};
use crate::packet_path::ingest::Opened;
use crate::room::Room;
use crate::room::accounts::Account;
use crate::room::allocation::Wish;
use crate::room::consumer::Consumer;
use crate::room::handshakes::Users;
use crate::room::producer::Producer;
use crate::room::unproved_budget::UnprovedBudgets;
use crate::send_batch::SendBatch;
use crate::transport::dtls::{Certificate, DtlsVersion};
use crate::transport::ice_lite::Relays;
use crate::transport::webrtc_transport::WebRtcTransport;
use railgun_shared::ids::ChannelId;
use railgun_shared::media_rpc::{Reply, RoomEvent};
use railgun_shared::signal::ErrorBody;
use railgun_shared::transport_parameters::IceCandidate;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes that may wait for the driver to send them: a full receive burst to a full room.
const SEND_BATCH_BYTES: usize = if cfg!(feature = "fuzzing") { 256 << 10 } else { 8 << 20 };
/// Between two looks at one transport.
const TIMER_MIN: Duration = Duration::from_millis(1);
/// Seconds from the NTP epoch, 1900, to the Unix epoch (RFC 868).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// A received datagram; opened in place, so its bytes are not what they were afterwards.
#[derive(Debug)]
pub struct Datagram<'a> {
    pub source: SocketAddr,
    pub bytes: &'a mut [u8],
}

pub struct EngineConfig {
    /// What clients are told to send to.
    pub candidates: Vec<IceCandidate>,
    pub certificate: Certificate,
    pub dtls_version: DtlsVersion,
    /// Where sessions in privacy mode may come from.
    pub relays: Arc<Relays>,
    /// Source of every id, ICE credential, SSRC and sequence start. Secret and new for each engine.
    pub seed: [u8; 32],
    /// DTLS handshakes in progress at once.
    pub handshakes_max: usize,
    /// What a producer may send of its owner's ceiling, in percent.
    pub bitrate_headroom_percent: u32,
    /// The same moment on both clocks: wall time serves sender reports alone.
    pub started: (Instant, SystemTime),
}

impl std::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the seed: who knows it knows every id and credential.
        f.debug_struct("EngineConfig").field("candidates", &self.candidates).finish_non_exhaustive()
    }
}

/// What the engine tells its driver, in order.
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// The answer to the command that came with `tag`.
    Reply {
        tag: u64,
        reply: Result<Reply, ErrorBody>,
    },
    Event(RoomEvent),
}

/// What happened so far, in numbers that only rise.
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
    pub wrong_payload_types: u64,
    pub malformed_packets: u64,
    /// Replayed, or not sealed with the peer's key.
    pub unauthentic_packets: u64,
    /// Packets sent again to consumers that lost them.
    pub resent_packets: u64,
    /// Asked for, but never sent, sent too often, too old, or over the consumer's budget.
    pub refused_resends: u64,
    /// Numbers of NACKs that were looked up among what the consumer was sent.
    pub resend_lookups: u64,
    /// Payloads copied to be sent again.
    pub resend_copies: u64,
    /// Packets asked for again from publishers.
    pub asked_packets: u64,
    /// ICE checks dropped without an answer.
    pub refused_checks: u64,
    /// Addresses that connected clients nominated before they were proved, and those that then were.
    pub address_changes: u64,
    pub proved_addresses: u64,
    /// Echoes from addresses not yet proved that name what was never sent there.
    pub wrong_guesses: u64,
    /// Addresses given up for such.
    pub refused_addresses: u64,
    /// Those of them that came for a session in privacy mode, past the relays.
    pub unrelayed_checks: u64,
    pub key_frame_requests: u64,
    /// DTLS from clients that would have begun a handshake too many.
    pub refused_handshakes: u64,
    /// Handshakes that were in progress for long and lost their place to another one.
    pub evicted_handshakes: u64,
    /// Packets of producers that sent more than they may.
    pub policed_packets: u64,
    pub handshakes_done: u64,
    pub handshakes_failed: u64,
}

/// All rooms of one worker. See the crate's documentation for how to drive it.
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) rng: ChaCha12Rng,
    pub(crate) rooms: Arena<RoomKey, Room>,
    pub(crate) by_channel: HashMap<ChannelId, RoomKey>,
    pub(crate) accounts: Arena<AccountKey, Account>,
    pub(crate) users: Users,
    pub(crate) transports: Arena<TransportKey, WebRtcTransport>,
    /// By the local ICE username fragment, old ones included while they are valid.
    pub(crate) by_ufrag: HashMap<String, TransportKey>,
    /// Addresses with a valid ICE check.
    pub(crate) by_address: HashMap<SocketAddr, TransportKey>,
    pub(crate) producers: Arena<ProducerKey, Producer>,
    pub(crate) consumers: Arena<ConsumerKey, Consumer>,
    pub(crate) burst: Vec<Opened>,
    /// Reused for each receiver's link.
    pub(crate) wishes: Vec<Wish>,
    pub(crate) sends: SendBatch,
    pub(crate) notices: VecDeque<Notice>,
    /// What users' addresses may get before they are proved.
    pub(crate) unproved: UnprovedBudgets,
    pub(crate) counters: Counters,
    /// DTLS handshakes in progress, in the order in which they began last.
    pub(crate) handshakes: Vec<TransportKey>,
    /// When a transport wants a look; entries that its `wake` does not confirm are stale.
    timers: BinaryHeap<Reverse<(Instant, TransportKey)>>,
    /// The same of rooms.
    room_timers: BinaryHeap<Reverse<(Instant, RoomKey)>>,
}

impl Engine {
    pub fn new(config: EngineConfig) -> Self {
        Self {
            rng: ChaCha12Rng::from_seed(config.seed),
            config,
            rooms: Arena::new(),
            by_channel: HashMap::new(),
            accounts: Arena::new(),
            users: Users::new(),
            transports: Arena::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            producers: Arena::new(),
            consumers: Arena::new(),
            burst: Vec::new(),
            wishes: Vec::new(),
            sends: SendBatch::with_capacity(SEND_BATCH_BYTES),
            notices: VecDeque::new(),
            unproved: UnprovedBudgets::default(),
            counters: Counters::default(),
            handshakes: Vec::new(),
            timers: BinaryHeap::new(),
            room_timers: BinaryHeap::new(),
        }
    }

    /// What is to be sent now; cleared by the driver once it was.
    pub fn sends(&mut self) -> &mut SendBatch {
        &mut self.sends
    }

    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Rooms without those of network tests.
    pub fn call_count(&self) -> usize {
        self.rooms.iter().filter(|(_, room)| room.ends_at.is_none()).count()
    }

    /// Transports that exist, and DTLS handshakes that are in progress.
    pub fn transport_counts(&self) -> (usize, usize) {
        (self.transports.len(), self.handshakes.len())
    }

    pub fn session_count(&self) -> usize {
        self.rooms.iter().map(|(_, room)| room.sessions.len()).sum()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transport = self.timers.peek().map(|Reverse((at, _))| *at);
        let room = self.room_timers.peek().map(|Reverse((at, _))| *at);
        transport.into_iter().chain(room).min()
    }

    /// Does what is due: retransmissions of handshakes, consent, reports, key-frame requests; and in
    /// rooms the ends of grants, slots, levels.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handle_room_timeouts(now);
        self.users.forget(now);
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(transport) = self.transports.get_mut(key) else { continue };
            if transport.wake != Some(at) {
                continue;
            }
            transport.wake = None;
            self.on_transport_due(key, now);
            self.schedule_from(key, Some(now + TIMER_MIN));
        }
        self.give_back();
    }

    /// Tables that a flood of joins made large, and that are nearly empty again.
    fn give_back(&mut self) {
        let is_spare = |len: usize, capacity: usize| capacity > 2 * SPARE_MIN && len < capacity / 8;
        if is_spare(self.by_channel.len(), self.by_channel.capacity()) {
            self.by_channel.shrink_to(SPARE_MIN);
        }
        if is_spare(self.by_ufrag.len(), self.by_ufrag.capacity()) {
            self.by_ufrag.shrink_to(SPARE_MIN);
        }
        if is_spare(self.by_address.len(), self.by_address.capacity()) {
            self.by_address.shrink_to(SPARE_MIN);
        }
        // Of transports that are gone, or that were looked at in between.
        if self.timers.len() > SPARE_MIN + 4 * self.transports.len() {
            let transports = &self.transports;
            self.timers.retain(|Reverse((at, key))| {
                transports.get(*key).is_some_and(|transport| transport.wake == Some(*at))
            });
        }
        if is_spare(self.timers.len(), self.timers.capacity()) {
            self.timers.shrink_to(SPARE_MIN);
        }
    }

    fn handle_room_timeouts(&mut self, now: Instant) {
        while let Some(Reverse((at, key))) = self.room_timers.peek().copied() {
            if at > now {
                return;
            }
            self.room_timers.pop();
            let Some(room) = self.rooms.get_mut(key).filter(|room| room.wake == Some(at)) else { continue };
            room.wake = None;
            self.on_room_due(key, now);
            self.schedule_room_from(key, Some(now + TIMER_MIN));
        }
    }

    /// [`Self::schedule`], of a room.
    pub(crate) fn schedule_room(&mut self, key: RoomKey) {
        self.schedule_room_from(key, None);
    }

    fn schedule_room_from(&mut self, key: RoomKey, earliest: Option<Instant>) {
        let Some(room) = self.rooms.get_mut(key) else { return };
        let Some(due) = room.due() else { return };
        let due = earliest.map_or(due, |earliest| due.max(earliest));
        if room.wake.is_none_or(|wake| due < wake) {
            room.wake = Some(due);
            self.room_timers.push(Reverse((due, key)));
        }
    }

    /// Notes when a transport wants to be looked at next, if that is earlier than noted.
    pub(crate) fn schedule(&mut self, key: TransportKey) {
        self.schedule_from(key, None);
    }

    /// [`Self::schedule`], but no earlier than this: whoever was just looked at has had its turn, so
    /// that the loop over timers ends whatever a transport asks for.
    fn schedule_from(&mut self, key: TransportKey, earliest: Option<Instant>) {
        let Some(transport) = self.transports.get(key) else { return };
        let producers = transport.producers.iter().filter_map(|key| self.producers.get(*key));
        let requests = producers.flat_map(|it| &it.encodings).filter_map(|it| it.key_frames.due());
        let Some(due) = requests.chain(transport.due()).min() else { return };
        let due = earliest.map_or(due, |earliest| due.max(earliest));
        if transport.wake.is_some_and(|wake| wake <= due) {
            return;
        }
        if let Some(transport) = self.transports.get_mut(key) {
            transport.wake = Some(due);
            self.timers.push(Reverse((due, key)));
        }
    }

    pub(crate) fn random_bits(&mut self) -> u128 {
        self.rng.random()
    }

    pub(crate) fn rng(&mut self) -> &mut ChaCha12Rng {
        &mut self.rng
    }

    /// So many letters and digits.
    pub(crate) fn random_text(&mut self, len: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let letter = |bits: u8| char::from(ALPHABET[usize::from(bits & 31)]);
        (0..len).map(|_| letter(self.rng.random())).collect()
    }

    pub(crate) fn wall(&self, now: Instant) -> SystemTime {
        let (instant, wall) = self.config.started;
        wall + now.saturating_duration_since(instant)
    }

    /// Wall time as a 32.32 fixed-point number of seconds since 1900 (RFC 5905 section 6).
    pub(crate) fn ntp(&self, now: Instant) -> u64 {
        let since = self.wall(now).duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = (since.as_secs().wrapping_add(NTP_TO_UNIX)) & 0xffff_ffff;
        (seconds << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("rooms", &self.rooms.len())
            .field("transports", &self.transports.len())
            .finish_non_exhaustive()
    }
}
