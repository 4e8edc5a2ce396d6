//! One SSRC that a client sends.

use crate::arena::ProducerKey;
use crate::feedback::nack_generator::NackGenerator;
use crate::feedback::reception::Reception;
use crate::feedback::score::StreamScore;
use crate::feedback::traffic::Traffic;
use crate::packet::rtcp::ReportBlock;
use crate::srtp::InboundStream;
use railgun_protocol::rtp_parameters::MediaKind;
use std::time::Instant;

/// One SSRC that the client sends.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    pub(crate) producer: ProducerKey,
    /// Index of its encoding in the producer.
    pub(crate) encoding: u8,
    /// Retransmissions of that encoding, not the encoding itself.
    pub(crate) is_rtx: bool,
    pub(crate) srtp: InboundStream,
    pub(crate) reception: Reception,
    pub(crate) score: StreamScore,
    /// Payloads of what came the first time.
    pub(crate) received: Traffic,
    /// Ours.
    pub(crate) last_report: Option<ReportBlock>,
    /// Packets asked for again, each time counted, and those that came by retransmission.
    pub(crate) nacked: u64,
    pub(crate) repaired: u64,
    clock_rate: u32,
    /// None if nothing is asked for again.
    pub(crate) nacks: Option<NackGenerator>,
}

impl Stream {
    pub(crate) fn new(ssrc: u32, binding: StreamBinding, srtp: InboundStream) -> Self {
        let generator = if binding.is_video { NackGenerator::video } else { NackGenerator::audio };
        let kind = if binding.is_video { MediaKind::Video } else { MediaKind::Audio };
        let asks = binding.answers_nacks && !binding.is_rtx;
        Self {
            ssrc,
            producer: binding.producer,
            encoding: binding.encoding,
            is_rtx: binding.is_rtx,
            srtp,
            reception: Reception::default(),
            score: StreamScore::new(kind, !binding.is_video),
            received: Traffic::default(),
            last_report: None,
            nacked: 0,
            repaired: 0,
            clock_rate: 0,
            nacks: asks.then(generator),
        }
    }
}

impl Stream {
    /// An authentic packet of the stream came then. `is_answer`: it was lost, and asked for; reports tell what the path
    /// loses, by which encoders add error correction.
    #[inline]
    pub(crate) fn on_packet(
        &mut self,
        index: u64,
        timestamp: u32,
        clock_rate: u32,
        arrived: Instant,
        is_answer: bool,
    ) {
        self.clock_rate = clock_rate;
        self.score.on_packet(arrived);
        if is_answer {
            self.repaired += 1;
        } else {
            self.reception.on_packet(index, timestamp, clock_rate, arrived);
        }
    }

    /// The block for the next receiver report, which also moves the score.
    pub(crate) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let block = self.reception.report(self.ssrc, now)?;
        self.score.on_report(&block, self.clock_rate);
        self.last_report = Some(block);
        Some(block)
    }

    /// In Hz, as its payload type says; 0 before the first packet.
    pub(crate) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }
}

/// Which of a producer's encodings an SSRC carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamBinding {
    pub(crate) producer: ProducerKey,
    pub(crate) encoding: u8,
    pub(crate) is_rtx: bool,
    pub(crate) is_video: bool,
    pub(crate) answers_nacks: bool,
}
