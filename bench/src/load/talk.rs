//! A participant's microphone and camera.

use super::clips::{self, FRAMES_PER_SECOND};
use super::payload;
use super::plan::{Place, Plan};
use super::sealing::Sealer;
use super::tally::{Sent, Tally};
use railgun_client::{ClientError, Feedback, OVERHEAD_MAX, Producer};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::{Instant, sleep_until};

const SPEECH_FRAME: Duration = Duration::from_millis(20);
const SPEECH_SAMPLES: u32 = 960;
/// Opus with DTX: a frame without content as often as this (RFC 7587 section 3.1.3), in frames.
const SILENCE_FRAMES: u32 = 20;
const SILENCE_LEVEL: u8 = 127;
const VIDEO_CLOCK: u32 = 90_000;
/// As browsers: key frames are not made more often, however often they are asked for.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);
const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// Seconds between the NTP epoch (1900) and the Unix epoch (1970).
const NTP_UNIX_SECONDS: u64 = 2_208_988_800;

/// Speaks and is silent as the plan says, until an error.
pub(super) async fn speak(
    mic: Producer,
    mut sealer: Sealer,
    sent: Arc<Sent>,
    place: Place,
    plan: Arc<Plan>,
    tally: Arc<Tally>,
) -> ClientError {
    let speech = clips::speech(place.seat);
    let silence = speech.first().map_or(&[][..], |spoken| &spoken.packet[..1]);
    // People do not begin on the same word, and packets not in the same moment.
    let mut word = place.number * 37;
    let mut due = Instant::now() + spread(place.number, SPEECH_FRAME);
    let (mut timestamp, mut was_talking, mut report_due) = (0u32, false, due);
    loop {
        sleep_until(due).await;
        tally.on_late(due.elapsed());
        let is_talking = plan.is_talking(place.seat, tally.origin.elapsed());
        let (packet, len, frames) = match speech.get(word % speech.len().max(1)) {
            Some(spoken) if is_talking => {
                word += 1;
                mic.set_audio_level(spoken.level < 60, spoken.level);
                (spoken.packet, place.speech_bytes(), 1)
            }
            _ => {
                mic.set_audio_level(false, SILENCE_LEVEL);
                (silence, 0, SILENCE_FRAMES)
            }
        };
        let mut is_sent = false;
        // A packet that is counted and not sent would be reported as lost.
        if sealer.may_send() {
            let payload = payload::opus(packet, len, sent.stamp(sent.count(), tally.origin));
            if let Some(payload) = sealer.seal(payload) {
                // RFC 3551 section 4.1: the first packet after silence.
                if let Err(error) = mic.send(&payload, is_talking && !was_talking, timestamp).await {
                    return error;
                }
                is_sent = true;
            }
        }
        if let Err(error) = report(&mic, timestamp, &mut report_due).await {
            return error;
        }
        was_talking = is_talking && is_sent;
        timestamp = timestamp.wrapping_add(frames * SPEECH_SAMPLES);
        due += frames * SPEECH_FRAME;
    }
}

/// Shows its picture again and again, from the start if somebody asks for a key frame, until an error.
pub(super) async fn show(
    camera: Producer,
    mut sealer: Sealer,
    sent: Arc<Sent>,
    place: Place,
    plan: Arc<Plan>,
    tally: Arc<Tally>,
    mut feedback: broadcast::Receiver<Feedback>,
) -> ClientError {
    let picture = clips::picture(place.seat);
    let least = plan.video_kbps * 1000 / 8 / FRAMES_PER_SECOND as usize;
    let interval = Duration::from_secs(1) / FRAMES_PER_SECOND;
    // Not everybody's key frames at once.
    let mut due = Instant::now() + spread(place.number, interval.mul_f64(picture.len() as f64));
    let (mut next, mut timestamp, mut id, mut report_due) = (0, 0u32, 0u16, due);
    let (mut key_frame_at, mut is_asked) = (due, false);
    loop {
        sleep_until(due).await;
        tally.on_late(due.elapsed());
        if !sealer.may_send() {
            // What follows begins with a key frame.
            next = 0;
            timestamp = timestamp.wrapping_add(VIDEO_CLOCK / FRAMES_PER_SECOND);
            due += interval;
            continue;
        }
        is_asked |= is_key_frame_asked(&mut feedback, camera.ssrc());
        if is_asked && key_frame_at.elapsed() >= KEY_FRAME_INTERVAL {
            next = 0;
        }
        if next == 0 {
            (key_frame_at, is_asked) = (Instant::now(), false);
        }
        let frame = picture.get(next).copied().unwrap_or_default();
        let mut bytes = payload::picture(frame, least);
        // As many packets as it can be: what encryption adds depends on the counter by four bytes.
        let overhead = if sealer.is_encrypting() { OVERHEAD_MAX } else { 0 };
        let count = payload::packets(bytes.len() + overhead);
        let number = (0..count).fold(0, |_, _| sent.count());
        payload::stamp_last(&mut bytes, sent.stamp(number, tally.origin));
        let Some(bytes) = sealer.seal(bytes) else { continue };
        let packets = payload::vp8(&bytes, count, id);
        let last = packets.len() - 1;
        for (place, packet) in packets.iter().enumerate() {
            if let Err(error) = camera.send(packet, place == last, timestamp).await {
                return error;
            }
        }
        if let Err(error) = report(&camera, timestamp, &mut report_due).await {
            return error;
        }
        next = (next + 1) % picture.len().max(1);
        id = id.wrapping_add(1);
        timestamp = timestamp.wrapping_add(VIDEO_CLOCK / FRAMES_PER_SECOND);
        due += interval;
    }
}

/// Whether anybody has asked since the last time.
fn is_key_frame_asked(feedback: &mut broadcast::Receiver<Feedback>, ours: u32) -> bool {
    let mut is_asked = false;
    loop {
        match feedback.try_recv() {
            Ok(Feedback::Pli { ssrc } | Feedback::Fir { ssrc }) => is_asked |= ssrc == ours,
            Ok(_) => {}
            // Among what was missed there may have been a request.
            Err(TryRecvError::Lagged(_)) => is_asked = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return is_asked,
        }
    }
}

/// A sender report when it is due, by which receivers play sound and picture together.
async fn report(producer: &Producer, timestamp: u32, due: &mut Instant) -> Result<(), ClientError> {
    if due.elapsed().is_zero() {
        return Ok(());
    }
    *due += REPORT_INTERVAL;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    producer.send_report((now.as_secs() + NTP_UNIX_SECONDS) << 32 | fraction, timestamp).await
}

/// Another moment of `period` for each number, evenly spread.
fn spread(number: usize, period: Duration) -> Duration {
    // The golden ratio's fraction: whatever the count, no two are near.
    period.mul_f64((number as f64 * 0.618_033_988_75).fract())
}
