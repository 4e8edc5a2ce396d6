//! What the `rtp` crate does not check before it reads: whether a packet's parts lie within it.

/// Whether the RTP header and its extension elements end within the packet. The `rtp` crate walks
/// past the end of those that do not, and does so before authentication.
pub(crate) fn is_well_formed(packet: &[u8]) -> bool {
    header_end(packet).is_some()
}

fn header_end(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let fixed = 12 + 4 * usize::from(first & 0x0f);
    packet.get(..fixed)?;
    if first >> 6 != 2 {
        return None;
    }
    if first & 0x10 == 0 {
        return Some(fixed);
    }
    let &[a, b, c, d] = packet.get(fixed..)?.first_chunk::<4>()?;
    let start = fixed + 4;
    let end = start + 4 * usize::from(u16::from_be_bytes([c, d]));
    let mut elements = packet.get(start..end)?;
    let two_byte = match u16::from_be_bytes([a, b]) {
        0xbede => false,
        0x1000 => true,
        _ => return Some(end),
    };
    while let Some((&head, rest)) = elements.split_first() {
        elements = rest;
        // Padding between elements.
        if head == 0 {
            continue;
        }
        if !two_byte && head >> 4 == 15 {
            break;
        }
        let length = if two_byte {
            let (&length, rest) = elements.split_first()?;
            elements = rest;
            usize::from(length)
        } else {
            usize::from(head & 0x0f) + 1
        };
        elements = elements.get(length..)?;
    }
    Some(end)
}

/// Whether a decrypted packet's padding, if it says it has some, fits behind its header.
pub(crate) fn has_valid_padding(packet: &[u8]) -> bool {
    let Some(end) = header_end(packet) else { return false };
    let padded = packet.first().is_some_and(|first| first & 0x20 != 0);
    let payload = packet.len() - end;
    !padded || packet.last().is_some_and(|&padding| padding > 0 && usize::from(padding) <= payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use webrtc_util::marshal::Unmarshal;

    #[test]
    fn an_extension_that_leaves_the_packet_is_refused() {
        let hex = "90e0000100000001deadbeefbede000110010240";
        let packet: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        assert!(!is_well_formed(&packet));
    }

    #[test]
    fn what_passes_does_not_panic_the_parser() {
        let mut passed = 0;
        for seed in 0..20_000u32 {
            let mut state = u64::from(seed) << 8 | 1;
            let mut bytes: Vec<u8> = (0..seed % 64)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    state.to_be_bytes()[0]
                })
                .collect();
            if let Some(first) = bytes.first_mut() {
                *first = 0x80 | (*first & 0x33);
            }
            // An extension block of few words, so that many fit.
            if bytes.len() > 16 && bytes[0] & 0x0f == 0 {
                bytes[12..16].copy_from_slice(&[0xbe, 0xde, 0, (seed % 7).to_be_bytes()[3]]);
            }
            if is_well_formed(&bytes) && has_valid_padding(&bytes) {
                passed += 1;
                _ = rtp::packet::Packet::unmarshal(&mut bytes.as_slice());
            }
        }
        assert!(passed > 500, "{passed}");
    }
}
