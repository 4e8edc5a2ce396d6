//! What media workers stand on here: ports of the world's network, and tasks of the node's own runtime.

use crate::kernel::UdpPort;
use crate::looks;
use anyhow::Context;
use railgun_media::worker::{DeathNotice, Parts, Runner, Turn, Worker};
use railgun_media::worker_host::{PacketIo, PacketIoCounts, WorkerHost};
use railgun_media_core::Datagram;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::send_batch::SendBatch;
use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualWorkerHost;

#[derive(Debug)]
struct VirtualPacketIo {
    port: UdpPort,
    spare: Vec<(SocketAddrV4, Vec<u8>)>,
}

impl PacketIo for VirtualPacketIo {
    fn receive(
        &mut self,
        take: impl FnOnce(&mut [Datagram<'_>], &mut dyn FnMut(&SendBatch)),
    ) -> io::Result<bool> {
        let Self { port, spare } = self;
        *spare = port.take();
        if spare.is_empty() {
            return Ok(false);
        }
        let arrived = Instant::now();
        let mut datagrams: Vec<Datagram<'_>> = spare
            .iter_mut()
            .map(|(source, bytes)| Datagram { source: (*source).into(), bytes, arrived, ecn: Ecn::NotEct })
            .collect();
        take(&mut datagrams, &mut |batch| put(port, batch));
        Ok(false)
    }

    fn send(&mut self, batch: &SendBatch) {
        put(&self.port, batch);
    }

    fn counts(&mut self) -> PacketIoCounts {
        PacketIoCounts::default()
    }
}

fn put(port: &UdpPort, batch: &SendBatch) {
    looks::look_at_send();
    for run in batch.runs() {
        for datagram in batch.bytes(run).chunks(run.segment) {
            port.send(run.to, datagram);
        }
    }
}

impl WorkerHost for VirtualWorkerHost {
    type Port = UdpPort;

    fn bind(&self, ip: IpAddr, ports: RangeInclusive<u16>) -> anyhow::Result<(UdpPort, u16)> {
        let IpAddr::V4(ip) = ip else { anyhow::bail!("IPv4 alone") };
        let open = |port: u16| Some((UdpPort::open(SocketAddrV4::new(ip, port))?, port));
        ports.into_iter().find_map(open).context("no port is free")
    }

    fn run(&self, parts: Parts, port: UdpPort) -> anyhow::Result<Runner> {
        let woken = Arc::<Notify>::default();
        let (waker, arrived) = (woken.clone(), port.arrived.clone());
        let death_notice = DeathNotice::of(&parts);
        let turns = tokio::spawn(async move {
            let mut worker = Worker::new(parts, VirtualPacketIo { port, spare: Vec::new() });
            loop {
                looks::look_at_fence(worker.fence());
                let turn = worker.turn(true);
                looks::look_at_engine(&worker);
                match turn {
                    Turn::Again => tokio::task::yield_now().await,
                    Turn::Stopped => return,
                    Turn::Sleep(at_most) => {
                        tokio::select! {
                            biased;
                            () = woken.notified() => {}
                            () = arrived.notified() => {}
                            () = sleep(at_most.unwrap_or(Duration::from_secs(3600))) => {}
                        }
                    }
                }
            }
        });
        tokio::spawn(async move {
            if turns.await.is_err_and(|error| error.is_panic()) {
                death_notice.told().await;
            }
        });
        let wake = move || {
            waker.notify_one();
            true
        };
        Ok(Runner { wake: Box::new(wake), join: None })
    }
}
