//! The media engine, without I/O: datagrams, commands and the time go in; datagrams, replies and
//! events come out. It opens no socket, reads no clock, starts no task and draws all its
//! randomness from one seed, so a run is a function of its input.
//!
//! The contract of a turn, for whoever drives it:
//!
//! 1. one of [`Engine::handle_datagrams`], [`Engine::handle_command`], [`Engine::handle_timeout`];
//! 2. send everything in [`Engine::sends`], then clear it; the first of the three hands over what is
//!    more than one batch while it works;
//! 3. drain [`Engine::poll_notice`];
//! 4. call [`Engine::handle_timeout`] no later than [`Engine::poll_timeout`] says.
//!
//! A packet's walk is `packet_path`, its files in the order in which a packet meets them.
//!
//! # Example
//!
//! Two sessions join a room, and one gets a transport to send over. A driver has a socket and a clock; here
//! the time is a variable, and the only datagram is one that the engine refuses.
//!
//! ```
//! use railgun_media_core::packet::ecn::Ecn;
//! use railgun_media_core::transport::dtls::{Certificate, DtlsVersion};
//! use railgun_media_core::{Datagram, Engine, EngineConfig, Notice};
//! use railgun_protocol::ids::{ChannelId, SessionId, UserId};
//! use railgun_protocol::media_rpc::{Address, Command, EncryptionRule, Grant, JoinRequest, Reply};
//! use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
//! use railgun_protocol::transport_parameters::{IceCandidate, TransportDirection};
//! use std::time::{Duration, Instant, SystemTime};
//!
//! let (mut now, wall) = (Instant::now(), SystemTime::now());
//! let mut engine = Engine::new(EngineConfig {
//!     candidates: vec![IceCandidate::udp_host([127, 0, 0, 1].into(), 40_000, 0)],
//!     certificate: Certificate::generate()?,
//!     dtls_version: DtlsVersion::Dtls12,
//!     relays: Default::default(),
//!     seed: [7; 32], // of a real node: 32 secret random bytes
//!     handshakes_max: 100,
//!     bitrate_headroom_percent: 150,
//!     started: (now, wall),
//!     tells_media_started: false,
//!     speech_fec: false,
//!     l4s: false,
//! });
//! let room = Address { channel: ChannelId::new("lobby")?, epoch: 1 };
//! for (tag, name) in [(1, "ann"), (2, "ben")] {
//!     let join = JoinRequest {
//!         session: SessionId::from_bits(tag.into()),
//!         user: UserId::new(name)?,
//!         device: None,
//!         name: None,
//!         avatar: None,
//!         grant: Grant { permissions: Permissions::of(Tier::Pro), video_until: None, relay_only: false },
//!         limits: RoomLimits::of(Tier::Pro),
//!         rtp_capabilities: None,
//!         resume: None,
//!         diagnostics: false,
//!         asked_at: 0,
//!         anew: false,
//!         encryption: EncryptionRule::default(),
//!     };
//!     engine.handle_command(tag, &room, Command::Join(Box::new(join)), now, wall);
//! }
//! let (session, direction) = (SessionId::from_bits(1), TransportDirection::Send);
//! engine.handle_command(3, &room, Command::CreateTransport { session, direction }, now, wall);
//!
//! // Replies and events, in the order in which things happened; the client of the third reply now has
//! // an ICE user fragment, a password and a fingerprint, and sends its first check to the candidate.
//! let notices: Vec<Notice> = std::iter::from_fn(|| engine.poll_notice()).collect();
//! assert!(notices.iter().any(|notice| matches!(notice, Notice::Event(_)))); // ann hears of ben
//! let Some(Notice::Reply { tag: 3, reply: Ok(Reply::TransportCreated { .. }) }) = notices.last() else {
//!     panic!("no transport: {notices:?}");
//! };
//!
//! let source = "192.0.2.1:5000".parse()?;
//! let mut bytes = *b"neither STUN, DTLS, RTP nor RTCP";
//! let datagram = Datagram { source, bytes: &mut bytes, arrived: now, ecn: Ecn::NotEct };
//! engine.handle_datagrams(&mut [datagram], now, |_batch| unreachable!("nothing to forward"));
//! assert_eq!(engine.counters().unknown_datagrams, 1);
//! engine.sends().clear(); // after sending what is in it
//!
//! // Nothing arrives any more: time alone goes on.
//! for _ in 0..3 {
//!     now = engine.poll_timeout().unwrap_or(now + Duration::from_secs(1));
//!     engine.handle_timeout(now);
//! }
//! assert_eq!((engine.room_count(), engine.session_count()), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// No clock, thread, socket or unseeded randomness: the lists are in clippy.toml.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod packet;
pub mod srtp;
pub mod transport;
pub mod send_batch;
mod allowance;
mod arena;
mod audio;
mod clock;
mod codec;
mod congestion;
mod config;
mod engine;
mod feedback;
mod feedback_path;
mod output;
mod packet_path;
mod random;
mod room;
mod timers;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
#[allow(missing_docs, clippy::type_complexity, reason = "no part of the interface")]
pub mod fuzzing;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
#[cfg(feature = "steps")]
#[doc(hidden)]
pub use packet_path::steps;

pub use config::{Datagram, EngineConfig};
pub use engine::Engine;
pub use output::{Counters, Notice};
pub use room::reconnecting::Silence;
