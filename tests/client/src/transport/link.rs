//! A connected transport: the datagrams of one ICE pair, told apart by their first byte and
//! protected by the keys of its DTLS handshake.

use super::dtls::{self, DtlsPipe, Identity};
use super::ice;
use super::routes::Routes;
use super::srtp::SrtpProfile;
use crate::error::ClientError;
use crate::rtcp_packets;
use crate::rtp_checks;
use railgun_protocol::signal::IceServer;
use railgun_protocol::transport_parameters::{IceParameters, TransportParameters};
use rtp::header::Header;
use rtp::packet::Packet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc_dtls::conn::DTLSConn;
use webrtc_ice::agent::Agent;
use webrtc_srtp::context::Context;
use webrtc_util::Conn;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// DTLS records that wait for the handshake; a lost one is sent again.
const DTLS_QUEUE: usize = 32;
const DATAGRAM_MAX: usize = 2048;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What to connect to, and how.
pub(crate) struct Remote<'a> {
    pub(crate) parameters: &'a TransportParameters,
    /// Through these and no other way; none: directly.
    pub(crate) relays: Option<Vec<IceServer>>,
    pub(crate) srtp_profiles: &'a [SrtpProfile],
    /// For ICE and for DTLS, each.
    pub(crate) handshake_timeout: Duration,
}

pub(crate) struct Link {
    agent: Arc<Agent>,
    conn: Arc<dyn Conn + Send + Sync>,
    dtls: Arc<DTLSConn>,
    sending: Mutex<Context>,
    profile: SrtpProfile,
    /// Of the transport-wide congestion control extension.
    transport_sequence: AtomicU16,
    closed: Arc<AtomicBool>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) async fn establish(
        remote: Remote<'_>,
        identity: &Identity,
        routes: Arc<Routes>,
    ) -> Result<Self, ClientError> {
        let limit = remote.handshake_timeout;
        let ice::Connected { agent, conn } =
            ice::connect(remote.parameters, remote.relays.as_deref(), limit).await?;
        let agent = Arc::new(agent);
        let (dtls_queue, dtls_records) = mpsc::channel(DTLS_QUEUE);
        let receiving = Arc::new(OnceLock::new());
        let closed = Arc::new(AtomicBool::new(false));
        let receiver = Receiver { conn: conn.clone(), dtls_queue, receiving: receiving.clone(), routes };
        tokio::spawn(receiver.run(closed.clone()));

        let pipe = DtlsPipe::new(conn.clone(), dtls_records);
        let announced = &remote.parameters.dtls_parameters.fingerprints;
        let secured = match dtls::handshake(pipe, identity, remote.srtp_profiles, announced, limit).await {
            Ok(secured) => secured,
            Err(error) => {
                // Ends the receiving task too.
                _ = agent.close().await;
                return Err(error);
            }
        };
        _ = receiving.set(Mutex::new(secured.contexts.receiving));
        let dtls = Arc::new(secured.dtls);
        tokio::spawn(watch_for_the_end(dtls.clone(), closed.clone()));
        Ok(Self {
            agent,
            conn,
            dtls,
            sending: Mutex::new(secured.contexts.sending),
            profile: secured.profile,
            transport_sequence: AtomicU16::new(0),
            closed,
        })
    }

    pub(crate) async fn send_rtp(&self, header: &Header, payload: &[u8]) -> Result<(), ClientError> {
        let mut plain = header.marshal()?.to_vec();
        plain.extend_from_slice(payload);
        let sealed = {
            let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
            sending.encrypt_rtp_with_header(&plain, header)?
        };
        self.send_datagram(&sealed).await
    }

    pub(crate) async fn send_rtcp(
        &self,
        packets: &[Box<dyn rtcp::packet::Packet + Send + Sync>],
    ) -> Result<(), ClientError> {
        let plain = rtcp::packet::marshal(packets)?;
        let sealed = {
            let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
            sending.encrypt_rtcp(&plain)?
        };
        self.send_datagram(&sealed).await
    }

    pub(crate) async fn send_datagram(&self, bytes: &[u8]) -> Result<(), ClientError> {
        self.conn.send(bytes).await?;
        Ok(())
    }

    pub(crate) async fn restart_ice(
        &self,
        remote: &TransportParameters,
        parameters: &IceParameters,
        limit: Duration,
    ) -> Result<(), ClientError> {
        ice::restart(&self.agent, remote, parameters, limit).await
    }

    pub(crate) fn next_transport_sequence(&self) -> u16 {
        self.transport_sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn srtp_profile(&self) -> SrtpProfile {
        self.profile
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) async fn close(&self) {
        close(self.dtls.clone(), self.agent.clone(), self.closed.clone()).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The agent's tasks hold its socket until it is told to close.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(close(self.dtls.clone(), self.agent.clone(), self.closed.clone()));
        }
    }
}

