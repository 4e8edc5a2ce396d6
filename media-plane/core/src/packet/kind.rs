//! Which protocol a datagram belongs to (RFC 7983, RFC 5761).

use super::MAX_DATAGRAM;

const STUN_HEADER: usize = 20;
/// A DTLS 1.2 record header; no DTLS 1.3 record with its tag is shorter either.
const DTLS_RECORD_HEADER: usize = 13;
const RTP_HEADER: usize = 12;
/// The RTCP header and its sender's SSRC.
const RTCP_HEADER: usize = 8;

/// The protocols that share a media socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ICE checks, RFC 8489.
    Stun,
    /// Handshakes and alerts, RFC 6347 and RFC 9147.
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
}

/// Sorts a datagram by its first byte (RFC 7983 section 7) and RTP from RTCP by its second
/// (RFC 5761 section 4). `None`: no protocol of ours, too short for it, or longer than
/// [`MAX_DATAGRAM`].
#[inline]
pub fn classify(datagram: &[u8]) -> Option<Kind> {
    let &[first, second, ..] = datagram else { return None };
    let (kind, shortest) = match (first, second) {
        // Second byte: marker bit and payload type, or the RTCP packet type. RFC 5761 keeps
        // payload types 64-95 unused, so unmarked ones are neither.
        (128..=191, 192..=223) => (Kind::Rtcp, RTCP_HEADER),
        (128..=191, 64..=95) => return None,
        (128..=191, _) => (Kind::Rtp, RTP_HEADER),
        (20..=63, _) => (Kind::Dtls, DTLS_RECORD_HEADER),
        (0..=3, _) => (Kind::Stun, STUN_HEADER),
        _ => return None,
    };
    (shortest..=MAX_DATAGRAM).contains(&datagram.len()).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(first: u8, second: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(&[first, second]);
        bytes
    }

    #[test]
    fn every_first_byte_has_one_kind() {
        for first in 0..=255 {
            let expected = match first {
                0..=3 => Some(Kind::Stun),
                20..=63 => Some(Kind::Dtls),
                128..=191 => Some(Kind::Rtp),
                _ => None,
            };
            assert_eq!(classify(&datagram(first, 96, 100)), expected, "{first}");
        }
    }

    #[test]
    fn rtcp_is_told_by_the_packet_type() {
        for second in 0..=255 {
            let expected = match second {
                192..=223 => Some(Kind::Rtcp),
                64..=95 => None,
                _ => Some(Kind::Rtp),
            };
            assert_eq!(classify(&datagram(0x80, second, 100)), expected, "{second}");
        }
    }

    #[test]
    fn too_short_and_too_long_are_refused() {
        for (first, second, shortest) in [(0, 1, 20), (22, 254, 13), (0x80, 96, 12), (0x80, 200, 8)] {
            assert_eq!(classify(&datagram(first, second, shortest - 1)), None);
            assert!(classify(&datagram(first, second, shortest)).is_some());
            assert!(classify(&datagram(first, second, MAX_DATAGRAM)).is_some());
            assert_eq!(classify(&datagram(first, second, MAX_DATAGRAM + 1)), None);
        }
        assert_eq!(classify(&[]), None);
        assert_eq!(classify(&[0x80]), None);
    }
}
