//! The picture ids and running indexes that one consumer sees (RFC 7741 section 4.2).
//!
//! A stretch is what is forwarded from one source without interruption; it begins with a key frame.
//! Within a stretch a frame keeps its distance to the others, less the frames that were left out on
//! purpose, so a frame that is only late or retransmitted still finds its own id free. Over a change
//! of source or a pause the numbers go on by one.

use super::{Descriptor, KEY_IDX, Octet, PictureId};

/// How far behind the newest frame another may be, in frames; older ones are refused.
const WINDOW: u16 = 128;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vp8Rewriter {
    stretch: Option<Stretch>,
    /// The newest forwarded frame's id, of 16 bits, of which the form in use shows the lower ones.
    picture_id: Option<u16>,
    tl0_pic_idx: RunningIndex,
    key_idx: RunningIndex,
}

impl Vp8Rewriter {
    /// The source changes or forwarding pauses: the next packet mapped begins a new stretch. Late
    /// packets of the old source must not be mapped any more.
    pub(crate) fn interrupt(&mut self) {
        self.stretch = None;
        self.tl0_pic_idx.offset = None;
        self.key_idx.offset = None;
    }

    /// The frame of this packet is not forwarded, its temporal layer not being wanted: it shall leave
    /// no gap. To be called for any of its packets.
    ///
    /// A frame that comes later than one forwarded after it has its id already, and leaves a gap.
    pub(crate) fn drop_frame(&mut self, descriptor: &Descriptor) {
        let (Some(stretch), Some(id)) = (&mut self.stretch, descriptor.picture_id) else { return };
        if let Some(place) = stretch.place(id) {
            stretch.drop_frame(place);
        }
    }

    /// What this consumer gets in place of the source's values. None if the frame is from before the
    /// stretch, too old, or dropped: the packet must not be forwarded.
    pub(crate) fn map(&mut self, descriptor: &Descriptor) -> Option<Patch> {
        let mut patch = Patch { picture_id: None, tl0_pic_idx: None, key_idx: None };
        let mut newest = None;
        if let Some(id) = descriptor.picture_id {
            let jumped = |stretch: &Stretch| stretch.distance(id).unsigned_abs() >= WINDOW;
            if descriptor.starts_key_frame && self.stretch.as_ref().is_some_and(jumped) {
                // The source began to count anew.
                self.interrupt();
            }
            let next = self.picture_id.map_or(id.value, |last| last.wrapping_add(1));
            let stretch = self.stretch.get_or_insert_with(|| Stretch::new(id.value, next));
            let place = stretch.place(id)?;
            let value = stretch.output(place)?;
            if place >= stretch.forwarded {
                stretch.forwarded = place;
                self.picture_id = Some(value);
            }
            newest = Some(place == stretch.forwarded);
            patch.picture_id = Some(PictureId { value, ..id });
        }
        if let Some(source) = descriptor.tl0_pic_idx {
            let counted = descriptor.layer.is_none_or(|layer| layer.id == 0);
            patch.tl0_pic_idx = Some(self.tl0_pic_idx.map(source, 0xff, counted, newest));
        }
        if let Some(source) = descriptor.key_idx {
            let counted = descriptor.starts_key_frame;
            patch.key_idx = Some(self.key_idx.map(source, KEY_IDX, counted, newest));
        }
        Some(patch)
    }
}

/// Frames by their place in the stretch: 0 is its first, and each picture id of the source is one
/// place.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// The id that place 0 became.
    first: u16,
    /// The newest frame seen, and the source's id for it.
    newest: u64,
    newest_id: u16,
    /// The newest frame forwarded.
    forwarded: u64,
    /// Frames dropped since place 0.
    dropped: u64,
    /// Bit `n`: the frame at `newest - n` was dropped.
    recently_dropped: u128,
}

impl Stretch {
    fn new(source: u16, first: u16) -> Self {
        Self { first, newest: 0, newest_id: source, forwarded: 0, dropped: 0, recently_dropped: 0 }
    }

    /// Frames from the newest one to this, in the range of the source's own id form.
    fn distance(&self, id: PictureId) -> i16 {
        let unused = if id.wide { 1 } else { 9 };
        (id.value.wrapping_sub(self.newest_id) << unused).cast_signed() >> unused
    }

