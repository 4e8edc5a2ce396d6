//! Which transport an address leads to when checks of several name it. A check says that its sender knows a
//! transport's password, not that it is at its source address: any member can forge one. So only a transport that
//! proved the address has it for as long as it is in use there. Another gets it by proving it as well, by a DTLS
//! handshake over it; meanwhile DTLS from there reaches both. An address that nobody proved goes from one to
//! another by checks, no sooner than [`TURN`] after the last time.

use super::address_changes::follow_ice;
use super::dtls::DtlsTransport;
use super::table::TransportTable;
use super::webrtc_transport::WebRtcTransport;
use crate::arena::TransportKey;
use crate::config::Datagram;
use crate::output::Output;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A transport with keys, which need not prove an address by a handshake, gets one that another proved only so long
/// after the other's last check.
const QUIET_FOR: Duration = Duration::from_secs(10);
/// Time in which a transport has an unproved address for itself: that of a handshake, unless datagrams are lost.
const TURN: Duration = Duration::from_secs(1);

/// What a transport may have of an address that an ICE check names it from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The transport has the address already, or nobody has it, or its holder was not heard there for
    /// [`QUIET_FOR`].
    Bind,
    /// The transport gets the address; the other one forgets it, and sends nothing more there.
    Take(TransportKey),
    /// The other transport keeps it, unless a handshake over it is completed.
    Contest(TransportKey),
    Refuse,
}

/// Decides it by tables alone: whether the check is authentic is still to be seen.
pub(super) fn judge(
    transports: &TransportTable,
    source: SocketAddr,
    asking: TransportKey,
    now: Instant,
) -> Claim {
    let Some(holder) = transports.by_address(source).filter(|holder| *holder != asking) else {
        return Claim::Bind;
    };
    let (Some(transport), Some(other)) = (transports.get(asking), transports.live(holder)) else {
        return Claim::Refuse;
    };
    let Some(tuple) = other.ice.tuple(source) else { return Claim::Bind };
    let is_within = |since: Instant, time: Duration| now.saturating_duration_since(since) < time;
    if other.is_over() {
        Claim::Take(holder)
    } else if !tuple.proof.is_proved() {
        let is_taken = other.user != transport.user && is_within(tuple.held_since, TURN);
        if is_taken { Claim::Refuse } else { Claim::Take(holder) }
    } else if transport.keys.is_some() {
        if is_within(tuple.last_check_at, QUIET_FOR) { Claim::Refuse } else { Claim::Bind }
    } else {
        let is_others = tuple.contested_by.is_some_and(|(by, since)| {
            by != asking && is_within(since, TURN) && is_contesting(transports, by, source)
        });
        if is_others { Claim::Refuse } else { Claim::Contest(holder) }
    }
}

/// Carries a claim out, once the check was answered.
pub(super) fn carry_out(
    transports: &mut TransportTable,
    output: &mut Output,
    claim: Claim,
    source: SocketAddr,
    asking: TransportKey,
    now: Instant,
) {
    match claim {
        Claim::Bind => transports.bind_address(source, asking, now),
        Claim::Take(holder) => {
            transports.bind_address(source, asking, now);
            lose(transports, output, holder, source, now);
        }
        Claim::Contest(holder) => {
            if let Some(tuple) = transports.get_mut(holder).and_then(|it| it.ice.tuple_mut(source))
                && tuple.contested_by.is_none_or(|(by, _)| by != asking)
            {
                tuple.contested_by = Some((asking, now));
            }
            transports.unbind_lost_addresses(asking);
        }
        Claim::Refuse => {}
    }
}

/// A handshake over this address is complete: whoever had it is not there any more.
pub(super) fn settle(
    transports: &mut TransportTable,
    output: &mut Output,
    address: SocketAddr,
    key: TransportKey,
    now: Instant,
) {
    let holder = transports.by_address(address).filter(|holder| *holder != key);
    transports.bind_address(address, key, now);
    if let Some(holder) = holder {
        lose(transports, output, holder, address, now);
    }
}

fn lose(
    transports: &mut TransportTable,
    output: &mut Output,
    holder: TransportKey,
    address: SocketAddr,
    now: Instant,
) {
    let Some(transport) = transports.get_mut(holder) else { return };
    transport.ice.forget(address);
    follow_ice(transports, output, holder, now);
    transports.unbind_lost_addresses(holder);
    transports.schedule(holder);
}

/// Who takes a DTLS datagram besides `holder`, to which its address leads, or in place of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) transport: TransportKey,
    /// The datagram is of a handshake that is not `holder`'s.
    pub(crate) is_its_alone: bool,
}

/// Who contests the address that a DTLS datagram came from, if somebody does.
pub(crate) fn contender(
    transports: &TransportTable,
    holder: TransportKey,
    datagram: &Datagram<'_>,
) -> Option<Contender> {
    let source = datagram.source;
    let held_by = transports.get(holder)?;
    let (transport, _) = held_by.ice.tuple(source)?.contested_by?;
    let is_holders = |(_, dtls): &(_, DtlsTransport)| dtls.may_be_of_handshake(datagram.bytes);
    let is_its_alone = !held_by.connect.as_ref().is_some_and(is_holders);
    is_contesting(transports, transport, source).then_some(Contender { transport, is_its_alone })
}

fn is_contesting(transports: &TransportTable, key: TransportKey, address: SocketAddr) -> bool {
    let may = |it: &WebRtcTransport| it.keys.is_none() && !it.is_over() && it.ice.tuple(address).is_some();
    transports.get(key).is_some_and(may)
}
