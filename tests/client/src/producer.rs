//! Something this client sends.

use crate::capabilities::{SENT_EXTENSIONS, SENT_PAYLOAD_TYPES, Sending};
use crate::client::Client;
use crate::error::{ClientError, read};
use crate::transport::link::Link;
use bytes::Bytes;
use railgun_protocol::ids::ProducerId;
use railgun_protocol::rtp_parameters::MediaKind;
use rtcp::sender_report::SenderReport;
use rtp::header::Header;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};

/// RFC 6464: voice, at -60 dBov, which is no steady tone to anyone.
const AUDIO_LEVEL: u8 = 0x80 | 60;

/// One SSRC on its way to the server.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    link: Arc<Link>,
    id: ProducerId,
    kind: MediaKind,
    mid: String,
    ssrc: u32,
    payload_type: u8,
    next_sequence: AtomicU16,
    packets: AtomicU32,
    octets: AtomicU32,
    /// RFC 6464.
    audio_level: AtomicU8,
}

impl Producer {
    pub(crate) fn new(
        client: Client,
        link: Arc<Link>,
        sending: &Sending,
        reply: &Value,
    ) -> Result<Self, ClientError> {
        let id = read("producerId", reply.get("producerId").unwrap_or(&Value::Null))?;
        let payload_type = match sending.kind {
            MediaKind::Audio => SENT_PAYLOAD_TYPES.opus,
            MediaKind::Video => SENT_PAYLOAD_TYPES.vp8,
        };
        Ok(Self {
            client,
            link,
            id,
            kind: sending.kind,
            mid: sending.mid.clone(),
            ssrc: sending.ssrc,
            payload_type,
            next_sequence: AtomicU16::new(rand::random()),
            packets: AtomicU32::new(0),
            octets: AtomicU32::new(0),
            audio_level: AtomicU8::new(AUDIO_LEVEL),
        })
    }

    pub fn id(&self) -> ProducerId {
        self.id
    }

    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Sends one RTP packet; `timestamp` in the codec's clock. Gives its sequence number.
    pub async fn send(&self, payload: &[u8], marker: bool, timestamp: u32) -> Result<u16, ClientError> {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        self.send_as(sequence, payload, marker, timestamp).await?;
        Ok(sequence)
    }

    /// What packets of audio say from now on: whether it is a voice, and how far below the loudest
    /// possible, in dB.
    pub fn set_audio_level(&self, is_voice: bool, below: u8) {
        self.audio_level.store(u8::from(is_voice) << 7 | below.min(127), Ordering::Relaxed);
    }

    /// Lets sequence numbers pass unsent, as a lossy network would.
    pub fn skip(&self, packets: u16) {
        self.next_sequence.fetch_add(packets, Ordering::Relaxed);
    }

    /// Sends a packet under a sequence number of the caller's, to repeat or reorder.
    pub async fn send_as(
        &self,
        sequence: u16,
        payload: &[u8],
        marker: bool,
        timestamp: u32,
    ) -> Result<(), ClientError> {
        let mut header = Header {
            version: 2,
            marker,
            payload_type: self.payload_type,
            sequence_number: sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        header.set_extension(SENT_EXTENSIONS.mid, Bytes::copy_from_slice(self.mid.as_bytes()))?;
        match self.kind {
            MediaKind::Audio => {
                let level = self.audio_level.load(Ordering::Relaxed);
                header.set_extension(SENT_EXTENSIONS.audio_level, Bytes::copy_from_slice(&[level]))?;
            }
            MediaKind::Video => {
                let sequence = self.link.next_transport_sequence().to_be_bytes();
                header.set_extension(SENT_EXTENSIONS.transport_wide_cc, Bytes::copy_from_slice(&sequence))?;
            }
        }
        self.link.send_rtp(&header, payload).await?;
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(u32::try_from(payload.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// Sends a sender report that ties `rtp` to the 64-bit NTP time `ntp`.
    pub async fn send_report(&self, ntp: u64, rtp: u32) -> Result<(), ClientError> {
        let report = SenderReport {
            ssrc: self.ssrc,
            ntp_time: ntp,
            rtp_time: rtp,
            packet_count: self.packets.load(Ordering::Relaxed),
            octet_count: self.octets.load(Ordering::Relaxed),
            ..SenderReport::default()
        };
        self.link.send_rtcp(&[Box::new(report)]).await
    }

    pub async fn pause(&self) -> Result<(), ClientError> {
        self.ask("voice:rtc:pauseProducer").await
    }

    pub async fn resume(&self) -> Result<(), ClientError> {
        self.ask("voice:rtc:resumeProducer").await
    }

    pub async fn close(self) -> Result<(), ClientError> {
        self.ask("voice:rtc:closeProducer").await
    }

    async fn ask(&self, event: &str) -> Result<(), ClientError> {
        self.client.request(event, json!({ "producerId": self.id })).await.map(drop)
    }
}
