//! What a receiver asks for: packets that it lost, key frames, and the rate that it takes.

use crate::told::broken;
use railgun_media_core::packet::rtcp::{FirEntry, Pli, write_fir, write_nack, write_pli, write_remb};
use std::collections::{BTreeMap, BTreeSet};

/// A larger step of sequence numbers is a stream that began anew.
const GAP_MAX: u16 = 100;
/// NACKs that name a packet.
const TRIES: u8 = 3;

/// Of one transport.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// By a stream's SSRC, that of its retransmissions.
    rtx: BTreeMap<u32, u32>,
    /// By SSRC: the newest sequence number, and those that did not come, with how often each was asked for.
    gaps: BTreeMap<u32, (u16, BTreeMap<u16, u8>)>,
    /// By SSRC and sequence number, NACKs that were not answered.
    asked: BTreeMap<(u32, u16), u32>,
    round: u32,
}

impl Asking {
    /// Asks for lost packets of the stream `ssrc`, whose retransmissions come under the SSRC `rtx`.
    pub(super) fn add(&mut self, ssrc: u32, rtx: u32) {
        self.rtx.insert(ssrc, rtx);
    }

    /// A packet came; of a retransmission, the stream that it belongs to. `payload` begins with the original's
    /// sequence number then (RFC 4588, 4).
    pub(super) fn on_packet(&mut self, ssrc: u32, sequence: u16, payload: &[u8]) -> Option<u32> {
        if let Some(of) = self.rtx.iter().find(|(_, rtx)| **rtx == ssrc).map(|(of, _)| *of) {
            // Nothing behind the number: a probe.
            if let Some((original, [_, ..])) = payload.split_first_chunk() {
                self.on_answer(of, u16::from_be_bytes(*original));
            }
            return Some(of);
        }
        let (highest, missing) = self.gaps.entry(ssrc).or_insert_with(|| (sequence, BTreeMap::new()));
        match sequence.wrapping_sub(*highest) {
            step @ 1..GAP_MAX => {
                missing.extend((1..step).map(|ahead| (highest.wrapping_add(ahead), 0)));
                *highest = sequence;
            }
            GAP_MAX..0x8000 => (*highest, *missing) = (sequence, BTreeMap::new()),
            _ => _ = missing.remove(&sequence),
        }
        None
    }

    fn on_answer(&mut self, ssrc: u32, original: u16) {
        if let Some((_, missing)) = self.gaps.get_mut(&ssrc) {
            missing.remove(&original);
        }
        match self.asked.get_mut(&(ssrc, original)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => broken("A retransmission answers a NACK, once (RFC 4585, 6.2.1; RFC 4588)", || {
                format!("{original} of {ssrc} came without one")
            }),
        }
    }

    /// A compound RTCP packet with the NACK, PLI, FIR and REMB that are due; called once a second.
    pub(super) fn requests(&mut self, heard: &BTreeSet<u32>) -> Option<Vec<u8>> {
        self.round += 1;
        let (mut out, mut len) = ([0; 1_200], 0);
        for (ssrc, (_, missing)) in self.gaps.iter_mut().filter(|(ssrc, _)| self.rtx.contains_key(ssrc)) {
            missing.retain(|_, tries| *tries < TRIES);
            let lost: Vec<u16> = missing.keys().copied().take(20).collect();
            for (sequence, tries) in missing.iter_mut().take(20) {
                *tries += 1;
                *self.asked.entry((*ssrc, *sequence)).or_default() += 1;
            }
            len += write_nack(&mut out[len..], 1, *ssrc, &lost).unwrap_or_default();
        }
        let video: Vec<u32> = self.rtx.keys().copied().filter(|ssrc| heard.contains(ssrc)).collect();
        if let (Some(ssrc), 0) = (video.first(), self.round % 8) {
            let sequence = u8::try_from(self.round / 8 % 256).unwrap_or_default();
            len += match self.round % 16 {
                0 => write_pli(&mut out[len..], Pli { sender_ssrc: 1, media_ssrc: *ssrc }),
                _ => write_fir(&mut out[len..], 1, &[FirEntry { ssrc: *ssrc, sequence }]),
            }
            .unwrap_or_default();
        }
        if self.round.is_multiple_of(3) && !video.is_empty() {
            let rate = 100_000 << (self.round % 6);
            len += write_remb(&mut out[len..], 1, rate, &video[..video.len().min(40)]).unwrap_or_default();
        }
        (len > 0).then(|| out[..len].to_vec())
    }
}
