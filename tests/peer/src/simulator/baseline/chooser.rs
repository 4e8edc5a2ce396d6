//! Which layers of a camera a baseline's sender forwards, by its target bitrate alone:
//!
//! - The rung is the highest (spatial, temporal) layer whose measured rate fits the target less the measured rate of
//!   speech. A spatial layer above the one that is sent has to fit with 30 % to spare. Nothing fits: the camera pauses.
//! - A rate is what came of those layers in the last 10 s, with headers, UDP and IP. Over 3 s, the key frames that a change
//!   of layers asks for would move it by 14 %.
//! - The rung is looked for at each frame but key frames.
//! - Another spatial layer begins at its key frame, which is requested at once and again after 500 ms. Until it comes, a
//!   layer that is too much is sent in its lowest temporal layer.
//! - A frame is sent if all frames that it is predicted from were.
//!
//! Headroom and time are those with which GoogCC did best on 35 of the calls; see [`super`].

use super::super::frame::Frame;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

const MEASURED: Duration = Duration::from_secs(10);
const ASKED_AGAIN: Duration = Duration::from_millis(500);
const HEADROOM: f64 = 1.3;
const TEMPORAL_LAYERS: u8 = 3;

/// Bytes of the last 10 s.
#[derive(Debug, Default)]
pub(super) struct Rate {
    came: VecDeque<(Instant, usize)>,
    bytes: usize,
}

impl Rate {
    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        self.came.push_back((now, bytes));
        self.bytes += bytes;
    }

    /// Bits a second, of a stream that began at `start`: over 1 s at least.
    pub(super) fn get(&mut self, start: Instant, now: Instant) -> f64 {
        while let Some((_, bytes)) = self.came.pop_front_if(|(at, _)| *at + MEASURED < now) {
            self.bytes -= bytes;
        }
        let over = now.saturating_duration_since(start).min(MEASURED).as_secs_f64().max(1.0);
        self.bytes as f64 * 8.0 / over
    }
}

#[derive(Debug, Default)]
struct Layer {
    /// Of each temporal layer alone.
    rates: [Rate; TEMPORAL_LAYERS as usize],
    /// Numbers of the frames that are forwarded, in this run since a key frame.
    sent: BTreeSet<u32>,
}

/// The choice for one camera.
#[derive(Debug)]
pub(super) struct Chooser {
    layers: Vec<Layer>,
    start: Instant,
    /// What is forwarded: spatial layer, and the temporal layer up to which.
    current: Option<(u8, u8)>,
    /// The rung that fits, to which it goes with the next key frame if its spatial layer is another.
    wanted: Option<(u8, u8)>,
    asked_at: Option<Instant>,
}

impl Chooser {
    pub(super) fn new(layers: usize, start: Instant) -> Self {
        let layers = (0..layers).map(|_| Layer::default()).collect();
        Self { layers, start, current: None, wanted: None, asked_at: None }
    }

    /// What is forwarded now.
    pub(super) fn current(&self) -> Option<(u8, u8)> {
        self.current
    }

    /// Takes a packet of this length on the wire, and says whether it is forwarded. `budget`: bits a second for the
    /// camera.
    pub(super) fn takes(&mut self, frame: &Frame, bytes: usize, budget: f64, now: Instant) -> bool {
        let Some(layer) = self.layers.get_mut(usize::from(frame.layer)) else { return false };
        if let Some(rate) = layer.rates.get_mut(usize::from(frame.temporal)) {
            rate.add(bytes, now);
        }
        if frame.part == 0 {
            // A picture's key frames are of one moment, and measured with the smaller frames that follow.
            if !frame.is_key || self.current.is_none() && self.wanted.is_none() {
                self.choose(budget, now);
            }
            self.begin(frame);
        }
        let layer = self.layers.get(usize::from(frame.layer));
        layer.is_some_and(|layer| layer.sent.contains(&frame.number))
    }

    /// Whether the camera is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.wanted.is_none()
    }

    /// Bits a second of the rung above the one that fits with the headroom, 0 on the highest.
    pub(super) fn next_rate(&mut self, now: Instant) -> f64 {
        let (wanted, start) = (self.wanted, self.start);
        for (place, layer) in (0u8..).zip(&mut self.layers) {
            let mut sum = 0.0;
            for (temporal, rate) in (0u8..).zip(&mut layer.rates) {
                let rate = rate.get(start, now);
                sum += rate;
                if rate > 0.0 && Some((place, temporal)) > wanted {
                    return sum * HEADROOM;
                }
            }
        }
        0.0
    }

    /// Whether the camera is to be asked for a key frame now.
    pub(super) fn wants_key_frame(&mut self, now: Instant) -> bool {
        let is_due = self.asked_at.is_none_or(|at| at + ASKED_AGAIN <= now);
        let wants = is_due && self.waits().is_some();
        if wants {
            self.asked_at = Some(now);
        }
        wants
    }

    /// The spatial layer whose key frame is waited for.
    fn waits(&self) -> Option<u8> {
        let (spatial, _) = self.wanted?;
        (self.current.map(|(current, _)| current) != Some(spatial)).then_some(spatial)
    }

    fn choose(&mut self, budget: f64, now: Instant) {
        let spatial = self.current.map(|(spatial, _)| spatial);
        let mut best = None;
        for (place, layer) in (0u8..).zip(&mut self.layers) {
            let headroom = if spatial.is_none_or(|it| place > it) { HEADROOM } else { 1.0 };
            let mut sum = 0.0;
            for (temporal, rate) in (0u8..).zip(&mut layer.rates) {
                let rate = rate.get(self.start, now);
                sum += rate;
                if rate > 0.0 && sum * headroom <= budget {
                    best = Some((place, temporal));
                }
            }
        }
        self.wanted = best;
        self.current = match (self.current, best) {
            (_, None) => None,
            (Some((spatial, _)), Some((place, temporal))) if spatial == place => Some((spatial, temporal)),
            // Too much until the key frame of the lower layer comes.
            (Some((spatial, _)), Some((place, _))) if spatial > place => Some((spatial, 0)),
            (current, _) => current,
        };
    }

    /// Decides on a frame whose first packet came.
    fn begin(&mut self, frame: &Frame) {
        let waits = self.waits();
        if frame.is_key && waits == Some(frame.layer) {
            self.current = self.wanted;
            self.asked_at = None;
            self.layers.iter_mut().for_each(|layer| layer.sent.clear());
        } else if frame.is_key && waits.is_some() {
            // A picture's key frames come in all layers, and the one that is waited for takes the place of this one.
            if self.current.is_some_and(|(spatial, _)| spatial == frame.layer) {
                self.current = None;
            }
            return;
        }
        let is_sent = self
            .current
            .is_some_and(|(spatial, temporal)| spatial == frame.layer && frame.temporal <= temporal);
        let Some(layer) = self.layers.get_mut(usize::from(frame.layer)) else { return };
        if is_sent && frame.needs.iter().all(|number| layer.sent.contains(number)) {
            layer.sent.insert(frame.number);
        }
    }
}
