//! The writer of transport-wide congestion control feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

use super::super::{WriteError, Writer};
use super::transport_cc::{LARGE_DELTA, MAX_STATUSES, NOT_RECEIVED, SMALL_DELTA};
use super::wire::{FORMAT_TRANSPORT_CC, TRANSPORT_FEEDBACK};
use super::write::{finish, start};

/// Most statuses a run-length chunk speaks of: 13 bits.
const RUN_MAX: u16 = 0x1fff;
/// Statuses of a vector chunk with two bits for each, and with one.
const TWO_BIT_LEN: usize = 7;
const ONE_BIT_LEN: usize = 14;
/// Where a message has its status count.
const COUNT_AT: usize = 14;

/// A feedback message without its statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportCcInfo {
    /// Who reports.
    pub sender_ssrc: u32,
    /// SSRC of any one stream that was sent; the transport-wide numbers count over all of them.
    pub media_ssrc: u32,
    /// Transport-wide sequence number of the first status.
    pub base_sequence: u16,
    /// What the first delta is added to, in 64 ms; its low 24 bits are sent.
    pub reference_time: i32,
    /// Rises by one with each message, modulo 256: a gap is a lost report.
    pub feedback_count: u8,
}

/// A feedback message with one status for each packet from the base on, 1 to [`MAX_STATUSES`]:
/// none if it did not arrive, else the time since the one before in 250 us.
pub fn write_transport_cc(
    out: &mut [u8],
    info: &TransportCcInfo,
    statuses: impl Iterator<Item = Option<i16>> + Clone,
) -> Result<usize, WriteError> {
    let mut writer = start(out, TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC)?;
    writer.put_u32(info.sender_ssrc)?;
    writer.put_u32(info.media_ssrc)?;
    writer.put_u16(info.base_sequence)?;
    writer.put_u16(0)?;
    let [_, r0, r1, r2] = info.reference_time.to_be_bytes();
    writer.put(&[r0, r1, r2, info.feedback_count])?;
    let count = write_chunks(&mut writer, statuses.clone())?;
    writer.patch_u16(COUNT_AT, count)?;
    for delta in statuses.flatten() {
        match u8::try_from(delta) {
            Ok(small) => writer.put(&[small])?,
            Err(_) => writer.put(&delta.to_be_bytes())?,
        }
    }
    // Zeros without the padding bit, as the draft draws it: the status count says where deltas end.
    writer.pad_to_word()?;
    finish(writer)
}

fn write_chunks(
    writer: &mut Writer<'_>,
    statuses: impl Iterator<Item = Option<i16>>,
) -> Result<u16, WriteError> {
    let mut packer = ChunkPacker::default();
    let mut count = 0;
    for status in statuses {
        if count == MAX_STATUSES {
            return Err(WriteError::TooManyElements);
        }
        count += 1;
        if let Some(chunk) = packer.push(status) {
            writer.put_u16(chunk)?;
        }
    }
    writer.put_u16(packer.finish().ok_or(WriteError::NoElements)?)?;
    Ok(count)
}

/// Packs statuses into chunks: runs as long as they last, else vectors, of one bit a status while
/// no delta is large. Every chunk but the last holds at least seven.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChunkPacker {
    /// The first of those that wait; the others, if there are more, are equal to them.
    symbols: [u8; ONE_BIT_LEN],
    /// How many wait.
    len: u16,
    /// Not all that wait are equal.
    is_mixed: bool,
    has_large: bool,
}

impl ChunkPacker {
    /// Takes a status, as [`write_transport_cc`] does; returns a chunk when one is full.
    pub(crate) fn push(&mut self, status: Option<i16>) -> Option<u16> {
        let symbol = match status {
            None => NOT_RECEIVED,
            Some(0..=255) => SMALL_DELTA,
            Some(_) => LARGE_DELTA,
        };
        let full = (!self.takes(symbol)).then(|| self.pack());
        self.append(symbol);
        full
    }

    /// The chunk of what still waits.
    pub(crate) fn finish(mut self) -> Option<u16> {
        match usize::from(self.len) {
            0 => None,
            8..=ONE_BIT_LEN if self.is_mixed && !self.has_large => Some(self.one_bit_vector()),
            _ => Some(self.pack()),
        }
    }

    fn append(&mut self, symbol: u8) {
        self.is_mixed |= self.len > 0 && symbol != self.symbols[0];
        self.has_large |= symbol == LARGE_DELTA;
        if let Some(place) = self.symbols.get_mut(usize::from(self.len)) {
            *place = symbol;
        }
        self.len += 1;
    }

    fn takes(&self, symbol: u8) -> bool {
        match usize::from(self.len) {
            0..TWO_BIT_LEN => true,
            TWO_BIT_LEN..ONE_BIT_LEN if !self.has_large && symbol != LARGE_DELTA => true,
            _ => !self.is_mixed && self.len < RUN_MAX && symbol == self.symbols[0],
        }
    }

