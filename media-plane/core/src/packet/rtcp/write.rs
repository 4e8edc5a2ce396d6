//! Writers of sub-packets. Each writes one to the start of `out` and returns its length in bytes;
//! call them one after the other to make a compound packet.

use super::super::{WriteError, Writer};
use super::feedback::{FirEntry, Pli};
use super::report::{ReportBlock, SenderInfo};
use super::wire::*;

const MAX_COUNT: usize = 31;

/// A sender report with up to 31 report blocks (RFC 3550 section 6.4.1).
pub fn write_sender_report(
    out: &mut [u8],
    info: &SenderInfo,
    blocks: &[ReportBlock],
) -> Result<usize, WriteError> {
    let mut writer = start(out, SENDER_REPORT, count_of(blocks)?)?;
    writer.put_u32(info.ssrc)?;
    writer.put(&info.ntp.to_be_bytes())?;
    writer.put_u32(info.rtp_time)?;
    writer.put_u32(info.packets)?;
    writer.put_u32(info.octets)?;
    for block in blocks {
        writer.put(&block.bytes())?;
    }
    finish(writer)
}

/// A receiver report with up to 31 report blocks (RFC 3550 section 6.4.2).
pub fn write_receiver_report(out: &mut [u8], ssrc: u32, blocks: &[ReportBlock]) -> Result<usize, WriteError> {
    let mut writer = start(out, RECEIVER_REPORT, count_of(blocks)?)?;
    writer.put_u32(ssrc)?;
    for block in blocks {
        writer.put(&block.bytes())?;
    }
    finish(writer)
}

/// A source description with one CNAME of up to 255 bytes (RFC 3550 section 6.5.1).
pub fn write_sdes_cname(out: &mut [u8], ssrc: u32, cname: &[u8]) -> Result<usize, WriteError> {
    let len = u8::try_from(cname.len()).map_err(|_| WriteError::ElementTooLong)?;
    let mut writer = start(out, SDES, 1)?;
    writer.put_u32(ssrc)?;
    writer.put(&[1, len])?;
    writer.put(cname)?;
    // The zero that ends the item list; padding may be all of it.
    writer.put(&[0])?;
    writer.pad_to_word()?;
    finish(writer)
}

/// A BYE for 1 to 31 sources (RFC 3550 section 6.6).
pub fn write_bye(out: &mut [u8], ssrcs: &[u32]) -> Result<usize, WriteError> {
    let count = count_of(ssrcs)?;
    if count == 0 {
        return Err(WriteError::NoElements);
    }
    let mut writer = start(out, BYE, count)?;
    for ssrc in ssrcs {
        writer.put_u32(*ssrc)?;
    }
    finish(writer)
}

/// A generic NACK (RFC 4585 section 6.2.1). `lost`: ascending, as sequence numbers go around.
pub fn write_nack(
    out: &mut [u8],
    sender_ssrc: u32,
    media_ssrc: u32,
    lost: &[u16],
) -> Result<usize, WriteError> {
    let mut writer = start(out, TRANSPORT_FEEDBACK, FORMAT_NACK)?;
    writer.put_u32(sender_ssrc)?;
    writer.put_u32(media_ssrc)?;
    let (&first, rest) = lost.split_first().ok_or(WriteError::NoElements)?;
    let (mut pid, mut blp) = (first, 0_u16);
    for &sequence in rest {
        match sequence.wrapping_sub(pid) {
            0 => {}
            distance @ 1..=16 => blp |= 1 << (distance - 1),
            _ => {
                writer.put_u16(pid)?;
                writer.put_u16(blp)?;
                (pid, blp) = (sequence, 0);
            }
        }
    }
    writer.put_u16(pid)?;
    writer.put_u16(blp)?;
    finish(writer)
}

/// A picture loss indication (RFC 4585 section 6.3.1).
pub fn write_pli(out: &mut [u8], pli: Pli) -> Result<usize, WriteError> {
    let mut writer = start(out, PAYLOAD_FEEDBACK, FORMAT_PLI)?;
    writer.put_u32(pli.sender_ssrc)?;
    writer.put_u32(pli.media_ssrc)?;
    finish(writer)
}

/// A full intra request with at least one entry (RFC 5104 section 4.3.1).
pub fn write_fir(out: &mut [u8], sender_ssrc: u32, entries: &[FirEntry]) -> Result<usize, WriteError> {
    if entries.is_empty() {
        return Err(WriteError::NoElements);
    }
    let mut writer = start(out, PAYLOAD_FEEDBACK, FORMAT_FIR)?;
    writer.put_u32(sender_ssrc)?;
    writer.put_u32(0)?;
    for entry in entries {
        writer.put_u32(entry.ssrc)?;
        writer.put(&[entry.sequence, 0, 0, 0])?;
    }
    finish(writer)
}

/// A receiver's estimate of what all these sources, at most 255, may send together, in bit/s rounded
/// down to 18 significant bits (draft-alvestrand-rmcat-remb-03).
pub fn write_remb(
    out: &mut [u8],
    sender_ssrc: u32,
    bitrate: u64,
    ssrcs: &[u32],
) -> Result<usize, WriteError> {
    let count = u8::try_from(ssrcs.len()).map_err(|_| WriteError::TooManyElements)?;
    let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(18);
    let mantissa = u32::try_from(bitrate >> exponent).unwrap_or(u32::MAX);
    let mut writer = start(out, PAYLOAD_FEEDBACK, FORMAT_APPLICATION)?;
    writer.put_u32(sender_ssrc)?;
    writer.put_u32(0)?;
    writer.put(b"REMB")?;
    writer.put_u32(u32::from(count) << 24 | exponent << 18 | mantissa)?;
    for ssrc in ssrcs {
        writer.put_u32(*ssrc)?;
    }
    finish(writer)
}

fn count_of<T>(elements: &[T]) -> Result<u8, WriteError> {
    match u8::try_from(elements.len()) {
        Ok(count) if elements.len() <= MAX_COUNT => Ok(count),
        _ => Err(WriteError::TooManyElements),
    }
}

pub(super) fn start(out: &mut [u8], packet_type: u8, count: u8) -> Result<Writer<'_>, WriteError> {
    let mut writer = Writer::new(out);
    writer.put(&[0x80 | count, packet_type, 0, 0])?;
    Ok(writer)
}

/// Fills in the length: words after the first.
pub(super) fn finish(mut writer: Writer<'_>) -> Result<usize, WriteError> {
    let words = u16::try_from(writer.len() / 4 - 1).map_err(|_| WriteError::TooManyElements)?;
    writer.patch_u16(2, words)?;
    Ok(writer.len())
}
