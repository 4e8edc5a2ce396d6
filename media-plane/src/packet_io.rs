//! Where a worker's packets come from and go to.

use crate::udp::{Lateness, SendCounters};
use railgun_media_core::Datagram;
use railgun_media_core::send_batch::SendBatch;
use std::io;
use std::time::Duration;

/// Where a worker's packets come from and go to.
pub trait PacketIo {
    /// Gives what is there to `take` as one slice, without waiting, and with it what sends meanwhile.
    /// Returns whether there may be more.
    fn receive(
        &mut self,
        take: impl FnOnce(&mut [Datagram<'_>], &mut dyn FnMut(&SendBatch)),
    ) -> io::Result<bool>;

    /// Sends what is taken without waiting; what is not is dropped and counted.
    fn send(&mut self, batch: &SendBatch);

    /// What it counted so far.
    fn counts(&mut self) -> PacketIoCounts;
}

/// What a [`PacketIo`] counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketIoCounts {
    pub sends: SendCounters,
    /// How long datagrams waited for their turn.
    pub lateness: Lateness,
    /// Bytes of the datagrams that were read.
    pub received_bytes: u64,
    /// CPU time of the worker's thread.
    pub cpu: Duration,
    /// Datagrams that the kernel had no memory for.
    pub kernel_drops: u32,
    /// The longest wait since the last call.
    pub worst: Duration,
}
