//! A WebRTC transport of this client: created by signaling, connected inside the first produce or
//! consume as a browser's is.

pub(crate) mod dtls;
mod ice;
pub(crate) mod link;
pub(crate) mod routes;
pub(crate) mod srtp;
#[cfg(test)]
mod tests;

pub use dtls::Identity;
pub use routes::Tap;
pub use srtp::SrtpProfile;

use crate::capabilities::{self, Sending};
use crate::client::Client;
use crate::consumer::{Consumer, OWN_SSRC};
use crate::error::{ClientError, read};
use crate::producer::Producer;
use crate::rtcp_packets::{Feedback, RtcpCounts};
use link::{Link, Remote};
use railgun_protocol::ids::{ProducerId, TransportId};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::{
    DtlsParameters, DtlsRole, IceParameters, TransportDirection, TransportParameters,
};
use routes::Routes;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{OnceCell, broadcast};

/// RFC 3550 §6.4.2: the count of blocks has five bits.
const REPORT_BLOCKS_MAX: usize = 31;

/// Clones share the connection; it closes with the last clone, producer and consumer.
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    id: TransportId,
    direction: TransportDirection,
    remote: TransportParameters,
    routes: Arc<Routes>,
    link: OnceCell<Arc<Link>>,
    next_mid: AtomicU32,
    cname: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    transport_id: TransportId,
    #[serde(flatten)]
    parameters: TransportParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restarted {
    ice_parameters: IceParameters,
}

impl Client {
    /// Creates a transport. It connects inside its first produce or consume.
    pub async fn create_transport(&self, direction: TransportDirection) -> Result<Transport, ClientError> {
        let reply = self.request("voice:rtc:createTransport", json!({ "direction": direction })).await?;
        Transport::new(self.clone(), direction, &reply)
    }
}

impl Transport {
    fn new(client: Client, direction: TransportDirection, reply: &Value) -> Result<Self, ClientError> {
        let created: Created = read("voice:transportCreated", reply)?;
        let inner = Inner {
            client,
            id: created.transport_id,
            direction,
            remote: created.parameters,
            routes: Arc::default(),
            link: OnceCell::new(),
            next_mid: AtomicU32::new(0),
            cname: format!("{:08x}", rand::random::<u32>()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn id(&self) -> TransportId {
        self.inner.id
    }

    pub fn direction(&self) -> TransportDirection {
        self.inner.direction
    }

    /// The server's half, as `createTransport` answered it.
    pub fn remote(&self) -> &TransportParameters {
        &self.inner.remote
    }

    /// What `connectTransport` carries.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        let fingerprints = vec![self.inner.client.identity().fingerprint()];
        DtlsParameters { role: DtlsRole::Client, fingerprints }
    }

    /// Connects: `connectTransport`, ICE, DTLS. Does nothing if it is connected.
    pub async fn connect(&self) -> Result<(), ClientError> {
        self.link().await.map(drop)
    }

    /// Asks for new ICE credentials and moves to them, from a new port. DTLS and media go on.
    ///
    /// # Errors
    /// [`ClientError::NotConnected`] before the transport is connected.
    pub async fn restart_ice(&self) -> Result<(), ClientError> {
        let inner = &*self.inner;
        let link = inner.link.get().ok_or(ClientError::NotConnected)?;
        let payload = json!({ "transportId": inner.id });
        let reply = inner.client.request("voice:rtc:restartIce", payload).await?;
        let Restarted { ice_parameters } = read("voice:iceRestarted", &reply)?;
        link.restart_ice(&inner.remote, &ice_parameters, inner.client.config().handshake_timeout).await
    }

    /// Connects if need be, asks for a producer and gives it.
    pub async fn produce(&self, kind: MediaKind, source: Source) -> Result<Producer, ClientError> {
        let inner = &*self.inner;
        let sending = Sending {
            kind,
            mid: inner.next_mid.fetch_add(1, Ordering::Relaxed).to_string(),
            ssrc: rand::random::<u32>() | 1,
            rtx_ssrc: rand::random::<u32>() & !1,
            cname: inner.cname.clone(),
        };
        let parameters =
            capabilities::producer_parameters(inner.client.router_capabilities().await?, &sending)?;
        let link = self.link().await?;
        let payload = json!({
            "transportId": inner.id,
            "kind": kind,
            "rtpParameters": parameters,
            "appData": { "source": source },
        });
        let reply = inner.client.request("voice:rtc:produce", payload).await?;
        Producer::new(inner.client.clone(), link, &sending, &reply)
    }

    /// Asks for a consumer, connects if need be and gives it. Video begins paused on the server's
    /// side: [`Consumer::resume`].
    pub async fn consume(&self, producer: ProducerId) -> Result<Consumer, ClientError> {
        self.consume_by(producer, None).await
    }

    /// [`Self::consume`] for measurements: `tap` gets the packets instead of [`Consumer::receive`],
    /// without a queue or a task in between.
    pub async fn consume_into(&self, producer: ProducerId, tap: Tap) -> Result<Consumer, ClientError> {
        self.consume_by(producer, Some(tap)).await
    }

    async fn consume_by(&self, producer: ProducerId, tap: Option<Tap>) -> Result<Consumer, ClientError> {
        let inner = &*self.inner;
        let payload = json!({
            "transportId": inner.id,
            "producerId": producer,
            "rtpCapabilities": inner.client.receive_capabilities().await?,
        });
        let reply = inner.client.request("voice:rtc:consume", payload).await?;
        let described = Consumer::read(&reply)?;
        // Before the link: its first packets must find their way.
        let packets = inner.routes.add(&described.streams(), inner.client.config().consumer_queue, tap);
        let link = self.link().await?;
        Ok(Consumer::new(inner.client.clone(), described, link, inner.routes.clone(), packets))
    }

    /// RTCP received so far; RTP that no consumer wanted or had room for.
    pub fn rtcp_counts(&self) -> RtcpCounts {
        self.inner.routes.counts()
    }

    /// Feedback from now on, as received.
    pub fn feedback(&self) -> broadcast::Receiver<Feedback> {
        self.inner.routes.feedback()
    }

    /// The SRTP profile in use, once connected.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.inner.link.get().map(|link| link.srtp_profile())
    }

    /// Whether the other end has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.inner.link.get().is_some_and(|link| link.is_closed())
    }

