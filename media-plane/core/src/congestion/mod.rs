//! What the link to one receiver takes, by its transport-cc or RFC 8888 feedback. Pure mechanism: packets' fates and the
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
//!   was sent with, or measures the one that it came with. Once one was held up, the next ones are a fifth above what it
//!   measured, whatever is wanted, until one comes whole: a cluster of twice the link's rate each 3 s is a queue of 100 ms
//!   each 3 s, in which CoDel drops pictures.
//! - **Loss** (`loss`): above the link's usual loss by 10 % twice in a row it is a short queue that is full. If as
//!   much is lost after the cut, the link is bad, not full: its loss becomes the usual one and the estimate comes
//!   back. A stretch in which nothing at all arrived is an outage and says nothing of the rate.
//!
//! # Stalls
//!
//! A Wi-Fi station that looks for other channels or saves power, and a phone between two cells, get nothing for 100 to 400 ms and
//! then all of it at once. Who takes that for a queue cuts to the rate at which packets came meanwhile, which is next to
//! nothing; and a probe that was held back comes as fast as it left, whatever the link takes. So packets that came at once
//! after such a gap, in which they waited (`stall`), count as delivered and for nothing else, a probe with one of them is
//! sent again, and overuse is judged once the queue was seen for 150 ms after it. Simulated with 300 kbit/s and stalls of
//! 400 ms each 2 s, one call in four lost 14 to 33 % of its speech before that, since its own queue was taken for somebody
//! else's; none does now.
//!
//! # Measurements have errors
//!
//! A busy period or a cluster on a narrow link is a few packets, of which one more or less is a tenth. Of a link that
//! was measured before, each further one therefore counts for a part, and a raise leaves 8 % for a minute after something
//! was too much, else 4 % (`raises`).
//!
//! # Start
//!
//! Nothing is known of the link. A key frame of the lowest layer can fill a narrow link's whole queue, in which speech waits too.
//! So four packets of a camera with several layers leave at once, and the others at 150 kbit/s until the first report. It
//! tells how long the four waited: not at all, then the rest leaves at 1 Mbit/s; long, then at less than what came out, so
//! that speech finds room. No higher spatial layer is sent before that report, and nothing is probed before what was sent
//! until then is reported on. Then packets leave at twice what was proved, until one had to wait or the link was measured.
//! Most links take far more: until one is held up, each probe is of three times what is known, later ones of twice that.
//!
//! # Somebody else's transfer
//!
//! A TCP flow that follows loss alone keeps a drop-tail queue full whatever we send. Delay then says nothing of our own
//! rate, and obeying it ends at nothing: each cut lowers our part of the link, which is what is measured next. GCC
//! (section 5.4) lets its threshold follow the delay; that keeps a flow alive behind a short queue and starves it behind
//! one of a second. Here it is a state of its own (`competition`), entered on evidence and left on evidence.
//!
//! A queue of our own drains when less is sent: alone in it, packets come out at the link's rate whatever we send, so
//! that what is sent below it is what it gets shorter by. Between two flows our packets come out in proportion to what
//! we send, and it stays. So a cut is an experiment, whose result is known once feedback speaks of packets that were
//! sent after it; no second cut comes before that, and none takes more than 40 %.
//!
//! It begins, if what was sent in the last second is at most 75 % of what the first cut measured, with one of:
//!
//! - after 2 cuts and 2.5 s, the queue's trend stayed within 0.08 for 20 messages;
//! - after 2 cuts and 2.5 s, the queue is no shorter than 70 % of what it was at the second one 1.5 s before;
//! - after 4 s, it is no shorter than 90 % of what it was at the cut, is above 50 ms, and swung by more than 20 ms; one
//!   that does not swing is a path that became longer.
//!
//! And without a cut, if the first packets after 1.2 s in which nothing was sent all waited 30 ms: that queue cannot be
//! ours. Then the rate begins as a call does, since what was measured before was our part of the link.
//!
//! It ends with one of:
//!
//! - the queue was short for 2 s, or nothing was sent for 1.2 s: the other one is gone (to Steady);
//! - the queue grew by more than 0.12 for 24 messages: the link became slower;
//! - what comes out stayed within 6 % for 6 s while our rate moved by a quarter: we are alone in the queue, whose output
//!   is what the link takes. For 15 s a queue is nobody else's then, as after the next one;
//! - a fifth is lost for 5 s though the rate follows.
//!
//! The rate begins with half of what the first cut measured, or of what was sent before it if that is more: a transfer that
//! begins fills the queue within a second, and what is measured then is what it leaves, not what is fair.
//!
//! While competing, the rate is the mean over 2 s of twice what CUBIC (RFC 9438) would have (`window`): the competitor's own
//! function of time and loss events, since an equation of the loss rate (RFC 5348) takes minutes to see one event in
//! hundreds of ten packets a second. It grows to 2.5 times what is sent at most (RFC 7661). Layers stay until the rate
//! is below 85 % of what they take, since a window swings by 30 %; nothing is probed, as the window is the probe. The rate is
//! doubled, since packets that no acknowledgement clocks find the queue full more often: with CUBIC's own rate a call had 0.4
//! to 0.9 of its fair share, with twice that 0.5 to 1.2.
//!
//! # Marks
//!
//! With `EngineConfig::l4s`, datagrams to a receiver that reports ECN marks (RFC 8888) are sent as ECT(1) for as long as
//! the marks get there (`ecn_validation`), and go through the low-latency queue of a link that has one (RFC 9332). Its
//! delay says nothing of others, who wait in the classic queue; marks do. While they come and the queue is short, the
//! estimate is what they leave (`marks`): layers are kept and probing rests as beside a transfer. A queue that stands
//! is still answered as on any link, since not every queue marks.
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
pub(crate) mod ecn_validation;
pub(crate) mod estimator;
pub(crate) mod loss;
pub(crate) mod marks;
pub(crate) mod pacer;
pub(crate) mod probe;
pub(crate) mod queue_delay;
pub(crate) mod raises;
pub(crate) mod rate_mean;
pub(crate) mod receiver;
pub(crate) mod sent_peak;
pub(crate) mod service_rate;
pub(crate) mod stall;
pub(crate) mod window;
