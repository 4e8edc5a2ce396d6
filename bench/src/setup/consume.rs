//! What a consume costs the thread that forwards media, by what the command says of the receiver.

use crate::spread::Spread;
use crate::system::thread_cpu_ns;
use anyhow::{Result, bail};
use railgun_media_core::Notice;
use railgun_peer::Call;
use railgun_protocol::limits::{CODECS_MAX, FEEDBACKS_MAX, MESSAGE_BYTES_MAX};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::ortc::{DEFAULT_CODECS, narrow_capabilities, router_rtp_capabilities};
use railgun_protocol::rtp_parameters::RtpCapabilities;
use serde_json::{Value, json};

const TIMES: usize = 500;

/// us of the engine's CPU time: with the largest capabilities, with what is left of them once they are
/// narrowed, and with those of the join.
pub(super) fn measure() -> Result<[(&'static str, Spread); 3]> {
    let mut call = Call::new(4);
    let largest = largest()?;
    let narrowed = narrow_capabilities(&largest)?;
    Ok([
        ("largest", of_consume(&mut call, Some(&largest))?),
        ("narrowed", of_consume(&mut call, Some(&narrowed))?),
        ("known", of_consume(&mut call, None)?),
    ])
}

pub(super) fn json(costs: &[(&'static str, Spread)]) -> Value {
    costs.iter().map(|(name, us)| ((*name).to_owned(), us.json())).collect::<serde_json::Map<_, _>>().into()
}

fn of_consume(call: &mut Call, capabilities: Option<&RtpCapabilities>) -> Result<Spread> {
    let mut costs = Vec::new();
    for _ in 0..TIMES {
        let command = Command::Consume {
            session: call.listener,
            transport: None,
            producer: call.camera.producer,
            rtp_capabilities: capabilities.cloned(),
        };
        let world = &mut call.world;
        let before = thread_cpu_ns();
        world.engine.handle_command(1, &call.room, command, world.now, world.wall);
        costs.push((thread_cpu_ns() - before) as f64 / 1e3);
        while let Some(notice) = world.engine.poll_notice() {
            if let Notice::Reply { reply: Err(error), .. } = notice {
                bail!("refused: {error:?}");
            }
        }
        world.engine.sends().clear();
    }
    Ok(Spread::of(costs))
}

/// The router's codecs behind as many others as a message holds.
fn largest() -> Result<RtpCapabilities> {
    let mut largest = router_rtp_capabilities(&DEFAULT_CODECS, u32::MAX);
    let Some(mut other) = largest.codecs.get(1).cloned() else { bail!("no video codec") };
    other.mime_type = "video/other".into();
    other.rtcp_feedback = other.rtcp_feedback.iter().cycle().take(FEEDBACKS_MAX / 2).cloned().collect();
    other.parameters = (0..4).map(|number| (format!("p{number}"), json!(number))).collect();
    let is_taken =
        |taken: &RtpCapabilities, it| taken.codecs.iter().any(|codec| codec.preferred_payload_type == it);
    for payload_type in (0..=63).chain(96..=127).map(Some) {
        if largest.codecs.len() < CODECS_MAX && !is_taken(&largest, payload_type) {
            other.preferred_payload_type = payload_type;
            largest.codecs.insert(0, other.clone());
        }
    }
    let bytes = serde_json::to_vec(&largest)?.len();
    if bytes > MESSAGE_BYTES_MAX {
        bail!("{bytes} bytes are no message");
    }
    Ok(largest)
}
