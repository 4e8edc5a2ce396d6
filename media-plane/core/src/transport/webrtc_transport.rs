//! One client's association with the node in one direction: ICE, DTLS, SRTP keys, and what runs
//! over them.

use super::address_change::{AddressChange, SentTimes};
use super::dtls::{DtlsOutput, DtlsTransport, POLL_BUFFER_LEN};
use super::ice_lite::IceLite;
use super::past_streams::{PastStreams, SSRCS_MAX};
use super::stream::{Stream, StreamBinding};
use crate::arena::{ConsumerKey, ProducerKey, RoomKey, UserKey};
use crate::congestion::receiver::ReceiverLink;
use crate::feedback::congestion_feedback::{self, CongestionFeedbackRecorder};
use crate::feedback::link_estimate::LinkEstimate;
use crate::feedback::round_trip::RoundTrip;
use crate::feedback::sent_history::SentHistory;
use crate::feedback::traffic::Traffic;
use crate::feedback::transport_cc::TransportCcRecorder;
use crate::packet::ecn::Ecn;
use crate::send_batch::SendBatch;
use crate::srtp::{
    InboundControl, InboundSession, InboundStream, MAX_RTCP_OVERHEAD, OutboundControl, OutboundSession,
};
use railgun_protocol::ids::{SessionId, TransportId};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use railgun_protocol::transport_parameters::{DtlsParameters, DtlsState, IceState, TransportDirection};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Between two rounds of RTCP reports on a transport.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Rounds begin at multiples of this since the engine's start, so that a worker wakes once for those of several
/// transports. A divisor of a second.
const REPORT_GRID: Duration = Duration::from_millis(50);
/// SSRCs a transport takes: four sources of up to three layers, or each with a retransmission stream.
pub(crate) const STREAMS_MAX: usize = 16;
const _: () = assert!(STREAMS_MAX == congestion_feedback::STREAMS_MAX);
/// MIDs a transport remembers as used.
const MIDS_MAX: usize = 256;
/// Plain bytes of one RTCP packet that we send.
const CONTROL_BYTES_MAX: usize = 1300;

#[derive(Debug)]
pub(crate) struct WebRtcTransport {
    pub(crate) id: TransportId,
    pub(crate) room: RoomKey,
    pub(crate) session: SessionId,
    pub(crate) user: UserKey,
    pub(crate) direction: TransportDirection,
    pub(crate) ice: IceLite,
    /// What `connectTransport` brought, and the association made from it.
    pub(crate) connect: Option<(DtlsParameters, DtlsTransport)>,
    /// When it came.
    pub(crate) connected_at: Option<Instant>,
    pub(crate) dtls_state: DtlsState,
    pub(crate) ice_state: IceState,
    /// When the session is told both states; none: it knows them.
    pub(crate) tell_states_at: Option<Instant>,
    /// The transport counts as a handshake in progress.
    pub(crate) is_handshaking: bool,
    /// When its handshake began for the first time.
    pub(crate) handshaking_since: Option<Instant>,
    /// Before this, no place among them is sought for it.
    pub(crate) seek_place_at: Option<Instant>,
    pub(crate) keys: Option<Keys>,
    /// Where everything is sent to: as `ice` selected it, and once there are keys, the last address
    /// that was proved.
    pub(crate) selected: Option<SocketAddr>,
    /// ECN bits of the IP headers of media to it. Speech has them as well: the video beside it slows down for the marks of both.
    pub(crate) ecn: Ecn,
    /// The client wants to be sent to an address that is not proved.
    pub(crate) change: Option<Box<AddressChange>>,
    pub(crate) sent_times: SentTimes,
    /// At a proof of an address, in the transport's life.
    pub(crate) wrong_guesses: u8,
    pub(crate) handshake_path: HandshakePath,
    pub(crate) streams: Vec<Stream>,
    past_streams: PastStreams,
    /// When the client's packets arrived, for its congestion control.
    pub(crate) arrivals: TransportCcRecorder,
    /// The same by stream, with ECN marks, of a client that negotiated RFC 8888 feedback; it gets no transport-cc.
    pub(crate) congestion_feedback: Option<Box<CongestionFeedbackRecorder>>,
    is_feedback_chosen: bool,
    /// RTP and RTCP, whole datagrams.
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
    /// Measured from the client's reports on what it was sent, or how soon it answers a NACK.
    pub(crate) round_trip: RoundTrip,
    /// Congestion control of the path to the client. None until it is sent video with transport-wide numbers.
    pub(crate) receiver_link: Option<Box<ReceiverLink>>,
    /// Estimate of the path by receiver reports alone.
    pub(crate) link: LinkEstimate,
    /// When anything new was observed of it for the last time.
    pub(crate) link_observed_at: Instant,
    /// The client's own estimate in bits a second (REMB), and when it came.
    pub(crate) estimated: Option<(u64, Instant)>,
    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: Vec<ConsumerKey>,
    /// CNAME of the client, which all its producers here share.
    pub(crate) cname: Option<String>,
    used_mids: Vec<String>,
    pub(crate) next_mid: u32,
    /// SSRCs given to consumers so far.
    consumer_ssrcs: u32,
    pub(crate) next_transport_cc: u16,
    /// What was sent under those numbers.
    pub(crate) sent_history: SentHistory,
    /// Roll-over counter and sequence number of the next packet of padding.
    pub(crate) next_padding: u64,
    /// Who reports on the client's streams.
    pub(crate) local_ssrc: u32,
    pub(crate) local_cname: String,
    pub(crate) reports_at: Option<Instant>,
    /// The entry of the timer queue that is valid.
    pub(crate) wake: Option<Instant>,
}

