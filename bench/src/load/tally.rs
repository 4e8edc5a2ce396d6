//! What was sent, and what of it came, stream by stream.

use super::payload::Stamp;
use crate::histogram::{Histogram, micros};
use railgun_client::{MediaKind, RtpPacket};
use railgun_protocol::ids::ProducerId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// One producer of ours. Packets with numbers from `begin` on and below `end` are measured.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) kind: MediaKind,
    /// Who sends it, as `Ada in lobby`.
    pub(super) who: String,
    tag: u32,
    next: Mutex<u32>,
    begin: AtomicU32,
    end: AtomicU32,
}

impl Sent {
    pub(super) fn new(kind: MediaKind, who: String) -> Arc<Self> {
        static TAGS: AtomicU32 = AtomicU32::new(0x5241_494c);
        let tag = TAGS.fetch_add(1, Ordering::Relaxed);
        let never = || AtomicU32::new(u32::MAX);
        Arc::new(Self { kind, who, tag, next: Mutex::new(0), begin: never(), end: never() })
    }

    /// The number of the packet that is sent next.
    pub(super) fn count(&self) -> u32 {
        let mut next = lock(&self.next);
        *next += 1;
        *next - 1
    }

    pub(super) fn stamp(&self, number: u32, origin: Instant) -> Stamp {
        Stamp { tag: self.tag, number, at: micros(origin.elapsed()) }
    }

    /// What is sent from now on is measured. Under the lock: no such packet is on its way already.
    fn begin(&self) {
        let next = lock(&self.next);
        self.begin.store(*next, Ordering::Release);
    }

    fn end(&self) {
        let next = lock(&self.next);
        self.end.store(*next, Ordering::Release);
    }

    fn is_measured(&self, number: u32) -> bool {
        (self.begin.load(Ordering::Acquire)..self.end.load(Ordering::Acquire)).contains(&number)
    }

    fn expected(&self) -> u64 {
        self.end.load(Ordering::Acquire).saturating_sub(self.begin.load(Ordering::Acquire)).into()
    }
}

/// One consumer: what somebody gets of a producer.
#[derive(Debug)]
pub(super) struct Received {
    producer: ProducerId,
    /// Looked up when the first packet comes: a consumer may be made before its producer's own
    /// participant knows the id. None: it is nobody's of ours, and its packets are not measured.
    sent: OnceLock<Option<Arc<Sent>>>,
    /// Who receives.
    who: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first packet's; a retransmission has another.
    ssrc: Option<u32>,
    /// Extended by the roll-overs.
    highest: u32,
    /// Sequence number, and number in its stream, of the last packet with a stamp.
    stamped: Option<(u16, u32)>,
    measured: u64,
    received: u32,
    /// The highest number and the count at the last report.
    reported: (u32, u32),
}

impl State {
    /// False: it is a retransmission.
    fn take(&mut self, packet: &RtpPacket) -> bool {
        let (ssrc, sequence) = (packet.header.ssrc, packet.header.sequence_number);
        if *self.ssrc.get_or_insert(ssrc) != ssrc {
            return false;
        }
        let [.., high, low] = self.highest.to_be_bytes();
        let step = distance(u16::from_be_bytes([high, low]), sequence);
        self.highest = match self.stamped {
            None => sequence.into(),
            Some(_) if step > 0 => self.highest.wrapping_add_signed(step),
            Some(_) => self.highest,
        };
        self.received = self.received.wrapping_add(1);
        true
    }
}

impl Received {
    /// SSRC, extended highest sequence number, and the part lost since the last report in 1/256.
    pub(super) fn report(&self) -> Option<(u32, u32, u8)> {
        let mut state = lock(&self.state);
        let ssrc = state.ssrc?;
        let (highest, received) = (state.highest, state.received);
        let (highest_before, received_before) = std::mem::replace(&mut state.reported, (highest, received));
        let expected = highest.wrapping_sub(highest_before);
        let lost = expected.saturating_sub(received.wrapping_sub(received_before));
        let fraction = (u64::from(lost) << 8).checked_div(expected.into()).unwrap_or(0).min(255);
        // Before the first report there is nothing to compare with.
        let fraction = if received_before == 0 { 0 } else { u8::try_from(fraction).unwrap_or(u8::MAX) };
        Some((ssrc, highest, fraction))
    }

    fn is_heard(&self) -> bool {
        lock(&self.state).stamped.is_some()
    }
}

