//! `voice:join`. Checks: the channel exists; the token was checked when the socket connected, and
//! who may send what follows from it. Room and seats are the node's to check.
//!
//! Joining the channel one is in answers its present state; joining another leaves the first.

use super::unexpected;
use crate::clock::unix_seconds;
use crate::media_client::{NodeLink, NodeState};
use crate::policy::{admission, entitlement};
use crate::session::{Answer, Possessions, Seat, Session};
use crate::turn::Issued;
use railgun_shared::ids::ChannelId;
use railgun_shared::media_rpc::{Address, Command, Grant, JoinRequest, LeaveReason, Reply, RoomSnapshot};
use railgun_shared::plan::RoomLimits;
use railgun_shared::rtp_parameters::RtpCapabilities;
use railgun_shared::signal::{ErrorBody, ErrorCode, IceTransportPolicy, RtcConfig, ServerEvent};
use std::time::SystemTime;

pub(super) async fn join(
    session: &mut Session,
    channel: ChannelId,
    rtp_capabilities: Option<RtpCapabilities>,
) -> Result<Answer, ErrorBody> {
    let now = SystemTime::now();
    let limits = {
        let view = session.services.records.view();
        admission::admit(&view, &session.identity.user, &channel, unix_seconds(now))?
    };
    if session.seat.as_ref().is_some_and(|seat| seat.address.channel != channel) {
        super::leave::vacate(session).await?;
    }
    let (node, address) = session.services.placement.of(&channel);
    let grant = entitlement::grant(&session.identity, now);
    let request = JoinRequest {
        session: session.id,
        user: session.identity.user.clone(),
        device: session.device.clone(),
        name: session.identity.name.clone(),
        grant,
        limits,
        rtp_capabilities,
        resume: None,
        diagnostics: false,
    };
    let snapshot = take_seat(session, node.clone(), address, request).await?;
    Ok(joined(session, &node, channel, grant, limits, snapshot).into())
}

async fn take_seat(
    session: &mut Session,
    node: NodeLink,
    address: Address,
    request: JoinRequest,
) -> Result<RoomSnapshot, ErrorBody> {
    match session.call(&node, address.clone(), Command::Join(Box::new(request))).await {
        Ok(Reply::Joined(snapshot)) => {
            if session.seat.is_none() {
                session.seat = Some(Seat { node, address, possessions: Possessions::default() });
            }
            Ok(snapshot)
        }
        Ok(other) => Err(unexpected(&other)),
        Err(error) => {
            // Without a reply the node may still have given the seat, or do so later.
            if matches!(error.code, ErrorCode::NodeUnavailable | ErrorCode::Internal)
                && session.seat.is_none()
            {
                session.abandon(&node, address, LeaveReason::Left).await;
            }
            Err(error)
        }
    }
}

fn joined(
    session: &Session,
    node: &NodeLink,
    channel_id: ChannelId,
    grant: Grant,
    limits: RoomLimits,
    snapshot: RoomSnapshot,
) -> ServerEvent {
    let services = &session.services;
    let of_node =
        || node.state().map(|NodeState { media_address, node_id, .. }| media_address.unwrap_or(node_id));
    let Issued { ice_servers, expires_at } = super::turn::issue(session);
    let ice_transport_policy = match session.identity.privacy_mode {
        true => IceTransportPolicy::Relay,
        false => services.ice_transport_policy,
    };
    ServerEvent::Joined {
        channel_id,
        session_id: session.id,
        sfu_endpoint: services.sfu_endpoint.clone().or_else(of_node).unwrap_or_default(),
        participants: snapshot.participants,
        permissions: grant.permissions,
        limits,
        rtc_config: RtcConfig { ice_servers, ice_transport_policy },
        turn_credential_expires_at: expires_at,
        resume_token: None,
        room_seq: snapshot.room_seq,
    }
}
