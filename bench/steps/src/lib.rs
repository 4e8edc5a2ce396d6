//! Each step of the packet path alone: a file here for each file there, by the same name.
//!
//! One `Step` is run in two ways: `cargo bench` takes its time with criterion, and `railgun-steps`
//! runs it so many times for whoever counts its instructions (`railgun-bench steps`).
#![forbid(unsafe_code)]
#![cfg(feature = "steps")]

mod keys;
mod room;
mod step;
mod demux;
mod rtp;
mod inbound;
mod ingest;
mod policer;
mod transport_cc;
mod rtx_cache;
mod fan_out;
mod select;
mod rewrite;
mod sequence;
mod packet_writer;
mod header;
mod outbound;
mod sent_packets;
mod send_batch;
mod resend;

pub use step::{Step, measured_run};

use railgun_media_core::srtp::Suite;
use room::Room;

/// Makes a step ready for its first run.
pub type Make = fn() -> Box<dyn Step>;

/// Each step, in a packet's order. What is behind a slash is the case; the name before it is a file of
/// the core.
pub const STEPS: &[(&str, Make)] = &[
    ("demux", demux::new),
    ("rtp", rtp::new),
    ("inbound/gcm256", || inbound::new(Suite::AeadAes256Gcm)),
    ("inbound/gcm128", || inbound::new(Suite::AeadAes128Gcm)),
    ("inbound/cm", || inbound::new(Suite::AesCm128HmacSha1_80)),
    ("policer", policer::new),
    ("transport_cc/arrival", transport_cc::arrival),
    ("transport_cc/report", transport_cc::report),
    ("ingest/video", || ingest::new(Room::video())),
    ("ingest/audio", || ingest::new(Room::audio())),
    ("rtx_cache", || rtx_cache::new(Room::video())),
    ("select/video", || select::new(Room::video())),
    ("select/audio", || select::new(Room::audio())),
    ("sequence", sequence::new),
    ("header", || header::new(Room::video())),
    ("outbound/gcm256", || outbound::new(Suite::AeadAes256Gcm)),
    ("outbound/gcm128", || outbound::new(Suite::AeadAes128Gcm)),
    ("outbound/cm", || outbound::new(Suite::AesCm128HmacSha1_80)),
    ("send_batch", send_batch::new),
    ("sent_packets", sent_packets::new),
    ("packet_writer", || packet_writer::new(Room::video())),
    ("rewrite/video", || rewrite::new(Room::video())),
    ("rewrite/audio", || rewrite::new(Room::audio())),
    ("fan_out/video", || fan_out::new(Room::video())),
    ("fan_out/audio", || fan_out::new(Room::audio())),
    ("resend", || resend::new(Room::video())),
];