/// The address that our part of a handshake went to. Once the handshake is complete, that address is
/// proved, since nobody can answer what he was not sent; unless it went to two, of which one will do.
#[derive(Debug, Default)]
pub(crate) struct HandshakePath {
    sent_to: Option<SocketAddr>,
    is_split: bool,
}

impl HandshakePath {
    fn on_sent(&mut self, to: SocketAddr, datagram: &[u8]) {
        // Handshake messages of epoch 0 (RFC 6347 section 4.1), but for the request of a cookie, of
        // which nothing enters the Finished.
        let is_of_it =
            matches!(datagram, [22, _, _, 0, 0, _, _, _, _, _, _, _, _, message, ..] if *message != 3);
        if is_of_it {
            self.is_split |= self.sent_to.replace(to).is_some_and(|before| before != to);
        }
    }

    pub(crate) fn proved(&self) -> Option<SocketAddr> {
        self.sent_to.filter(|_| !self.is_split)
    }
}

/// The four sessions that the handshake keyed.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) inbound: InboundSession,
    pub(crate) inbound_control: InboundControl,
    pub(crate) outbound: OutboundSession,
    pub(crate) outbound_control: OutboundControl,
}

/// What a new transport is made of.
#[derive(Debug)]
pub(crate) struct TransportInit {
    pub(crate) id: TransportId,
    pub(crate) room: RoomKey,
    pub(crate) session: SessionId,
    pub(crate) user: UserKey,
    pub(crate) direction: TransportDirection,
    pub(crate) ice: IceLite,
    pub(crate) local_ssrc: u32,
    pub(crate) local_cname: String,
    pub(crate) at: Instant,
}

/// When a round of reports is due after one.
pub(crate) fn next_report(started: Instant, now: Instant) -> Instant {
    on_grid(started, now, REPORT_INTERVAL)
}

/// The moment of the grid that is `interval` after `now`, or up to a [`REPORT_GRID`] less. Transports that are
/// looked at at the same moment wake the worker once.
pub(super) fn on_grid(started: Instant, now: Instant, interval: Duration) -> Instant {
    let since = now.saturating_duration_since(started);
    let past_grid = Duration::from_nanos(u64::from(since.subsec_nanos() % REPORT_GRID.subsec_nanos()));
    now + interval.saturating_sub(past_grid)
}

impl WebRtcTransport {
    pub(crate) fn new(init: TransportInit) -> Self {
        Self {
            id: init.id,
            room: init.room,
            session: init.session,
            user: init.user,
            direction: init.direction,
            ice: init.ice,
            connect: None,
            connected_at: None,
            dtls_state: DtlsState::New,
            tell_states_at: None,
            ice_state: IceState::New,
            is_handshaking: false,
            handshaking_since: None,
            seek_place_at: None,
            keys: None,
            selected: None,
            ecn: Ecn::NotEct,
            change: None,
            sent_times: SentTimes::default(),
            wrong_guesses: 0,
            handshake_path: HandshakePath::default(),
            streams: Vec::new(),
            past_streams: PastStreams::default(),
            arrivals: TransportCcRecorder::default(),
            congestion_feedback: None,
            is_feedback_chosen: false,
            received: Traffic::default(),
            sent: Traffic::default(),
            round_trip: RoundTrip::default(),
            receiver_link: None,
            link: LinkEstimate::default(),
            link_observed_at: init.at,
            estimated: None,
            producers: Vec::new(),
            consumers: Vec::new(),
            cname: None,
            used_mids: Vec::new(),
            next_mid: 0,
            consumer_ssrcs: 0,
            next_transport_cc: 0,
            sent_history: SentHistory::new(init.at),
            next_padding: 0,
            local_ssrc: init.local_ssrc,
            local_cname: init.local_cname,
            reports_at: None,
            wake: None,
        }
    }