/// When a participant got so far, since the start of its connection.
#[derive(Clone, Debug)]
pub(super) struct Join {
    pub(super) connected: Duration,
    pub(super) joined: Duration,
    /// Its microphone is produced.
    pub(super) sending: Duration,
    /// Who finds nobody there receives nothing yet.
    pub(super) receiving: Option<Duration>,
    pub(super) started: Instant,
    pub(super) first_media: Arc<OnceLock<Instant>>,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) origin: Instant,
    pub(super) joined: AtomicUsize,
    pub(super) failed: AtomicUsize,
    /// Streams of ours of which something came.
    pub(super) heard: AtomicUsize,
    /// Streams that are nobody's of ours, of which something came that could be opened.
    pub(super) others: AtomicUsize,
    pub(super) packets: AtomicU64,
    pub(super) misread: AtomicU64,
    /// How late a packet was sent at worst while measuring, in us: the generator's own fault.
    behind: AtomicU64,
    is_measuring: AtomicBool,
    sent: Mutex<HashMap<ProducerId, Arc<Sent>>>,
    received: Mutex<Vec<Arc<Received>>>,
    latency: [Mutex<Histogram>; 2],
    failures: Mutex<BTreeMap<String, usize>>,
    joins: Mutex<Vec<Join>>,
}

/// Of one kind of media.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) streams: usize,
    pub(super) heard: usize,
    pub(super) whole: usize,
    pub(super) expected: u64,
    pub(super) received: u64,
    /// p50, p90, p99, p99.9 and the greatest, in us.
    pub(super) latency: [usize; 5],
    /// Those that lost most: sender, receiver, expected, received.
    pub(super) worst: Vec<(String, String, u64, u64)>,
}

const WORST_MAX: usize = 5;

impl Default for Tally {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            joined: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            heard: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
            packets: AtomicU64::new(0),
            misread: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            is_measuring: AtomicBool::new(false),
            sent: Mutex::default(),
            received: Mutex::default(),
            latency: Default::default(),
            failures: Mutex::default(),
            joins: Mutex::default(),
        }
    }
}

impl Tally {
    pub(super) fn add_sent(&self, producer: ProducerId, sent: &Arc<Sent>) {
        lock(&self.sent).insert(producer, sent.clone());
    }

    pub(super) fn add_received(&self, producer: ProducerId, who: &str) -> Arc<Received> {
        let (sent, who, state) = (OnceLock::new(), who.to_owned(), Mutex::default());
        let received = Arc::new(Received { producer, sent, who, state });
        lock(&self.received).push(received.clone());
        received
    }

