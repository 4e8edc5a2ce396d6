//! Something this client receives.

use crate::client::Client;
use crate::error::{ClientError, read};
use crate::transport::link::Link;
use crate::transport::routes::Routes;
use bytes::Bytes;
use railgun_protocol::ids::{ConsumerId, ProducerId, SessionId, UserId};
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters, extension_uri};
use railgun_protocol::signal::AppData;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use rtp::packet::Packet;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The SSRC under which a client without media of its own on a transport reports.
pub(crate) const OWN_SSRC: u32 = 1;

/// The reply to a consume.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    consumer_id: ConsumerId,
    producer_id: ProducerId,
    user_id: UserId,
    session_id: SessionId,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    producer_paused: bool,
    app_data: AppData,
}

impl Description {
    /// The media SSRC and, with retransmission, its SSRC.
    pub(crate) fn streams(&self) -> Vec<u32> {
        let encodings = self.rtp_parameters.encodings.iter();
        encodings
            .flat_map(|encoding| encoding.ssrc.into_iter().chain(encoding.rtx.map(|rtx| rtx.ssrc)))
            .collect()
    }
}

/// One producer of somebody else, as forwarded to this client.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    described: Description,
    link: Arc<Link>,
    routes: Arc<Routes>,
    packets: mpsc::Receiver<Packet>,
}

impl Consumer {
    pub(crate) fn read(reply: &Value) -> Result<Description, ClientError> {
        let described: Description = read("voice:consumed", reply)?;
        let one_encoding =
            matches!(described.rtp_parameters.encodings.as_slice(), [only] if only.ssrc.is_some());
        if !one_encoding || described.rtp_parameters.codecs.is_empty() {
            return Err(ClientError::Protocol(
                "a consumer needs one encoding with an SSRC, and a codec".into(),
            ));
        }
        Ok(described)
    }

    pub(crate) fn new(
        client: Client,
        described: Description,
        link: Arc<Link>,
        routes: Arc<Routes>,
        packets: mpsc::Receiver<Packet>,
    ) -> Self {
        Self { client, described, link, routes, packets }
    }

    /// The next packet, decrypted, retransmissions (by their own SSRC) included; `None` when the
    /// transport has ended.
    pub async fn receive(&mut self) -> Option<Packet> {
        self.packets.recv().await
    }

    pub fn id(&self) -> ConsumerId {
        self.described.consumer_id
    }

    pub fn producer_id(&self) -> ProducerId {
        self.described.producer_id
    }

    pub fn user_id(&self) -> &UserId {
        &self.described.user_id
    }

    pub fn session_id(&self) -> SessionId {
        self.described.session_id
    }

    pub fn kind(&self) -> MediaKind {
        self.described.kind
    }

    pub fn app_data(&self) -> AppData {
        self.described.app_data
    }

    pub fn producer_paused(&self) -> bool {
        self.described.producer_paused
    }

    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.described.rtp_parameters
    }

    pub fn ssrc(&self) -> u32 {
        self.described.rtp_parameters.encodings.first().and_then(|encoding| encoding.ssrc).unwrap_or_default()
    }

    pub fn rtx_ssrc(&self) -> Option<u32> {
        self.described.rtp_parameters.encodings.first().and_then(|encoding| encoding.rtx).map(|rtx| rtx.ssrc)
    }

    /// The media codec's payload type.
    pub fn payload_type(&self) -> u8 {
        self.described.rtp_parameters.codecs.first().map(|codec| codec.payload_type).unwrap_or_default()
    }

    /// The MID that a packet carries in its header extension.
    pub fn mid_of(&self, packet: &Packet) -> Option<Bytes> {
        let extensions = &self.described.rtp_parameters.header_extensions;
        let id = extensions.iter().find(|extension| extension.uri == extension_uri::MID)?.id;
        packet.header.get_extension(id)
    }

    pub async fn pause(&self) -> Result<(), ClientError> {
        self.ask("voice:rtc:pauseConsumer").await
    }

    pub async fn resume(&self) -> Result<(), ClientError> {
        self.ask("voice:rtc:resumeConsumer").await
    }

    /// Asks by RTCP, as a decoder that lost its reference does.
    pub async fn send_pli(&self) -> Result<(), ClientError> {
        let pli = PictureLossIndication { sender_ssrc: OWN_SSRC, media_ssrc: self.ssrc() };
        self.link.send_rtcp(&[Box::new(pli)]).await
    }

    /// Asks by RTCP for these packets again.
    pub async fn send_nack(&self, sequences: &[u16]) -> Result<(), ClientError> {
        let nacks = nack_pairs_from_sequence_numbers(sequences);
        let nack = TransportLayerNack { sender_ssrc: OWN_SSRC, media_ssrc: self.ssrc(), nacks };
        self.link.send_rtcp(&[Box::new(nack)]).await
    }

    async fn ask(&self, event: &str) -> Result<(), ClientError> {
        self.client.request(event, json!({ "consumerId": self.id() })).await.map(drop)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.routes.remove(&self.described.streams());
    }
}
