//! One worker of the node on a core of its own, as the node runs it.

use crate::system::{go_first, pin_to};
use anyhow::{Context, Result, bail, ensure};
use railgun_media::udp::RtcSocket;
use railgun_media::worker::{self, Fence, WorkerEvent, WorkerGauges, WorkerHandle, WorkerNotice};
use railgun_media::worker_host::{WorkerHost, WorkerThreads};
use railgun_media_core::transport::dtls::{Certificate, DtlsVersion};
use railgun_media_core::{EngineConfig, Notice};
use railgun_protocol::limits::{BITRATE_HEADROOM_PERCENT, HANDSHAKES_PER_NODE};
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::transport_parameters::IceCandidate;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::mpsc;

const NOTICES_MAX: usize = 1 << 16;
/// The worker's thread, as it names itself.
const THREAD: &str = "media-0";

pub(super) struct Node {
    handle: WorkerHandle,
    notices: mpsc::Receiver<WorkerNotice>,
    next_tag: u64,
    pub(super) port: u16,
    /// Should have gone first and may not.
    pub(super) shares_core: bool,
}

impl Node {
    /// On `core`; the calling thread goes back to `own_core`. Who `goes_first` has the core before all
    /// else that runs on the machine, but the kernel holds it back above 95 % of the time.
    pub(super) fn start(core: usize, own_core: usize, goes_first: bool) -> Result<Self> {
        let socket = RtcSocket::bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0..=0)?;
        let port = socket.address().port();
        let engine = EngineConfig {
            candidates: vec![IceCandidate::udp_host(super::wire::NODE.into(), port, 0)],
            certificate: Certificate::generate()?,
            dtls_version: DtlsVersion::Dtls12,
            // No client of ours is in privacy mode, or sends more than it should.
            relays: Arc::default(),
            handshakes_max: HANDSHAKES_PER_NODE,
            bitrate_headroom_percent: BITRATE_HEADROOM_PERCENT,
            seed: [7; 32],
            started: (Instant::now(), SystemTime::now()),
            tells_media_started: false,
            speech_fec: false,
            l4s: false,
        };
        let (outbox, notices) = mpsc::channel(NOTICES_MAX);
        // A thread inherits core and priority of who starts it. Whatever else the machine runs, a
        // kernel thread among it, would be counted as the node's latency.
        pin_to(core)?;
        let shares_core = goes_first && !go_first(true);
        let (gauges, fence) = (Arc::new(WorkerGauges::default()), Arc::new(Fence::new(false)));
        let (parts, handle) = worker::prepare(0, engine, outbox, gauges, fence);
        let handle = handle(WorkerThreads::default().run(parts, socket)?);
        pin_to(own_core)?;
        go_first(false);
        Ok(Self { handle, notices, next_tag: 0, port, shares_core })
    }

    pub(super) fn command(&mut self, room: &Address, command: Command) -> Result<Reply> {
        self.next_tag += 1;
        ensure!(self.handle.command(self.next_tag, room.clone(), command), "the worker takes no command");
        loop {
            let notice = self.notices.blocking_recv().context("the worker is gone")?;
            match notice.event {
                WorkerEvent::Notice(Notice::Reply { tag, reply }) if tag == self.next_tag => {
                    return reply.map_err(|error| anyhow::anyhow!("refused: {error:?}"));
                }
                WorkerEvent::Notice(_) => {}
                WorkerEvent::Died => bail!("the worker died"),
            }
        }
    }

    /// Discards the notices that the worker has sent and nobody has read.
    pub(super) fn drain(&mut self) {
        while self.notices.try_recv().is_ok() {}
    }

    /// CPU time of the worker's thread so far, in ns; known once it has carried out a command.
    pub(super) fn cpu_ns(&self) -> Result<u64> {
        let text = fs::read_to_string(schedstat_of(THREAD)?).context("the worker's CPU time")?;
        Ok(text.split_whitespace().next().context("schedstat")?.parse()?)
    }

    pub(super) fn stop(self) {
        drop(self.notices);
        self.handle.stop();
    }
}

fn schedstat_of(name: &str) -> Result<String> {
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name) {
            return Ok(path.join("schedstat").display().to_string());
        }
    }
    bail!("no thread is named {name}")
}