    /// None if it is from before the stretch or too old.
    fn place(&mut self, id: PictureId) -> Option<u64> {
        let distance = self.distance(id);
        let place = self.newest.checked_add_signed(i64::from(distance))?;
        if distance > 0 {
            if self.recently_dropped != 0 {
                let ahead = u32::from(distance.unsigned_abs());
                self.recently_dropped = self.recently_dropped.checked_shl(ahead).unwrap_or(0);
            }
            self.newest = place;
            self.newest_id = self.newest_id.wrapping_add_signed(distance);
        }
        (distance.unsigned_abs() < WINDOW || distance > 0).then_some(place)
    }

    /// The bit of a place that [`Self::place`] gave.
    fn bit(&self, place: u64) -> u128 {
        let age = u32::try_from(self.newest.saturating_sub(place)).unwrap_or(u32::MAX);
        1u128.checked_shl(age).unwrap_or(0)
    }

    fn drop_frame(&mut self, place: u64) {
        let bit = self.bit(place);
        // Ids above it are given out once a later frame was forwarded: it cannot be taken out.
        if place > self.forwarded && self.recently_dropped & bit == 0 {
            self.recently_dropped |= bit;
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The consumer's id for the frame; none if it was dropped.
    #[inline]
    fn output(&self, place: u64) -> Option<u16> {
        if self.dropped == 0 {
            return Some(self.first.wrapping_add(low_bits(place)));
        }
        let bit = self.bit(place);
        if self.recently_dropped & bit != 0 {
            return None;
        }
        let dropped_later = self.recently_dropped & bit.saturating_sub(1);
        let dropped = self.dropped.saturating_sub(u64::from(dropped_later.count_ones()));
        Some(self.first.wrapping_add(low_bits(place.saturating_sub(dropped))))
    }
}

fn low_bits(place: u64) -> u16 {
    let [.., high, low] = place.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// An index that runs with some frames only, none of which are ever dropped on purpose: within a
/// stretch it is the source's, shifted.
#[derive(Clone, Copy, Debug, Default)]
struct RunningIndex {
    /// None before the stretch's first packet.
    offset: Option<u8>,
    /// The newest frame's.
    last: Option<u8>,
}

impl RunningIndex {
    /// `mask`: the index's bits. `counted`: the index runs with this frame. `newest`: no later frame
    /// was forwarded, if picture ids tell.
    fn map(&mut self, source: Octet, mask: u8, counted: bool, newest: Option<bool>) -> Octet {
        let offset = *self.offset.get_or_insert_with(|| match self.last {
            Some(last) => last.wrapping_add(u8::from(counted)).wrapping_sub(source.value),
            None => 0,
        });
        let value = source.value.wrapping_add(offset) & mask;
        let ahead = |last: u8| value.wrapping_sub(last) & mask <= mask / 2;
        if newest.unwrap_or_else(|| self.last.is_none_or(ahead)) {
            self.last = Some(value);
        }
        Octet { value, ..source }
    }
}

/// One consumer's values for one packet, of the same length as the source's, so that they are set
/// in place. Whoever next sends the shared payload sets its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    picture_id: Option<PictureId>,
    tl0_pic_idx: Option<Octet>,
    key_idx: Option<Octet>,
}

impl Patch {
    /// `payload`: the one whose descriptor was mapped.
    pub(crate) fn apply(&self, payload: &mut [u8]) {
        if let Some(id) = self.picture_id {
            let [high, low] = id.value.to_be_bytes();
            if id.wide {
                set(payload, id.at, 0xff, 0x80 | high);
                set(payload, id.at.saturating_add(1), 0xff, low);
            } else {
                set(payload, id.at, 0xff, low & 0x7f);
            }
        }
        if let Some(index) = self.tl0_pic_idx {
            set(payload, index.at, 0xff, index.value);
        }
        if let Some(index) = self.key_idx {
            set(payload, index.at, KEY_IDX, index.value);
        }
    }
}

/// Most consumers see the same values, and a byte that was just written delays the vector reads of
/// the encryption that follows.
fn set(payload: &mut [u8], at: u8, mask: u8, value: u8) {
    if let Some(octet) = payload.get_mut(usize::from(at))
        && (*octet ^ value) & mask != 0
    {
        *octet = *octet & !mask | value & mask;
    }
}

#[cfg(test)]
mod tests;
