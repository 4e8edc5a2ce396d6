//! What a client's video looks like: payload descriptors of each codec, as a node reads them.

use crate::parameters::Offer;
use railgun_protocol::rtp_parameters::extension_uri;
use railgun_protocol::signal::Source;
use serde_json::json;

/// The client's id of the dependency descriptor.
pub const DESCRIPTOR_ID: u8 = 11;

/// How a source of video is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Video {
    /// VP8, each picture a key frame.
    #[default]
    Vp8Keys,
    /// VP8 in three temporal layers.
    Vp8,
    /// VP9 in two spatial and two temporal layers.
    Vp9,
    /// The same, where key pictures alone are predicted from the lower spatial layer.
    Vp9Key,
    H264,
    /// AV1 without a dependency descriptor.
    Av1,
    /// AV1 in two temporal layers, with a dependency descriptor.
    Av1Described,
}

impl Video {
    /// One of each.
    pub const ALL: [Self; 7] =
        [Self::Vp8Keys, Self::Vp8, Self::Vp9, Self::Vp9Key, Self::H264, Self::Av1, Self::Av1Described];

    /// Packets of a picture.
    pub fn parts(self) -> u8 {
        if matches!(self, Self::Vp9 | Self::Vp9Key) { 2 } else { 1 }
    }

    /// The offer of [`Offer::new`], or of a simulcast, with this codec in place of its own.
    pub fn offer(self, mut offer: Offer) -> Offer {
        let (name, parameters, mode) = match self {
            Self::Vp8Keys => return offer,
            Self::Vp8 => ("VP8", json!({}), "L1T3"),
            Self::Vp9 => ("VP9", json!({"profile-id": 0}), "L2T2"),
            Self::Vp9Key => ("VP9", json!({"profile-id": 0}), "L2T2_KEY"),
            Self::H264 => (
                "H264",
                json!({"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}),
                "L1T1",
            ),
            Self::Av1 => ("AV1", json!({}), "L1T1"),
            Self::Av1Described => ("AV1", json!({}), "L1T2"),
        };
        if offer.source == Source::Mic {
            return offer;
        }
        let codec = &mut offer.parameters.codecs[0];
        codec.mime_type = format!("video/{name}");
        codec.parameters = serde_json::from_value(parameters).expect("an object");
        for encoding in &mut offer.parameters.encodings {
            encoding.scalability_mode = Some(mode.into());
        }
        if self == Self::Av1Described {
            let extension = json!({"uri": extension_uri::DEPENDENCY_DESCRIPTOR, "id": DESCRIPTOR_ID});
            offer.parameters.header_extensions.push(serde_json::from_value(extension).expect("an extension"));
        }
        offer
    }

    /// What a packet begins with, before `rest` bytes of which nothing is read. `picture`: its number in the stream;
    /// `part`: the packet's in the picture.
    pub fn payload(self, picture: u64, part: u8, is_key: bool, rest: usize) -> Vec<u8> {
        let [.., high, low] = picture.to_be_bytes();
        match self {
            Self::Vp8Keys => vec![0x10, 0x50],
            // X, S; then I, L and T (RFC 7741, 4.2), and the P bit of the payload header.
            Self::Vp8 => {
                let temporal = [0, 2, 1, 2][usize::from(low % 4)];
                let (temporal, sync) = if is_key { (0, 0) } else { (temporal, u8::from(low % 4 == 2)) };
                let p = u8::from(!is_key);
                vec![0x90, 0xe0, 0x80 | high, low, low / 4, temporal << 6 | sync << 5, 0x50 | p]
            }
            // I, L, B and E; P, and V with the scalability structure (RFC 9628, 4.2).
            Self::Vp9 | Self::Vp9Key => {
                let is_upper_delta = part > 0 && self == Self::Vp9;
                let temporal = if is_key { 0 } else { low % 2 };
                let has_structure = is_key && part == 0;
                let flags = 0xac | if is_key { 0 } else { 0x40 } | u8::from(has_structure) << 1;
                let below = u8::from(part > 0 && (is_key || is_upper_delta));
                let layer = temporal << 5 | u8::from(temporal == 0) << 4 | part << 1 | below;
                let mut payload = vec![flags, 0x80 | high, low, layer, low / 2];
                if has_structure {
                    // Two spatial layers with their sizes, and a group of two pictures.
                    payload.extend([0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x04, 2, 0x24, 1]);
                }
                payload
            }
            Self::H264 => match (is_key, low % 3) {
                // STAP-A: parameter sets, then the slice.
                (true, 0 | 1) => {
                    let [high, low] = u16::try_from(rest + 2).unwrap_or_default().to_be_bytes();
                    vec![0x78, 0, 4, 0x67, 0x42, 0, 0x1f, 0, 2, 0x68, 0xce, high, low, 0x65, 0x88]
                }
                (true, _) => vec![0x7c, 0x85, 0x88],
                (false, 0) => vec![0x41, 0x9a],
                (false, 1) => vec![0x5c, 0x81, 0x9a],
                (false, _) => vec![0x5c, 0x41, 0x9a],
            },
            // W = 2 and N, the sequence header, the frame; W = 1 and a frame with its extension.
            Self::Av1 | Self::Av1Described => match is_key {
                true => vec![0x28, 2, 0x08, 0, 0x30],
                false => vec![0x10, 0x34, (low % 2) << 5],
            },
        }
    }

    /// The dependency descriptor of a picture, if there is one.
    pub fn descriptor(self, picture: u64, is_key: bool) -> Option<Vec<u8>> {
        if self != Self::Av1Described {
            return None;
        }
        let [.., high, low] = picture.to_be_bytes();
        let template = if is_key { 0 } else { 1 + u32::from(low % 2) };
        let mut bits = Bits::default();
        bits.put(3, 2).put(template, 6).put(u32::from(u16::from_be_bytes([high, low])), 16);
        if is_key {
            bits.put(0b10000, 5).put(0, 6).put(1, 5);
            // Layers of the templates: key and delta of layer 0, and layer 1.
            bits.put(0, 2).put(1, 2).put(3, 2);
            // Of each, what it is to both decode targets: S S, S S, - D.
            bits.put(0b1010, 4).put(0b1010, 4).put(0b0001, 4);
            // Referred frames: none, 2 back, 1 back.
            bits.put(0, 1).put(0b1_0001, 5).put(0, 1).put(0b1_0000, 5).put(0, 1);
            // No chains, no resolutions.
            bits.put(0, 1).put(0, 1);
        }
        Some(bits.bytes())
    }
}

#[derive(Debug, Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, bits: u32) -> &mut Self {
        self.0.extend((0..bits).rev().map(|bit| value >> bit & 1 != 0));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let octet =
            |bits: &[bool]| (0..8).fold(0, |sum, at| sum << 1 | u8::from(bits.get(at) == Some(&true)));
        self.0.chunks(8).map(octet).collect()
    }
}
