//! What the packet path and the feedback path work on. Rooms are not among it: packets and feedback need
//! to know who is connected to whom, and not who may be.

use super::consumer::Consumer;
use super::packet::RtpPacket;
use super::policer::Policer;
use super::producer::Producer;
use crate::arena::{Arena, ConsumerKey, PolicerKey, ProducerKey};
use crate::clock::Clock;
use crate::feedback::layer_request::LayerRequest;
use crate::output::Output;
use crate::transport::table::TransportTable;

pub(crate) struct MediaTables {
    pub(crate) transports: TransportTable,
    pub(crate) producers: Arena<ProducerKey, Producer>,
    pub(crate) consumers: Arena<ConsumerKey, Consumer>,
    /// Policer of each user of a room.
    pub(crate) policers: Arena<PolicerKey, Policer>,
    /// Packets of the burst that is being handled, in the order in which they arrived.
    pub(crate) burst: Vec<RtpPacket>,
    /// Reused for each receiver's link.
    pub(crate) layer_requests: Vec<LayerRequest>,
    pub(crate) clock: Clock,
    /// Publishers of microphones are told what their receivers lose.
    pub(crate) speech_fec: bool,
    /// Receivers that report ECN marks are sent ECT(1).
    pub(crate) l4s: bool,
    pub(crate) output: Output,
}

impl MediaTables {
    pub(crate) fn new(
        transports: TransportTable,
        clock: Clock,
        output: Output,
        (speech_fec, l4s): (bool, bool),
    ) -> Self {
        Self {
            transports,
            producers: Arena::new(),
            consumers: Arena::new(),
            policers: Arena::new(),
            burst: Vec::new(),
            layer_requests: Vec::new(),
            clock,
            speech_fec,
            l4s,
            output,
        }
    }
}
