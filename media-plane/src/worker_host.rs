//! What a worker is given: the socket that its packets come from and go to, and the thread that runs its turns.
//! A node that is a process has a UDP socket and a thread for each worker ([`WorkerThreads`]); whoever runs
//! nodes in another time and another network brings a [`WorkerHost`] of its own.

use crate::sleep::Waker;
use crate::udp::{Receiver, RtcSocket, Sender};
use crate::worker::{DeathNotice, Parts, Runner, Turn, Worker};
use anyhow::Context;
use railgun_media_core::Datagram;
use railgun_media_core::send_batch::SendBatch;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tracing::{error, info};

pub use crate::packet_io::{PacketIo, PacketIoCounts};

/// Opens ports and runs workers on them.
pub trait WorkerHost: Clone + Send + 'static {
    /// What a [`PacketIo`] is made of, where the worker runs.
    type Port: Send + 'static;

    /// The first of these ports that is free, and its number.
    fn bind(&self, ip: IpAddr, ports: RangeInclusive<u16>) -> anyhow::Result<(Self::Port, u16)>;

    /// Takes the worker's turns until it stops. A worker that ends otherwise has its [`DeathNotice`].
    fn run(&self, parts: Parts, port: Self::Port) -> anyhow::Result<Runner>;
}

/// A UDP socket and a thread for each worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerThreads {
    /// Whether the kernel is asked for the ECN bits of what comes.
    pub reads_ecn: bool,
}

/// A UDP socket, and the buffers for its system calls.
#[derive(Debug)]
pub struct UdpPacketIo {
    socket: RtcSocket,
    receiver: Receiver,
    sender: Sender,
}

impl UdpPacketIo {
    fn new(socket: RtcSocket) -> Self {
        let (receiver, sender) = (Receiver::default(), Sender::new(socket.has_gso()));
        Self { socket, receiver, sender }
    }
}

impl PacketIo for UdpPacketIo {
    fn receive(
        &mut self,
        take: impl FnOnce(&mut [Datagram<'_>], &mut dyn FnMut(&SendBatch)),
    ) -> io::Result<bool> {
        let Self { socket, receiver, sender } = self;
        receiver.receive(socket, |datagrams| take(datagrams, &mut |batch| sender.send(socket, batch)))
    }

    fn send(&mut self, batch: &SendBatch) {
        self.sender.send(&self.socket, batch);
    }

    fn counts(&mut self) -> PacketIoCounts {
        PacketIoCounts {
            sends: self.sender.counters(),
            kernel_drops: self.socket.kernel_drops().unwrap_or_default(),
            worst: self.receiver.lateness.take_worst(),
            lateness: self.receiver.lateness,
            received_bytes: self.receiver.received_bytes,
            cpu: railgun_process::thread_cpu(),
        }
    }
}

impl WorkerHost for WorkerThreads {
    type Port = RtcSocket;

    fn bind(&self, ip: IpAddr, ports: RangeInclusive<u16>) -> anyhow::Result<(RtcSocket, u16)> {
        let socket = RtcSocket::bind(ip, ports)?;
        if self.reads_ecn {
            socket.read_ecn().context("ECN bits of a media port")?;
        }
        let port = socket.address().port();
        info!(port, gso = socket.has_gso(), "a media port is open");
        Ok((socket, port))
    }

    fn run(&self, parts: Parts, socket: RtcSocket) -> anyhow::Result<Runner> {
        let waker = Arc::new(Waker::new().context("the waker of a worker")?);
        let (alarm, index) = (waker.clone(), parts.index);
        let death_notice = DeathNotice::of(&parts);
        let run = move || {
            match catch_unwind(AssertUnwindSafe(|| {
                turns(&mut Worker::new(parts, UdpPacketIo::new(socket)), &alarm)
            })) {
                Ok(Ok(())) => return,
                Ok(Err(cause)) => error!(worker = index, error = %cause, "a worker's socket failed"),
                Err(_) => error!(worker = index, "a worker panicked"),
            }
            death_notice.tell();
        };
        let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(run)?;
        let join = Box::new(move || _ = thread.join());
        Ok(Runner { wake: Box::new(move || waker.wake().is_ok()), join: Some(join) })
    }
}

fn turns(worker: &mut Worker<UdpPacketIo>, waker: &Waker) -> io::Result<()> {
    let mut is_readable = true;
    loop {
        #[cfg(any(test, feature = "testing"))]
        crate::testing::panic_if_told(worker.packets().socket.address().port());
        is_readable = match worker.turn(is_readable) {
            Turn::Again => true,
            Turn::Sleep(at_most) => waker.sleep(worker.packets().socket.as_socket(), at_most)?,
            Turn::Stopped => return Ok(()),
        };
    }
}
