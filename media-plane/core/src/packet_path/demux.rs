//! Step 1: which protocol a datagram belongs to, by its first bytes (RFC 7983), and whose it is, by the
//! address that it comes from.

use crate::arena::TransportKey;
use crate::config::Datagram;
use crate::output::DropReason;
use crate::packet::kind::{Kind, classify};
use crate::transport::table::TransportTable;

/// Who takes a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demuxed {
    Rtp(TransportKey),
    Rtcp(TransportKey),
    Dtls(TransportKey),
    /// An ICE check names its transport itself, and is what makes an address known.
    Stun,
}

#[inline]
pub(crate) fn demux(transports: &TransportTable, datagram: &Datagram<'_>) -> Result<Demuxed, DropReason> {
    let sender = || transports.by_address(datagram.source).ok_or(DropReason::UnknownAddress);
    match classify(datagram.bytes) {
        Some(Kind::Rtp) => sender().map(Demuxed::Rtp),
        Some(Kind::Rtcp) => sender().map(Demuxed::Rtcp),
        Some(Kind::Dtls) => sender().map(Demuxed::Dtls),
        Some(Kind::Stun) => Ok(Demuxed::Stun),
        None => Err(DropReason::UnknownProtocol),
    }
}