    /// Makes a chunk of the first that wait; at most six are left.
    fn pack(&mut self) -> u16 {
        if !self.is_mixed {
            let run = u16::from(self.symbols[0]) << 13 | self.len;
            *self = Self::default();
            return run;
        }
        if usize::from(self.len) == ONE_BIT_LEN {
            let vector = self.one_bit_vector();
            *self = Self::default();
            return vector;
        }
        let waiting = *self;
        *self = Self::default();
        let (first, rest) = waiting.waiting().split_at(waiting.waiting().len().min(TWO_BIT_LEN));
        rest.iter().for_each(|symbol| self.append(*symbol));
        let places = (0..TWO_BIT_LEN).rev();
        first
            .iter()
            .zip(places)
            .fold(0xc000, |word, (symbol, place)| word | u16::from(*symbol) << (2 * place))
    }

    fn one_bit_vector(&self) -> u16 {
        let places = (0..ONE_BIT_LEN).rev();
        self.waiting()
            .iter()
            .zip(places)
            .fold(0x8000, |word, (symbol, place)| word | u16::from(*symbol) << place)
    }

    fn waiting(&self) -> &[u8] {
        self.symbols.get(..usize::from(self.len)).unwrap_or(&self.symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpPacket, parse_compound};
    use super::*;
    use proptest::prelude::*;

    const INFO: TransportCcInfo = TransportCcInfo {
        sender_ssrc: 1,
        media_ssrc: 2,
        base_sequence: 65_530,
        reference_time: -5,
        feedback_count: 200,
    };

    fn chunks(statuses: &[Option<i16>]) -> Vec<u16> {
        let mut packer = ChunkPacker::default();
        let mut chunks: Vec<_> = statuses.iter().filter_map(|status| packer.push(*status)).collect();
        chunks.extend(packer.finish());
        chunks
    }

    #[test]
    fn runs_and_vectors_are_chosen_by_what_waits() {
        let (lost, small, large) = (None, Some(3), Some(-1));
        assert_eq!(chunks(&[small; 100]), [0x2000 | 100]);
        assert_eq!(chunks(&[lost; 8192]), [0x1fff, 0x0001]);
        assert_eq!(chunks(&[large; 9]), [0x4000 | 9]);
        assert_eq!(chunks(&[small, lost, small]), [0b11_01_00_01_00_00_00_00]);
        assert_eq!(chunks(&[small, lost].repeat(7)), [0b10_10101010101010]);
        assert_eq!(chunks(&[small, lost].repeat(4)), [0b10_10101010000000]);
        let late_large = [small, lost, small, lost, small, lost, small, lost, large];
        assert_eq!(chunks(&late_large), [0b11_01_00_01_00_01_00_01, 0b11_00_10_00_00_00_00_00]);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut out = [0; 200];
        let none = std::iter::empty::<Option<i16>>();
        assert_eq!(write_transport_cc(&mut out, &INFO, none), Err(WriteError::NoElements));
        let many = std::iter::repeat_n(None, usize::from(MAX_STATUSES) + 1);
        assert_eq!(write_transport_cc(&mut out, &INFO, many), Err(WriteError::TooManyElements));
        let statuses = [Some(1), None, Some(300), Some(-1)].into_iter();
        let len = write_transport_cc(&mut out, &INFO, statuses.clone()).unwrap();
        for room in 0..len {
            assert_eq!(
                write_transport_cc(&mut out[..room], &INFO, statuses.clone()),
                Err(WriteError::NoRoom)
            );
        }
    }

    fn status() -> impl Strategy<Value = Vec<Option<i16>>> {
        let one = prop_oneof![Just(None), (0_i16..256).prop_map(Some), any::<i16>().prop_map(Some)];
        (one, prop_oneof![4 => 1_usize..4, 1 => 1_usize..200]).prop_map(|(status, times)| vec![status; times])
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(statuses in proptest::collection::vec(status(), 1..40)) {
            let statuses = statuses.concat();
            let mut out = vec![0xff; 20_000];
            let len = write_transport_cc(&mut out, &INFO, statuses.iter().copied()).unwrap();
            // Longer than a datagram is not read at all, and never written by the recorder.
            prop_assume!(len <= 1500);
            let Some(RtcpPacket::TransportCc(read)) = parse_compound(&out[..len]).unwrap().next() else {
                panic!("transport-cc")
            };
            prop_assert_eq!((read.sender_ssrc, read.media_ssrc), (1, 2));
            prop_assert_eq!((read.reference_time, read.feedback_count), (-5, 200));
            prop_assert_eq!(usize::from(read.status_count), statuses.len());
            let received = (0_u16..).zip(&statuses).filter_map(|(offset, status)| {
                Some((INFO.base_sequence.wrapping_add(offset), (*status)?))
            });
            prop_assert!(read.received().eq(received));
        }
    }
}
