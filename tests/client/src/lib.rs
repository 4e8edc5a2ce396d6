//! A client of the whole contract: socket.io for signaling; ICE, DTLS and SRTP for media.
//!
//! It shares no protocol code with the media node: the handshakes and packets of every test and
//! measurement run between two independent implementations. A client costs a handful of tasks and,
//! with both transports, three sockets, no thread, and all its queues are bounded, so that one process
//! can hold hundreds.
//!
//! ```no_run
//! # async fn example() -> Result<(), railgun_client::ClientError> {
//! use railgun_client::{Client, MediaKind, Source, TransportDirection};
//!
//! let client = Client::connect("http://127.0.0.1:8080", "token", None).await?;
//! client.join("lobby").await?;
//! let sending = client.create_transport(TransportDirection::Send).await?;
//! let microphone = sending.produce(MediaKind::Audio, Source::Mic).await?;
//! microphone.send(b"an opus frame", false, 960).await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod capabilities;
mod client;
mod consumer;
mod e2ee;
mod ending;
mod error;
mod producer;
mod resume;
mod rtcp_packets;
mod rtp_checks;
mod sframe;
mod sign_in;
mod socket_io;
mod transport;

pub use capabilities::{SENT_EXTENSIONS, SENT_PAYLOAD_TYPES, SentExtensions, SentPayloadTypes};
pub use client::{Client, ClientConfig, Joined};
pub use consumer::Consumer;
pub use e2ee::{GroupKeys, GroupOpener, GroupSealer, MlsPeer, Profile};
pub use ending::DisconnectReason;
pub use error::{ClientError, Refusal};
pub use producer::Producer;
pub use resume::Resumed;
pub use rtcp_packets::{Feedback, RtcpCounts};
pub use sframe::{Epoch, FrameCodec, FrameOpener, FrameSealer, OVERHEAD_MAX, SframeError, Suite};
pub use socket_io::{Event, EventStream};
pub use transport::{Identity, SrtpProfile, Tap, Transport};

pub use railgun_protocol::rtp_parameters::MediaKind;
pub use railgun_protocol::signal::{ErrorCode, Source};
pub use railgun_protocol::transport_parameters::TransportDirection;
pub use rtp::packet::Packet as RtpPacket;
