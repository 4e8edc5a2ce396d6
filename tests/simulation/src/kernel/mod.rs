//! The machine below the programs, in virtual time: clocks, randomness, TCP and UDP, for all processes of one
//! thread. The programs reach it by the C library's own functions (`c.rs`, `c_files.rs`), so they are as they ship.
//!
//! Everything is thread-local: a seed runs on a thread of its own, and other threads have the real machine.

mod c;
mod c_files;
mod clock;
mod disk;
mod host;
mod link;
mod net;
mod parking;
mod socket;
mod tcp;
mod udp;

pub(crate) use clock::{
    Epoch, MILLISECOND, Nanos, SECOND, below, chance, current_host, draw, millis, now, set_epoch,
    wall_seconds,
};
pub(crate) use disk::{is_full, set_full};
pub(crate) use host::{HostId, Sim, schedule};
pub(crate) use link::LinkFaults;
pub(crate) use net::{
    amplification, found, heal, hide, note, reset, set_cut, set_dark, set_faults, set_mute, set_rate, steps,
    trace_hash,
};
pub(crate) use udp::UdpPort;
