//! The engine as a conductor: what goes in is handed to the step that takes it, and what a step finds out
//! to the next. No step calls the engine.

use crate::arena::TransportKey;
use crate::clock::Clock;
use crate::config::{Datagram, EngineConfig};
use crate::feedback_path::{
    address_proof_requests, allocation, key_frames, notify, paced, probing, receive, report, traffic,
    wanted_layers,
};
use crate::output::{Counters, Notice, Output};
use crate::packet_path::demux::{Demuxed, demux};
use crate::packet_path::fan_out::fan_out;
use crate::packet_path::ingest::ingest;
use crate::packet_path::tables::MediaTables;
use crate::room::moment::Moment;
use crate::room::reconnecting::{self, Silence};
use crate::room::table::RoomTable;
use crate::room::{audio_levels, commands, epoch, timers, turn};
use crate::send_batch::SendBatch;
use crate::transport::address_holds;
use crate::transport::association::{self, Progress};
use crate::transport::table::{TransportConfig, TransportTable};
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::signal::{ErrorBody, RejoinReason};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use std::time::{Instant, SystemTime};

/// All rooms of one worker. See the crate's documentation for how to drive it.
pub struct Engine {
    pub(crate) rooms: RoomTable,
    pub(crate) media: MediaTables,
}

impl Engine {
    /// Without rooms.
    pub fn new(config: EngineConfig) -> Self {
        let mut rng = ChaCha12Rng::from_seed(config.seed);
        let transports = TransportConfig {
            candidates: config.candidates,
            certificate: config.certificate,
            dtls_version: config.dtls_version,
            relays: config.relays,
            handshakes_max: config.handshakes_max,
            started: config.started.0,
        };
        let transports = TransportTable::new(transports, ChaCha12Rng::from_rng(&mut rng));
        Self {
            rooms: RoomTable::new(config.bitrate_headroom_percent, rng),
            media: MediaTables::new(
                transports,
                Clock { started: config.started },
                Output::new(config.tells_media_started),
                (config.speech_fec, config.l4s),
            ),
        }
    }

    // The three doors.

