//! SSRCs that a transport took packets of and that nothing is bound to any more: where each ended, so
//! that under the same key no packet of theirs is ever taken again (RFC 3711 section 3.3.2).

use crate::srtp::InboundStream;

/// SSRCs that a transport takes in its life: for each of its MIDs three layers, each with its
/// retransmissions. One more is refused; none is forgotten.
pub(crate) const SSRCS_MAX: usize = 1_536;

/// By SSRC, the highest index that was taken.
#[derive(Debug, Default)]
pub(crate) struct PastStreams {
    /// In the order of the SSRCs.
    entries: Vec<(u32, u64)>,
}

impl PastStreams {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is to be known of an SSRC when something is bound to it.
    pub(crate) fn resume(&self, ssrc: u32) -> InboundStream {
        match self.place(ssrc) {
            Ok(place) => {
                self.entries.get(place).map(|(_, highest)| InboundStream::after(*highest)).unwrap_or_default()
            }
            Err(_) => InboundStream::default(),
        }
    }

    /// Nothing is bound to it any more.
    pub(crate) fn put(&mut self, ssrc: u32, stream: &InboundStream) {
        let Some(highest) = stream.highest_index() else { return };
        match self.place(ssrc) {
            Ok(place) => {
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.1 = highest;
                }
            }
            Err(place) => self.entries.insert(place, (ssrc, highest)),
        }
    }

    fn place(&self, ssrc: u32) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&ssrc, |(other, _)| *other)
    }
}