    /// Ends DTLS with a close_notify and frees the socket.
    pub async fn close(&self) {
        if let Some(link) = self.inner.link.get() {
            link.close().await;
        }
    }

    /// Sends RTCP packets as one compound.
    pub async fn send_rtcp(
        &self,
        packets: &[Box<dyn rtcp::packet::Packet + Send + Sync>],
    ) -> Result<(), ClientError> {
        self.inner.link.get().ok_or(ClientError::NotConnected)?.send_rtcp(packets).await
    }

    /// Reports reception of these streams: SSRC, extended highest sequence number, and the part lost
    /// since the last report in 1/256.
    pub async fn send_receiver_reports(&self, streams: &[(u32, u32, u8)]) -> Result<(), ClientError> {
        for part in streams.chunks(REPORT_BLOCKS_MAX) {
            let report = |&(ssrc, last_sequence_number, fraction_lost)| ReceptionReport {
                ssrc,
                last_sequence_number,
                fraction_lost,
                ..ReceptionReport::default()
            };
            let reports = part.iter().map(report).collect();
            let report = ReceiverReport { ssrc: OWN_SSRC, reports, ..ReceiverReport::default() };
            self.send_rtcp(&[Box::new(report)]).await?;
        }
        Ok(())
    }

    /// Sends any bytes to the node from this transport's own address, past SRTP: for tests of what
    /// it must survive.
    pub async fn send_datagram(&self, bytes: &[u8]) -> Result<(), ClientError> {
        self.inner.link.get().ok_or(ClientError::NotConnected)?.send_datagram(bytes).await
    }

    async fn link(&self) -> Result<Arc<Link>, ClientError> {
        let inner = &*self.inner;
        let link = inner.link.get_or_try_init(|| async {
            let payload = json!({ "transportId": inner.id, "dtlsParameters": self.dtls_parameters() });
            inner.client.request("voice:rtc:connectTransport", payload).await?;
            let config = inner.client.config();
            let remote = Remote {
                parameters: &inner.remote,
                relays: inner.client.relays_to_use(),
                srtp_profiles: &config.srtp_profiles,
                handshake_timeout: config.handshake_timeout,
            };
            Link::establish(remote, inner.client.identity(), inner.routes.clone()).await.map(Arc::new)
        });
        link.await.cloned()
    }
}