    /// True if its DTLS association failed or has ended: nothing brings it back.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.dtls_state, DtlsState::Failed | DtlsState::Closed)
    }

    /// Nothing gets through, but after an ICE restart it may.
    pub(crate) fn is_failed(&self) -> bool {
        self.is_over() || self.ice_state == IceState::Disconnected
    }

    /// True if the client may have another in its place: nothing gets through, or nothing ever did in the time
    /// that a handshake has. Until the client asks, what comes late is still taken.
    pub(crate) fn is_replaceable(&self, now: Instant) -> bool {
        let is_late = |at: Instant| now.saturating_duration_since(at) >= DTLS_HANDSHAKE_TIMEOUT;
        self.is_failed() || (self.keys.is_none() && self.connected_at.is_some_and(is_late))
    }

    #[inline]
    pub(crate) fn stream(&self, ssrc: u32) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.ssrc == ssrc)
    }

    #[inline]
    pub(crate) fn stream_mut(&mut self, ssrc: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
    }

    pub(crate) fn has_stream(&self, ssrc: u32) -> bool {
        self.stream(ssrc).is_some()
    }

    pub(crate) fn has_room_for(&self, streams: usize) -> bool {
        self.streams.len() + streams <= STREAMS_MAX
            && self.streams.len() + self.past_streams.len() + streams <= SSRCS_MAX
    }

    /// Where an SSRC goes on that may have been here before.
    pub(crate) fn resume_stream(&self, ssrc: u32) -> InboundStream {
        self.past_streams.resume(ssrc)
    }

    /// Removes the streams that match, and keeps the highest packet index of each against replays.
    pub(crate) fn forget_streams(&mut self, is_over: impl Fn(&Stream) -> bool) {
        let (past, feedback) = (&mut self.past_streams, &mut self.congestion_feedback);
        self.streams.retain(|stream| {
            let is_over = is_over(stream);
            if is_over {
                past.put(stream.ssrc, &stream.srtp);
                if let Some(feedback) = feedback {
                    feedback.forget(stream.ssrc);
                }
            }
            !is_over
        });
    }

    /// Marks a MID as used for the transport's life; false if it already was, or there is no room.
    pub(crate) fn claim_mid(&mut self, mid: &str) -> bool {
        if self.used_mids.len() >= MIDS_MAX || self.used_mids.iter().any(|used| used == mid) {
            return false;
        }
        self.used_mids.push(mid.into());
        true
    }

    /// Accepts packets of a producer's declared SSRCs from now on, those of retransmissions included.
    pub(crate) fn bind_declared(&mut self, streams: impl Iterator<Item = (u32, StreamBinding)>) {
        for (ssrc, binding) in streams {
            let srtp = self.resume_stream(ssrc);
            self.streams.push(Stream::new(ssrc, binding, srtp));
        }
    }

    /// Whether its client is told what arrived by RFC 8888, in place of transport-cc: the first producer's choice holds for the
    /// transport's life.
    pub(crate) fn choose_feedback(&mut self, takes_ccfb: bool) {
        if !self.is_feedback_chosen {
            self.is_feedback_chosen = true;
            self.congestion_feedback = takes_ccfb.then(Box::default);
        }
    }

    pub(crate) fn forget_producer(&mut self, producer: ProducerKey) {
        self.forget_streams(|stream| stream.producer == producer);
        self.producers.retain(|other| *other != producer);
    }

    /// An SSRC for a consumer, the one after it being that of its retransmissions. None is given twice in
    /// the transport's life, whichever consumers are closed: under one key, a packet with the SSRC and the
    /// index of an earlier one would have its nonce (RFC 3711 section 9.1, RFC 7714 section 8.4). None if
    /// all were given.
    pub(crate) fn next_consumer_ssrc(&mut self) -> Option<u32> {
        /// Pairs of SSRCs below 2^31.
        const PAIRS: u32 = 1 << 30;
        /// Odd, so that its multiples meet every pair once.
        const STRIDE: u32 = 0x1e37_79b1;
        /// Carries bandwidth probes in every mediasoup-client; 1235 would be their retransmissions.
        const PROBATOR: u32 = 1234;
        loop {
            let number = self.consumer_ssrcs + 1;
            if number == PAIRS {
                return None;
            }
            self.consumer_ssrcs = number;
            // Ours is where they start, and the one that would come last.
            let pair = (self.local_ssrc >> 1).wrapping_add(number.wrapping_mul(STRIDE)) % PAIRS;
            let ssrc = pair << 1;
            if ssrc > PROBATOR {
                return Some(ssrc);
            }
        }
    }

    /// Whether `len` bytes may go to the selected address, which then count as sent.
    fn may_send(&mut self, len: usize) -> bool {
        self.selected.is_some_and(|selected| self.may_send_to(selected, len))
    }

    /// [`Self::may_send`] for any address that passed a check.
    pub(crate) fn may_send_to(&mut self, address: SocketAddr, len: usize) -> bool {
        // A handshake needs what it needs; what is sealed can wait for the proof.
        let is_sealed = self.keys.is_some();
        self.ice.tuple_mut(address).is_some_and(|tuple| tuple.proof.try_send(len, is_sealed))
    }

    /// An authentic packet of `len` bytes came from `source`.
    #[inline]
    pub(crate) fn on_heard(&mut self, source: SocketAddr, len: usize, now: Instant) {
        if self.change.is_some() {
            self.on_heard_unproved(source, len, now);
        }
    }

    #[cold]
    fn on_heard_unproved(&mut self, source: SocketAddr, len: usize, now: Instant) {
        if let Some(tuple) = self.ice.tuple_mut(source) {
            tuple.proof.on_received(len);
        }
        if self.selected == Some(source)
            && let Some(change) = &mut self.change
            && !change.is_alone
        {
            change.on_old_heard(now);
        }
    }

    /// Whether a round of reports is due; the next one is then a [`REPORT_INTERVAL`] away. `started`: the engine's start.
    pub(crate) fn take_report_due(&mut self, started: Instant, now: Instant) -> bool {
        let is_due = self.reports_at.is_some_and(|at| at <= now);
        if is_due {
            self.reports_at = Some(next_report(started, now));
        }
        is_due
    }

    /// When feedback on what arrived wants to go out.
    #[inline]
    pub(crate) fn feedback_due(&self) -> Option<Instant> {
        let nacks = self.streams.iter().filter_map(|stream| stream.nacks.as_ref()?.due());
        nacks.chain(self.arrivals_due()).min()
    }

    /// When its client is told next what arrived.
    fn arrivals_due(&self) -> Option<Instant> {
        match &self.congestion_feedback {
            None => self.arrivals.due(),
            Some(feedback) => feedback.due(),
        }
    }

    /// When it wants to be looked at next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let handshake = self.connect.as_ref().and_then(|(_, dtls)| dtls.next_timeout());
        let nacks = self.streams.iter().filter_map(|stream| stream.nacks.as_ref()?.due());
        let round = self.change.as_ref().map(|change| change.next_round_at);
        let probe = self.receiver_link.as_ref().and_then(|link| link.probe_at);
        let paced = self.receiver_link.as_ref().and_then(|link| link.pacer.due);
        let (consent, states) = (self.ice.next_timeout(), self.tell_states_at);
        let others = [paced, probe, handshake, consent, states, self.reports_at, self.arrivals_due(), round];
        others.into_iter().flatten().chain(nacks).min()
    }

    /// Sends a datagram that needs no SRTP, if there is somewhere it may go.
    pub(crate) fn send_plain(&mut self, sends: &mut SendBatch, datagram: &[u8]) {
        let Some(to) = self.selected.filter(|_| self.may_send(datagram.len())) else { return };
        self.handshake_path.on_sent(to, datagram);
        sends.write(to, datagram.len(), |out| {
            out.copy_from_slice(datagram);
            datagram.len()
        });
    }

    /// Tells the client over DTLS that this transport is closed.
    pub(crate) fn say_goodbye(&mut self, sends: &mut SendBatch) {
        let Some((parameters, mut dtls)) = self.connect.take() else { return };
        dtls.close();
        let mut buffer = [0; POLL_BUFFER_LEN];
        while let DtlsOutput::Packet(len) = dtls.poll(&mut buffer) {
            self.send_plain(sends, buffer.get(..len).unwrap_or_default());
        }
        self.connect = Some((parameters, dtls));
    }

    /// Seals and sends the RTCP that `write` makes, if there are keys and an address.
    pub(crate) fn send_control(
        &mut self,
        sends: &mut SendBatch,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if let Some(to) = self.selected {
            self.send_control_to(to, sends, write);
        }
    }

    /// [`Self::send_control`] to any address that passed a check; its length, 0 if it may not go there.
    pub(crate) fn send_control_to(
        &mut self,
        to: SocketAddr,
        sends: &mut SendBatch,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> usize {
        if self.keys.is_none() {
            return 0;
        }
        let max = CONTROL_BYTES_MAX + MAX_RTCP_OVERHEAD;
        sends.write(to, max, |out| {
            let Some(len) = out.get_mut(..CONTROL_BYTES_MAX).and_then(write) else { return 0 };
            if !self.may_send_to(to, len + MAX_RTCP_OVERHEAD) {
                return 0;
            }
            let Some(keys) = &mut self.keys else { return 0 };
            let len = keys.outbound_control.seal_rtcp(out, len).unwrap_or(0);
            if len > 0 {
                self.sent.count(len);
            }
            len
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;
    use rand::SeedableRng;
    use std::collections::HashSet;

    #[test]
    fn no_consumer_gets_an_ssrc_that_another_had() {
        for local_ssrc in [0, 7, 1 << 31, u32::MAX] {
            let mut transport = WebRtcTransport::new(TransportInit {
                id: TransportId::from_bits(1),
                room: RoomKey::new(0, 0),
                session: SessionId::from_bits(1),
                user: UserKey::new(0, 0),
                direction: TransportDirection::Recv,
                ice: IceLite::new(&mut rand_chacha::ChaCha12Rng::seed_from_u64(1)),
                local_ssrc,
                local_cname: String::new(),
                at: Instant::now(),
            });
            // As many that are random would meet: 300,000 of 2^30 are 41 too many.
            let given: Vec<u32> = (0..300_000).filter_map(|_| transport.next_consumer_ssrc()).collect();
            let all: HashSet<u32> = given.iter().flat_map(|ssrc| [*ssrc, ssrc + 1]).collect();
            assert_eq!(all.len(), 600_000);
            assert!(!all.contains(&local_ssrc) && all.iter().all(|ssrc| (1236..1 << 31).contains(ssrc)));
            // They end, and do not begin anew.
            transport.consumer_ssrcs = (1 << 30) - 2;
            assert!(transport.next_consumer_ssrc().is_some());
            assert_eq!(transport.next_consumer_ssrc(), None);
        }
    }

    #[test]
    fn rounds_of_reports_of_transports_that_connected_within_50_ms_fall_together() {
        let started = Instant::now();
        let at = |millis| started + Duration::from_millis(millis);
        for connected in [7_300, 7_312, 7_349] {
            assert_eq!(next_report(started, at(connected)), at(8_300));
        }
        // A round that was late does not put the next one off.
        assert_eq!(next_report(started, at(8_304)), at(9_300));
        assert_eq!(next_report(started, at(7_350)), at(8_350));
        assert_eq!(next_report(at(1), started), at(1_000), "a clock that goes back");
    }

    #[test]
    fn a_handshake_proves_the_address_that_all_of_our_part_went_to() {
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let record = |content, message| {
            [&[content, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, message][..], &[0; 40]].concat()
        };
        let (cookie_request, server_hello, last) = (record(22, 3), record(22, 2), record(20, 1));
        let mut path = HandshakePath::default();
        assert_eq!(path.proved(), None);
        path.on_sent(address(1), &cookie_request);
        assert_eq!(path.proved(), None);
        path.on_sent(address(2), &server_hello);
        path.on_sent(address(3), &last);
        path.on_sent(address(3), &[]);
        assert_eq!(path.proved(), Some(address(2)));
        path.on_sent(address(2), &server_hello);
        assert_eq!(path.proved(), Some(address(2)));
        path.on_sent(address(3), &server_hello);
        assert_eq!(path.proved(), None);
        path.on_sent(address(2), &server_hello);
        assert_eq!(path.proved(), None, "whoever was sent it before knows it");
    }
}
