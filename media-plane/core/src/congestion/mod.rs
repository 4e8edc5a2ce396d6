//! What the link to one receiver takes, by its transport-cc feedback. Pure mechanism: packets' fates and the
//! time go in, an estimate in bits a second of numbered traffic comes out. Own code, nothing ported.
//!
//! # Why it is not GoogCC
//!
//! draft-ietf-rmcat-gcc-02 steers an encoder: its rate follows the estimate within a frame, so the estimate
//! may feel its way up by 8 % a second and cut by 15 % at each overuse. A node that forwards has no encoder.
//! It has a few rungs (layers), each 20-200 % above the one before, and between two of them it sends what it
//! sends: it is *application-limited nearly always*. An estimate that grows by itself would say nothing, and
//! one that is cut by 15 % of a measurement loses a layer that fits by 5 %. So here the estimate is a
//! *measurement of capacity*, which moves on evidence alone, and the steps between rungs are decided beside it
//! (`feedback_path::allocation`), with a memory of what failed.
//!
//! # Evidence
//!
//! - **Queueing delay** (`queue_delay`): how much longer than the least of the last 30 s a packet took. Absolute
//!   delay as in SCReAM (RFC 8298) and NADA (RFC 8698), since what people feel is the length of the queue; its
//!   trend by least squares over 600 ms as in GCC, since a queue that drains is no news. Minima of 50 ms each:
//!   Wi-Fi's jitter and a key frame's own length leave a minimum where it is, and a full queue does not.
//!   The threshold adapts to delay that our own rate does not change (GCC section 5.4), or a flow that fills a
//!   long queue would starve ours.
//! - **Service rate** (`service_rate`): while packets wait in the queue, they come out at the link's rate,
//!   whatever rate they went in with. Measured over a busy period of 80 ms or more, it is the capacity to within
//!   a packet. A key frame on a narrow link therefore tells exactly what the link takes, where GCC takes it
//!   for overuse and cuts.
//! - **Delivered rate** (`delivered_rate`): what arrived in a second is at least what the link takes. Arrival times are
//!   the receiver's word; what they may prove is bounded by what was really sent (`sent_peak`), by our own clock.
//! - **Probes** (`probe`): a cluster of padding sized to the next rung that is wanted. It proves the rate that it
//!   was sent with, or measures the one that it came with.
//! - **Loss** (`loss`): above the link's usual loss by 10 % twice in a row it is a short queue that is full. If as
//!   much is lost after the cut, the link is bad, not full: its loss becomes the usual one and the estimate comes
//!   back. A stretch in which nothing at all arrived is an outage and says nothing of the rate.
//!
//! # Measurements have errors
//!
//! A busy period or a cluster on a narrow link is a few packets, of which one more or less is a tenth. Of a link that
//! was measured before, each further one therefore counts for a part, and a raise leaves 8 % for a minute after something
//! was too much, else 4 % (`raises`).
//!
//! # Start
//!
//! Nothing is known, and a key frame of a lowest layer is as long as a narrow link's whole queue. So packets leave at
//! 250 kbit/s from the first one on, then at twice what was proved, until a packet had to wait or the link was measured.
//!
//! # Somebody else's transfer
//!
//! A TCP flow that follows loss alone keeps the queue full whatever we send, and delay would end at nothing for us. If
//! a queue neither drains nor grows though less was sent twice, within 2.5 s, it is taken for that (`competition`):
//! delay counts no longer, and the rate follows loss events as TCP's would, until the queue is short again, or so much
//! is lost that it is our own doing.
//!
//! # States
//!
//! ```text
//!            overuse, and what is sent exceeds the service rate
//! Steady ───────────────────────────────────────────────────────► Draining
//!   ▲ estimate moves to each proof                                  │ allocation gets 85 % of the estimate
//!   └───────────────────────────────────────────────────────────────┘ the queue is short again, or did not
//!                                                                     follow our rate for 4 s: it is not
//!                                                                     ours, and its delay becomes the base
//! ```
//!
//! Overuse: the standing queue is above the threshold and grows, in two messages in a row, or is 2.5 times the
//! threshold, or 1.5 times of it for 100 ms while what comes out is less than 60 % of what is sent. If what is sent is *below* the service rate (a key frame passes), no layer is given up for
//! 1.5 s, in which the queue drains by what the pacer holds back; if it has not, the estimate goes below that.
//!
//! Loss on a publisher's uplink is in none of this: only what left the node has a number.

pub(crate) mod competition;
pub(crate) mod delivered_rate;
pub(crate) mod estimator;
pub(crate) mod loss;
pub(crate) mod pacer;
pub(crate) mod probe;
pub(crate) mod queue_delay;
pub(crate) mod raises;
pub(crate) mod receiver;
pub(crate) mod sent_peak;
pub(crate) mod service_rate;
