//! Where everybody is. Users' machines are 127.9.x.y, by which the network knows them.

use std::net::Ipv4Addr;

pub(crate) const RPC_PORT: u16 = 50_051;
/// Of replicas, for clients.
pub(crate) const SIGNALING_PORT: u16 = 8080;

pub(crate) fn etcd_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 1, 0, 1)
}

pub(crate) fn node_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 2, 0, u8::try_from(index + 1).unwrap_or(u8::MAX))
}

pub(crate) fn replica_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 3, 0, u8::try_from(index + 1).unwrap_or(u8::MAX))
}

pub(crate) fn person_address(index: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(index + 1).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(127, 9, high, low)
}

/// Of the TURN relay.
pub(crate) fn relay_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 4, 0, 1)
}

/// Of the operators' server that takes webhooks.
pub(crate) fn hooks_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 4, 0, 2)
}

/// Of the machine that an operator works at.
pub(crate) fn operator_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 4, 0, 3)
}

/// Of the load balancer before the replicas.
pub(crate) fn balancer_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 4, 0, 4)
}

pub(crate) fn rogue_address() -> Ipv4Addr {
    Ipv4Addr::new(127, 3, 0, 200)
}
