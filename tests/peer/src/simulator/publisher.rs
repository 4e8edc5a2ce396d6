//! A camera as a browser's encoder sends it: simulcast layers of three temporal layers each, frames of
//! different sizes, key frames several times the mean and paid back by the frames after them.

use super::frame::{Frame, PAYLOAD_MAX};
use crate::parameters::{MID_ID, Offer, RID_ID};
use crate::peer::Peer;
use railgun_media_core::packet::rtp::HeaderWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::time::Duration;

/// A key frame is so many mean frames.
const KEY_FRAME: std::ops::Range<f64> = 5.0..10.0;
/// Of the rate, by temporal layer: how many mean frames one frame is. The order is 0 2 1 2.
const TEMPORAL: [f64; 3] = [1.6, 0.8, 0.8];
/// What a frame may be smaller by to pay a key frame back.
const PAYBACK: f64 = 0.4;
/// A browser's pacer sends at so many times its rate.
pub(super) const PACE: f64 = 2.5;

/// One simulcast layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerSpec {
    /// Bits of payload a second.
    pub bitrate: u64,
    /// `maxBitrate` of the encoding, if the client says one.
    pub declared: Option<u64>,
    /// It is sent from this time of the call on: a browser adds layers as its own link turns out to take them.
    pub from: Duration,
}

impl LayerSpec {
    /// From the call's begin on, and no bitrate declared.
    pub fn new(bitrate: u64) -> Self {
        Self { bitrate, declared: None, from: Duration::ZERO }
    }
}

#[derive(Debug)]
struct Layer {
    spec: LayerSpec,
    ssrc: u32,
    index: u64,
    picture: u16,
    tl0: u8,
    number: u32,
    since_key: u32,
    /// The last frame of each temporal layer.
    last: [u32; 3],
    is_sent: bool,
    owes_key_frame: bool,
    /// Bits that key frames were too large by.
    debt: f64,
}

/// A camera.
#[derive(Debug)]
pub(super) struct Publisher {
    offer: Offer,
    layers: Vec<Layer>,
    fps: u32,
    timestamp: u32,
    /// Since the call's begin.
    elapsed: Duration,
    /// Seconds until the pacer has sent the pictures before.
    behind: f64,
    rng: ChaCha12Rng,
}