    /// Takes what the socket had, oldest first. What it fans out to may be more than is good for one
    /// batch: `send` is then called in between, with batches that are to be sent at once. The last
    /// one is left in [`Self::sends`].
    pub fn handle_datagrams(
        &mut self,
        datagrams: &mut [Datagram<'_>],
        now: Instant,
        mut send: impl FnMut(&SendBatch),
    ) {
        for (order, datagram) in datagrams.iter_mut().enumerate() {
            match demux(&self.media.transports, datagram) {
                Ok(Demuxed::Rtp(key)) => self.handle_rtp(key, order, datagram, now),
                Ok(Demuxed::Rtcp(key)) => receive::receive(&mut self.media, key, datagram, now),
                Ok(Demuxed::Stun) => self.handle_stun(datagram, now),
                Ok(Demuxed::Dtls(key)) => self.handle_dtls(key, datagram, now),
                Err(reason) => self.media.output.counters.drop(reason, None, None),
            }
        }
        fan_out(&mut self.media, datagrams, now, &mut send);
    }

    /// Carries out one command; the reply comes out as a [`Notice`] in its place among the events.
    /// `wall` is the time of day, for the deadlines that commands bring.
    pub fn handle_command(
        &mut self,
        tag: u64,
        address: &Address,
        command: Command,
        now: Instant,
        wall: SystemTime,
    ) {
        let moment = Moment { at: now, wall };
        let reply = commands::handle(&mut self.rooms, &mut self.media, address, command, moment);
        let reply = reply.map_err(ErrorBody::from);
        self.media.output.notices.push_back(Notice::Reply { tag, reply });
    }

    /// Does what is due: retransmissions of handshakes, consent, reports, key-frame requests; and in
    /// rooms the ends of grants, slots, levels.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(key) = self.rooms.pop_due(now) {
            timers::on_room_due(&mut self.rooms, &mut self.media, key, now);
            self.rooms.schedule_again(key, now);
        }
        self.media.transports.users.forget(now);
        while let Some(key) = self.media.transports.pop_due(now) {
            self.handle_transport_due(key, now);
            let key_frames_due = key_frames::next_due(&self.media, key);
            self.media.transports.schedule_again(key, key_frames_due, now);
        }
        self.rooms.shrink();
        self.media.transports.shrink();
    }

    // What each kind of datagram, and each transport's time, leads to.

    fn handle_rtp(&mut self, key: TransportKey, order: usize, datagram: &mut Datagram<'_>, now: Instant) {
        let ingested = ingest(&mut self.media, key, order, datagram, now);
        if let Some((producer, encoding)) = ingested.wants_key_frame {
            key_frames::want(&mut self.media, producer, encoding, now);
        }
        if let Some(due) = ingested.feedback_due {
            self.media.transports.wake_by(key, due);
        }
        if let Some(room) = ingested.newly_heard_in {
            audio_levels::wake(&mut self.rooms, room, now);
        }
    }

    fn handle_stun(&mut self, datagram: &Datagram<'_>, now: Instant) {
        let MediaTables { transports, output, .. } = &mut self.media;
        if let Some(progress) = association::receive_binding(transports, output, datagram, now) {
            self.follow(progress, now);
        }
    }

    fn handle_dtls(&mut self, key: TransportKey, datagram: &Datagram<'_>, now: Instant) {
        let contender = address_holds::contender(&self.media.transports, key, datagram);
        if contender.is_none_or(|it| !it.is_its_alone) {
            self.handle_dtls_of(key, datagram, now);
        }
        if let Some(contender) = contender {
            self.handle_dtls_of(contender.transport, datagram, now);
        }
    }

    fn handle_dtls_of(&mut self, key: TransportKey, datagram: &Datagram<'_>, now: Instant) {
        let MediaTables { transports, output, .. } = &mut self.media;
        if let Some(progress) = association::receive_handshake(transports, output, key, datagram, now) {
            self.follow(progress, now);
        }
    }

    /// An association made progress: its consumers begin once it has keys, and a new address is asked for
    /// its proof.
    fn follow(&mut self, progress: Progress, now: Instant) {
        if progress.is_connected {
            key_frames::want_for_transport(&mut self.media, progress.transport, now);
        }
        address_proof_requests::send_due(&mut self.media, progress.transport, now);
    }

    fn handle_transport_due(&mut self, key: TransportKey, now: Instant) {
        let MediaTables { transports, output, .. } = &mut self.media;
        let progress = association::handle_timeout(transports, output, key, now);
        self.follow(progress, now);
        let started = self.media.transports.config.started;
        let transport = self.media.transports.get_mut(key);
        let is_report_due = transport.is_some_and(|transport| transport.take_report_due(started, now));
        if is_report_due {
            self.report(key, now);
        }
        key_frames::send_due(&mut self.media, key, now);
        paced::send_due(&mut self.media, key, now);
        probing::send_due(&mut self.media, key, now);
        report::send_feedback(&mut self.media, key, now);
    }

    /// A transport's turn, each second.
    fn report(&mut self, key: TransportKey, now: Instant) {
        let media = &mut self.media;
        report::send_reports(media, key, now);
        notify::follow_consumers(media, key, now);
        notify::tell_producer_scores(media, key, now);
        wanted_layers::follow_transport(media, key, now);
        turn::limit_bitrates(&mut self.rooms, media, key, now);
        traffic::measure(media, key, now);
        allocation::follow_link(media, key, now);
    }

    // What the driver knows of a room's control streams and of its other incarnations.

    /// Nobody has spoken for a session for longer than the least window: it leaves its room, unless its
    /// consent is fresh and the longest window is not over. Repeated for as long as that is so.
    pub fn on_silence(&mut self, address: &Address, silence: Silence, now: Instant) {
        let room = commands::room_with(&self.rooms, &self.media, address, silence.session);
        if let Ok(room) = room {
            reconnecting::on_silence(&mut self.rooms, &mut self.media, room, silence, now);
        }
    }

    /// The same room, with its people and media, has a later epoch from now on. Sessions that came
    /// under an earlier one of its epochs go on using that.
    pub fn rebind_room(&mut self, to: &Address) {
        epoch::rebind(&self.rooms, &mut self.media, to);
    }

    /// The channel has a room of this epoch somewhere else: an older one here is closed at once, and
    /// its people are told to join again.
    pub fn close_older_room(&mut self, before: &Address, reason: RejoinReason) {
        epoch::close_older(&mut self.rooms, &mut self.media, before, reason);
    }

    // What comes out.

    /// What is to be sent now; cleared by the driver once it was.
    pub fn sends(&mut self) -> &mut SendBatch {
        &mut self.media.output.sends
    }

    /// The oldest reply or event that was not taken yet. To be asked for until there is none, after each
    /// call.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.media.output.notices.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transport = self.media.transports.next_timeout();
        transport.into_iter().chain(self.rooms.next_timeout()).min()
    }

    /// Since the engine was made.
    pub fn counters(&self) -> &Counters {
        &self.media.output.counters
    }

    /// Rooms with at least one session, those of network tests included.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Rooms without those of network tests.
    pub fn call_count(&self) -> usize {
        self.rooms.iter().filter(|room| room.ends_at.is_none()).count()
    }

    /// Transports that exist, and DTLS handshakes that are in progress.
    pub fn transport_counts(&self) -> (usize, usize) {
        (self.media.transports.len(), self.media.transports.handshakes.len())
    }

    /// Sessions of all rooms.
    pub fn session_count(&self) -> usize {
        self.rooms.iter().map(|room| room.sessions.len()).sum()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("rooms", &self.rooms.len())
            .field("transports", &self.media.transports.len())
            .finish_non_exhaustive()
    }
}
