//! RTCP, both ways (RFC 3550 section 6, RFC 4585).

pub(crate) mod key_frame_request;
pub(crate) mod reception;
pub(crate) mod receive;
pub(crate) mod report;
