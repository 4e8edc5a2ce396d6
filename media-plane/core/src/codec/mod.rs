//! What the node reads of a codec's payload, one RFC a file, and what selection needs of it.
//!
//! Everything here looks at one packet's plaintext and allocates nothing, except for a dependency
//! descriptor's structure, which comes with key frames only.

pub(crate) mod vp8;
pub(crate) mod vp9;
pub(crate) mod h264;
pub(crate) mod av1;
pub(crate) mod dependency_descriptor;

/// What one packet says of its frame: of the frame of one spatial layer, where there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameInfo {
    /// The frame's first packet. VP8: S = 1 and PID = 0 (RFC 7741 section 4.2). VP9: B (RFC 9628
    /// section 4.2). Dependency descriptor: start_of_frame (A.8.3). H264 and AV1 without that
    /// descriptor can only say that a frame may begin here; a new timestamp decides.
    pub(crate) starts_frame: bool,
    /// The frame's last packet: VP9 E, the descriptor's end_of_frame, or the RTP marker, which ends
    /// the whole picture.
    pub(crate) ends_frame: bool,
    /// A decoder that knows nothing can begin with this packet. Never set on a key frame's later
    /// packets, nor on its upper spatial layers.
    pub(crate) starts_key_frame: bool,
    /// The frame is predicted from an earlier picture. VP9: P. Dependency descriptor: it depends on
    /// any frame. VP8, H264 and AV1: all but the packets that are seen to be of a key frame.
    pub(crate) inter_picture: bool,
    /// 0 without spatial layers. VP9: SID; AV1: spatial_id.
    pub(crate) spatial: u8,
    /// 0 without temporal layers. VP8 and VP9: TID; AV1: temporal_id.
    pub(crate) temporal: u8,
    pub(crate) temporal_switch: TemporalSwitch,
}

/// Where a receiver of lower temporal layers may take up a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TemporalSwitch {
    #[default]
    None,
    /// With this frame, and up to its own layer. VP8: Y, it depends on layer 0 alone (RFC 7741
    /// section 4.2). Any key frame. Dependency descriptor: it has a Switch indication; for which
    /// decode target, the descriptor tells.
    WithThis,
    /// After this frame, if its own layer is forwarded, and up to any layer: what follows depends
    /// on no earlier frame of the layers above it. VP9: U (RFC 9628 section 4.2).
    AfterThis,
}