    fn sent_of<'a>(&self, received: &'a Received) -> Option<&'a Arc<Sent>> {
        received.sent.get_or_init(|| lock(&self.sent).get(&received.producer).cloned()).as_ref()
    }

    /// The consumer was not made after all.
    pub(super) fn drop_received(&self, received: &Arc<Received>) {
        lock(&self.received).retain(|other| !Arc::ptr_eq(other, received));
    }

    pub(super) fn on_join(&self, join: Join) {
        lock(&self.joins).push(join);
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn on_failure(&self, what: String) {
        *lock(&self.failures).entry(what).or_default() += 1;
    }

    pub(super) fn on_late(&self, by: Duration) {
        if self.is_measuring.load(Ordering::Relaxed) {
            self.behind.fetch_max(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Counts a packet whose frame there is no key for: in receiver reports, and in no figure of the load.
    pub(super) fn on_unopened(&self, received: &Received, packet: &RtpPacket) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        lock(&received.state).take(packet);
    }

    pub(super) fn on_packet(&self, received: &Received, packet: &RtpPacket) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        let sequence = packet.header.sequence_number;
        let mut state = lock(&received.state);
        if !state.take(packet) {
            return;
        }
        let Some(sent) = self.sent_of(received) else {
            if !packet.payload.is_empty() && state.stamped.replace((sequence, 0)).is_none() {
                self.others.fetch_add(1, Ordering::Relaxed);
            }
            return;
        };
        // In the last packet of a picture, in each of speech.
        let is_stamped = sent.kind == MediaKind::Audio || packet.header.marker;
        let stamp = Stamp::read(&packet.payload).filter(|_| is_stamped);
        if is_stamped && packet.payload.is_empty() {
            self.misread.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(stamp) = stamp {
            if stamp.tag != sent.tag {
                self.misread.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if state.stamped.is_none() {
                self.heard.fetch_add(1, Ordering::Relaxed);
            }
            state.stamped = Some((sequence, stamp.number));
        }
        let Some((of, number)) = state.stamped else { return };
        if sent.is_measured(number.wrapping_add_signed(distance(of, sequence))) {
            state.measured += 1;
            drop(state);
            if let Some(stamp) = stamp {
                let place = usize::from(sent.kind == MediaKind::Video);
                lock(&self.latency[place]).add(micros(self.origin.elapsed()).wrapping_sub(stamp.at));
            }
        }
    }

    /// Starts to measure.
    pub(super) fn begin(&self) {
        lock(&self.sent).values().for_each(|sent| sent.begin());
        self.is_measuring.store(true, Ordering::Relaxed);
    }

    /// What is on its way still counts.
    pub(super) fn end(&self) {
        self.is_measuring.store(false, Ordering::Relaxed);
        lock(&self.sent).values().for_each(|sent| sent.end());
    }

    pub(super) fn figures(&self, kind: MediaKind) -> Figures {
        let mut figures = Figures::default();
        for received in lock(&self.received).iter() {
            let Some(sent) = self.sent_of(received).filter(|sent| sent.kind == kind) else { continue };
            let (expected, measured) = (sent.expected(), lock(&received.state).measured);
            figures.streams += 1;
            figures.heard += usize::from(received.is_heard());
            figures.whole += usize::from(received.is_heard() && measured == expected);
            figures.expected += expected;
            figures.received += measured;
            if measured != expected {
                figures.worst.push((sent.who.clone(), received.who.clone(), expected, measured));
            }
        }
        figures.worst.sort_by_key(|(_, _, expected, received)| received.abs_diff(*expected));
        figures.worst.reverse();
        figures.worst.truncate(WORST_MAX);
        figures.latency = self.latency(kind);
        figures
    }

    pub(super) fn latency(&self, kind: MediaKind) -> [usize; 5] {
        let latency = lock(&self.latency[usize::from(kind == MediaKind::Video)]);
        [0.5, 0.9, 0.99, 0.999, 1.0].map(|part| latency.quantile(part))
    }

    pub(super) fn failures(&self) -> BTreeMap<String, usize> {
        lock(&self.failures).clone()
    }

    pub(super) fn joins(&self) -> Vec<Join> {
        lock(&self.joins).clone()
    }

    pub(super) fn behind(&self) -> Duration {
        Duration::from_micros(self.behind.load(Ordering::Relaxed))
    }
}

/// From one sequence number to another, by the shorter way.
fn distance(from: u16, to: u16) -> i32 {
    i16::from_ne_bytes(to.wrapping_sub(from).to_ne_bytes()).into()
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::payload;

    const PRODUCER: ProducerId = ProducerId::from_bits(7);

    /// The next packet of a picture of so many, under a sequence number of the server's.
    fn packets(sent: &Sent, sequence: u16, count: usize) -> Vec<RtpPacket> {
        let frame = vec![0; 1100 * count - payload::STAMP_LEN];
        let mut payloads = payload::vp8(&payload::picture(&frame, 0), count, 1);
        let numbers: Vec<u32> = payloads.iter().map(|_| sent.count()).collect();
        let stamp = sent.stamp(*numbers.last().unwrap(), Instant::now());
        payload::stamp_last(payloads.last_mut().unwrap(), stamp);
        let packet = |(place, payload): (u16, Vec<u8>)| {
            let mut packet = RtpPacket { payload: payload.into(), ..RtpPacket::default() };
            packet.header.sequence_number = sequence.wrapping_add(place);
            packet.header.marker = usize::from(place) == count - 1;
            packet
        };
        (0..).zip(payloads).map(packet).collect()
    }

    #[test]
    fn packets_of_the_measured_time_count_whenever_they_come() {
        let tally = Tally::default();
        let received = tally.add_received(PRODUCER, "Ben");
        let sent = Sent::new(MediaKind::Video, "Ada".into());
        tally.add_sent(PRODUCER, &sent);
        let give = |packets: &[RtpPacket]| packets.iter().for_each(|it| tally.on_packet(&received, it));
        give(&packets(&sent, 65_530, 2));
        let before = packets(&sent, 65_532, 3);
        tally.begin();
        let first = packets(&sent, 65_535, 3);
        give(&before);
        give(&first);
        // Of the next the middle is lost, and what follows comes in another order.
        let mut second = packets(&sent, 2, 3);
        second.remove(1);
        second.reverse();
        give(&second);
        let last = packets(&sent, 5, 1);
        tally.end();
        give(&last);
        give(&packets(&sent, 6, 1));
        let figures = tally.figures(MediaKind::Video);
        assert_eq!((figures.streams, figures.heard, figures.whole), (1, 1, 0));
        assert_eq!((figures.expected, figures.received), (7, 6));
        assert_eq!(figures.worst, [("Ada".to_owned(), "Ben".to_owned(), 7, 6)]);
        assert_eq!(received.report().map(|(_, highest, _)| highest), Some(0x1_0006));
        assert_eq!(tally.figures(MediaKind::Audio).streams, 0);
    }

    #[test]
    fn somebody_elses_packets_and_retransmissions_are_not_counted() {
        let tally = Tally::default();
        let received = tally.add_received(PRODUCER, "Ben");
        let (ours, other) =
            (Sent::new(MediaKind::Video, "Ada".into()), Sent::new(MediaKind::Video, "Eve".into()));
        tally.add_sent(PRODUCER, &ours);
        tally.begin();
        for packet in packets(&ours, 1, 1) {
            tally.on_packet(&received, &packet);
            let mut again = packet.clone();
            again.header.ssrc = 9;
            tally.on_packet(&received, &again);
        }
        packets(&other, 2, 1).iter().for_each(|packet| tally.on_packet(&received, packet));
        tally.end();
        assert_eq!(tally.figures(MediaKind::Video).received, 1);
        assert_eq!(tally.misread.load(Ordering::Relaxed), 1);
    }
}