impl Publisher {
    pub(super) fn new(offer: Offer, layers: &[LayerSpec], fps: u32, ssrc: u32, seed: u64) -> Self {
        let layer = |(place, spec): (u32, &LayerSpec)| Layer {
            spec: *spec,
            ssrc: ssrc + place,
            index: 1_000,
            picture: 1,
            tl0: 0,
            number: 0,
            since_key: 0,
            last: [0; 3],
            is_sent: true,
            owes_key_frame: true,
            debt: 0.0,
        };
        Self {
            offer,
            layers: (0..).zip(layers).map(layer).collect(),
            fps,
            timestamp: 0,
            elapsed: Duration::ZERO,
            behind: 0.0,
            rng: ChaCha12Rng::seed_from_u64(seed),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.fps
    }

    /// A request for a key frame on one layer makes a browser encode one on all of them.
    pub(super) fn owe_key_frame(&mut self, ssrc: u32) {
        if self.layers.iter().any(|layer| layer.ssrc == ssrc) {
            self.layers.iter_mut().for_each(|layer| layer.owes_key_frame = true);
        }
    }

    /// Sends the layers up to this one from now on.
    pub(super) fn send_up_to(&mut self, highest: Option<u8>) {
        for (place, layer) in (0u8..).zip(&mut self.layers) {
            let is_sent = highest.is_some_and(|highest| place <= highest);
            layer.owes_key_frame |= is_sent && !layer.is_sent;
            layer.is_sent = is_sent;
        }
    }

    /// One picture in all of its layers: packets, sealed, each with the time after the picture at which the
    /// pacer sends it.
    ///
    /// `slowness`: times of the usual interval since the picture before.
    pub(super) fn picture(&mut self, peer: &Peer, slowness: f64) -> Vec<(Duration, Vec<u8>)> {
        self.picture_with(slowness, |header, index, elements, payload| {
            peer.seal_rtp(header, index, elements, payload)
        })
    }

    /// [`Self::picture`] with packets that `seal` makes of header, index, header extensions and payload.
    pub(super) fn picture_with(
        &mut self,
        slowness: f64,
        seal: impl Fn(HeaderWriter, u64, &[(u8, &[u8])], &[u8]) -> Vec<u8>,
    ) -> Vec<(Duration, Vec<u8>)> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a second")]
        let step = (f64::from(90_000 / self.fps) * slowness) as u32;
        self.timestamp = self.timestamp.wrapping_add(step);
        self.elapsed += self.interval().mul_f64(slowness);
        let elapsed = self.elapsed;
        let is_there = |layer: &&mut Layer| layer.is_sent && layer.spec.from <= elapsed;
        let total: u64 = self.layers.iter_mut().filter(is_there).map(|it| it.spec.bitrate).sum();
        let pace = total as f64 * PACE;
        self.behind = (self.behind - self.interval().as_secs_f64()).max(0.0);
        let mut packets = Vec::new();
        let Self { layers, rng, fps, offer, timestamp, behind, .. } = self;
        for (place, layer) in (0u8..).zip(layers).filter(|(_, layer)| is_there(layer)) {
            let (frame, len) = layer.encode(place, *fps, rng);
            let rid = format!("r{place}");
            let elements = [(MID_ID, offer.mid.as_bytes()), (RID_ID, rid.as_bytes())];
            let parts = frame.parts;
            for part in 0..parts {
                let payload = Frame { part, ..frame.clone() }.payload(len.div_ceil(usize::from(parts)));
                let header = HeaderWriter {
                    marker: part + 1 == parts,
                    payload_type: offer.payload_type,
                    sequence: u16::try_from(layer.index & 0xffff).expect("16 bits"),
                    timestamp: *timestamp,
                    ssrc: layer.ssrc,
                };
                let packet = seal(header, layer.index, &elements, &payload);
                layer.index += 1;
                let at = Duration::from_secs_f64(*behind);
                *behind += packet.len() as f64 * 8.0 / pace.max(1.0);
                packets.push((at, packet));
            }
        }
        packets
    }
}

impl Layer {
    fn encode(&mut self, place: u8, fps: u32, rng: &mut ChaCha12Rng) -> (Frame, usize) {
        self.number += 1;
        let is_key = std::mem::take(&mut self.owes_key_frame);
        self.since_key = if is_key { 0 } else { self.since_key + 1 };
        let [base, middle, _] = self.last;
        let (temporal, sync, needs) = match self.since_key % 8 {
            _ if is_key => (0u8, false, vec![]),
            0 | 4 => (0, false, vec![base]),
            2 => (1, true, vec![base]),
            6 => (1, false, vec![base, middle]),
            1 | 5 => (2, true, vec![base]),
            _ => (2, false, vec![base, middle]),
        };
        self.last[usize::from(temporal)] = self.number;
        self.picture = (self.picture + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let mean = self.spec.bitrate as f64 / f64::from(fps);
        let bits = if is_key {
            let bits = mean * rng.random_range(KEY_FRAME);
            self.debt += bits - mean;
            bits
        } else {
            let usual = mean * TEMPORAL[usize::from(temporal)];
            let pays = self.debt.min(usual * PAYBACK);
            self.debt -= pays;
            usual * rng.random_range(0.75..1.25) - pays
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a frame's bytes")]
        let len = (bits / 8.0) as usize;
        let parts = u8::try_from(len.div_ceil(PAYLOAD_MAX).max(1)).unwrap_or(u8::MAX);
        let (picture, tl0, number) = (self.picture, self.tl0, self.number);
        (Frame { layer: place, temporal, sync, is_key, part: 0, parts, picture, tl0, number, needs }, len)
    }
}