async fn close(dtls: Arc<DTLSConn>, agent: Arc<Agent>, closed: Arc<AtomicBool>) {
    closed.store(true, Ordering::Relaxed);
    _ = timeout(CLOSE_TIMEOUT, async {
        _ = dtls.close().await;
        _ = agent.close().await;
    })
    .await;
}

/// Nothing is sent over DTLS itself, so reading it ends with the connection.
async fn watch_for_the_end(dtls: Arc<DTLSConn>, closed: Arc<AtomicBool>) {
    let mut buffer = [0; DATAGRAM_MAX];
    while dtls.read(&mut buffer, None).await.is_ok() {}
    closed.store(true, Ordering::Relaxed);
}

/// The task that reads an ICE pair.
struct Receiver {
    conn: Arc<dyn Conn + Send + Sync>,
    dtls_queue: mpsc::Sender<Vec<u8>>,
    /// Set when DTLS is done.
    receiving: Arc<OnceLock<Mutex<Context>>>,
    routes: Arc<Routes>,
}

impl Receiver {
    async fn run(self, closed: Arc<AtomicBool>) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        while let Ok(length) = self.conn.recv(&mut buffer).await {
            self.on_datagram(&buffer[..length]);
        }
        closed.store(true, Ordering::Relaxed);
    }

    /// RFC 7983 §7 and, for RTCP, RFC 5761 §4.
    fn on_datagram(&self, datagram: &[u8]) {
        match datagram {
            [20..=63, ..] => {
                // A full queue loses the record; its sender repeats it.
                _ = self.dtls_queue.try_send(datagram.to_vec());
            }
            [128..=191, 192..=223, ..] => self.on_srtcp(datagram),
            [128..=191, _, ..] => self.on_srtp(datagram),
            _ => {}
        }
    }

    fn on_srtp(&self, datagram: &[u8]) {
        let Some(receiving) = self.receiving.get() else { return };
        if !rtp_checks::is_well_formed(datagram) {
            return self.routes.on_rejected();
        }
        let plain = receiving.lock().unwrap_or_else(PoisonError::into_inner).decrypt_rtp(datagram);
        let packet = plain
            .ok()
            .filter(|plain| rtp_checks::has_valid_padding(plain))
            .and_then(|mut plain| Packet::unmarshal(&mut plain).ok());
        match packet {
            Some(packet) => self.routes.on_rtp(packet),
            None => self.routes.on_rejected(),
        }
    }

    fn on_srtcp(&self, datagram: &[u8]) {
        let Some(receiving) = self.receiving.get() else { return };
        // Header, SSRC, index and the shortest tag.
        const SHORTEST: usize = 8 + 4 + 10;
        if datagram.len() < SHORTEST {
            return self.routes.on_rejected();
        }
        let plain = receiving.lock().unwrap_or_else(PoisonError::into_inner).decrypt_rtcp(datagram);
        match plain {
            Ok(plain) => {
                rtcp_packets::parse(&plain).into_iter().for_each(|item| self.routes.on_feedback(item))
            }
            Err(_) => self.routes.on_rejected(),
        }
    }
}
