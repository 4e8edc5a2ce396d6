//! What was wrong on a participant's own way: uplink, downlink, device. A queue is told from loss by how late packets
//! come, and the way up from the way down by the delay that the node measures of what comes up.

use super::finding::{Cause, Finding, Side, found};
use super::minute::ParticipantMinute;
use super::sentence;

/// Packets lost, in percent, that are heard.
pub(super) const LOSS: f64 = 3.0;
/// Jitter that a receiver's buffer does not even out, in milliseconds.
pub(super) const JITTER: f64 = 40.0;
/// Delay that a queue on one way adds, in milliseconds, the mean of a minute.
const DELAY: f64 = 80.0;
/// And as part of what the round trip rose by: the rest is what two ways of measuring differ by.
const DELAY_PART: f64 = 0.25;
/// Delay on the way down that a link has which takes too little: the node keeps its own queue short, so that a longer
/// one is of somebody else's traffic.
const NARROW_DELAY: std::ops::Range<f64> = 40.0..500.0;
/// Rise of the round trip without which a slow device is enough to explain uneven packets, in milliseconds.
const DEVICE_RISE: f64 = 150.0;

/// What a participant's figures are above, because many have it in common.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared {
    pub(super) up_loss: f64,
    pub(super) down_loss: f64,
    pub(super) rise_ms: f64,
    pub(super) up_delay_ms: f64,
    pub(super) down_delay_ms: f64,
    pub(super) jitter_ms: f64,
    /// One session may have so many times these.
    pub(super) spread: f64,
    /// It was found to be wrong.
    pub(super) is_found: bool,
}

impl Shared {
    /// With what relays add.
    pub(super) fn beside(self, relays: &Self) -> Self {
        Self {
            up_loss: self.up_loss + relays.up_loss,
            down_loss: self.down_loss + relays.down_loss,
            rise_ms: self.rise_ms + relays.rise_ms,
            up_delay_ms: self.up_delay_ms + relays.up_delay_ms,
            down_delay_ms: self.down_delay_ms + relays.down_delay_ms,
            jitter_ms: self.jitter_ms + relays.jitter_ms,
            spread: relays.spread,
            is_found: self.is_found || relays.is_found,
        }
    }
}

/// One way of a participant's link, above what is shared.
#[derive(Clone, Copy, Debug)]
struct Way {
    loss: f64,
    delay: f64,
    jitter: f64,
    /// Of the round trip, unshared.
    rise: f64,
}

impl Way {
    /// Packets wait in a queue.
    fn waits(&self) -> bool {
        self.delay >= DELAY.max(DELAY_PART * self.rise)
    }
}

/// Adds what was wrong with the participant at this place. `heard_jitter_ms`: jitter of the others' speech when it reached the
/// node.
pub(super) fn find(
    place: usize,
    of: &ParticipantMinute,
    shared: &Shared,
    heard_jitter_ms: f64,
    findings: &mut Vec<Finding>,
) {
    let mut add = |side, cause, sentence| findings.push(found(side, cause, Some((place, of)), sentence));
    let is_slow = of.reports > 0 && 2 * of.cpu_limited >= of.reports;
    if is_slow {
        add(Side::Device, Cause::Cpu, sentence::cpu(of));
    }
    if of.stalled > 1 && 2 * of.stalled >= of.samples {
        add(Side::Device, Cause::Microphone, sentence::microphone(of));
    }
    if of.is_cut_off() {
        // What was lost or late meanwhile is no second fault.
        add(Side::SenderUplink, Cause::Interrupted, sentence::interrupted(of));
        return;
    }
    let (up, down) = ways(of, shared, heard_jitter_ms);
    let up_cause = uplink(&up, is_slow);
    match up_cause {
        Some(Cause::Loss) => add(Side::SenderUplink, Cause::Loss, sentence::up_loss(of, up.loss)),
        Some(cause) => add(Side::SenderUplink, cause, sentence::up_delay(of, up.jitter, up.delay, up.loss)),
        None => {}
    }
    let is_explained = shared.is_found || up_cause.is_some();
    match downlink(&down, of.narrow > 1 && 2 * of.narrow >= of.samples, is_explained) {
        Some(Cause::Bandwidth) => add(Side::ReceiverDownlink, Cause::Bandwidth, sentence::narrow(of)),
        Some(Cause::Loss) => add(Side::ReceiverDownlink, Cause::Loss, sentence::down_loss(of, down.loss)),
        Some(cause) => {
            add(Side::ReceiverDownlink, cause, sentence::down_delay(of, down.jitter, down.delay, down.loss));
        }
        None => {}
    }
}

/// Up and down.
fn ways(of: &ParticipantMinute, shared: &Shared, heard_jitter_ms: f64) -> (Way, Way) {
    let above = |value: Option<f64>, shared_value: f64| {
        (value.unwrap_or_default() - shared.spread * shared_value).max(0.0)
    };
    let rise = of.rise_ms.map_or(f64::MAX, |_| above(of.rise_ms, shared.rise_ms));
    let unshared = of.rise_ms.unwrap_or_default();
    let up = Way {
        loss: above(of.up_loss(), shared.up_loss),
        // A clock that jumps looks late as well, and no round trip rises by it.
        delay: above(of.up_delay_ms, shared.up_delay_ms).min(rise),
        jitter: above(of.up_jitter_ms, shared.jitter_ms),
        rise: unshared,
    };
    let down = Way {
        loss: above(of.down_loss(), shared.down_loss),
        delay: above(of.down_delay_ms(), shared.down_delay_ms).min(rise),
        jitter: (above(of.down_jitter_ms, shared.jitter_ms) - heard_jitter_ms).max(0.0),
        rise: unshared,
    };
    (up, down)
}

fn uplink(up: &Way, is_slow: bool) -> Option<Cause> {
    if up.waits() {
        // A full queue drops at its tail too.
        Some(Cause::Delay)
    } else if up.loss >= LOSS {
        Some(Cause::Loss)
    } else {
        // A slow device sends unevenly, and nothing queues for it.
        (up.jitter >= JITTER && !(is_slow && up.rise < DEVICE_RISE)).then_some(Cause::Delay)
    }
}

/// `is_narrow`: the node had to send less than was wanted. `is_explained`: something else is wrong on this
/// participant's path, which makes the node's estimate of the link too low.
fn downlink(down: &Way, is_narrow: bool, is_explained: bool) -> Option<Cause> {
    let has_short_queue = NARROW_DELAY.contains(&down.delay) && down.delay >= DELAY_PART * down.rise;
    if is_narrow && has_short_queue {
        Some(Cause::Bandwidth)
    } else if down.waits() {
        Some(Cause::Delay)
    } else if down.loss >= LOSS {
        Some(Cause::Loss)
    } else if down.jitter >= JITTER {
        Some(Cause::Delay)
    } else {
        (is_narrow && !is_explained).then_some(Cause::Bandwidth)
    }
}
