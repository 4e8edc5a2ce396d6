//! `voice:join`. Checks: the channel exists and is open to this user, who is not banned from it; the
//! user has not joined too often or too lately. The token was checked when the socket connected, and
//! who may send what follows from it and from the records. In a channel that is encrypted end to end,
//! the client says that it can do so. Whoever is in privacy mode needs relays, here and
//! at the node, or would wait for media that cannot come. Room and seats are the node's to check.
//!
//! Joining the channel one is in answers its present state; joining another leaves the first.

use super::diagnostics;
use super::leave::leave_current_room;
use super::turn;
use crate::clock::{unix_millis, unix_seconds};
use crate::media_client::{NodeLink, NodeState, later, unavailable, unexpected};
use crate::policy::admission;
use crate::records::ChannelKind;
use crate::refusal::Refusal;
use crate::resume_token::ResumeToken;
use crate::session::{Answer, OwnedObjects, Seat, Session};
use crate::turn::Issued;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{
    Address, Command, EncryptionRule, JoinRequest, LeaveReason, Replacement, Reply, RoomSnapshot, UserAction,
    UserOrder,
};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::{
    E2eeSupport, Encryption, ErrorCode, IceTransportPolicy, NetworkType, RtcConfig, ServerEvent,
};
use std::time::SystemTime;

/// `voice:join` as it came.
pub(super) struct Request {
    pub(super) channel: ChannelId,
    pub(super) rtp_capabilities: Option<RtpCapabilities>,
    pub(super) network_type: Option<NetworkType>,
    pub(super) e2ee: Option<E2eeSupport>,
}

pub(super) async fn join(session: &mut Session, request: Request) -> Result<Answer, Refusal> {
    let network_type = session.network(request.network_type);
    let joined = try_join(session, Request { network_type, ..request }).await;
    if let Err(error) = &joined {
        let region = session.region();
        session.services.metrics.calls.refused(region, network_type, error);
    }
    joined
}

async fn try_join(session: &mut Session, request: Request) -> Result<Answer, Refusal> {
    let Request { channel, rtp_capabilities, network_type, e2ee } = request;
    let is_diagnostics = diagnostics::is(&channel);
    let (limits, encryption) = admitted(session, &channel)?;
    if encryption.encryption == Encryption::EndToEnd && !e2ee.is_some_and(|e2ee| e2ee.suffices()) {
        return Err(Refusal::CannotEncrypt);
    }
    let (told, rtp_capabilities) = match rtp_capabilities {
        Some(said) => {
            let (digest, narrowed) = session.capabilities.narrow(&said)?;
            (Some(digest), Some(narrowed.clone()))
        }
        None => (None, None),
    };
    let is_seated = session.seat.as_ref().is_some_and(|seat| seat.channel == channel);
    if !is_seated {
        count(session, is_diagnostics).await?;
        leave_current_room(session, LeaveReason::Left).await?;
    }
    let room = if is_diagnostics { diagnostics::room_of(session.id)? } else { channel.clone() };
    let grant = session.grant();
    let token = match &session.seat {
        Some(seat) => seat.token.clone(),
        None if is_diagnostics => None,
        None => Some(ResumeToken::new(session.id, channel.clone())),
    };
    let request = JoinRequest {
        session: session.id,
        user: session.identity.user.clone(),
        device: session.device.clone(),
        name: session.identity.name.clone(),
        avatar: session.own_avatar(),
        grant,
        limits,
        rtp_capabilities,
        resume: token.as_ref().map(ResumeToken::digest),
        diagnostics: is_diagnostics,
        asked_at: session.services.join_stamps.next(unix_millis(SystemTime::now())),
        anew: false,
        encryption,
    };
    let asked_at = request.asked_at;
    let (node, address, snapshot) = find_seat(session, &room, request).await?;
    if session.seat.is_none() {
        let region = session.region();
        let begin = || session.services.metrics.calls.begin(region, network_type, true);
        let mut call = (!is_diagnostics).then(begin);
        if let Some(call) = call.as_mut().filter(|_| grant.relay_only) {
            call.goes_through_relays();
        }
        if let (Some(call), Some(span)) = (call.as_mut(), session.traced.take_join()) {
            call.is_traced(span, node.state().map(|state| state.node_id));
        }
        let owned = OwnedObjects::default();
        let timeline = match is_diagnostics {
            true => None,
            false => session.timeline(&channel, &node, network_type, true),
        };
        session.seat = Some(Seat {
            node: node.clone(),
            address,
            channel,
            owned,
            attachment: snapshot.attachment,
            grant,
            limits,
            encryption: snapshot.encryption,
            capabilities: None,
            token,
            is_unconfirmed: false,
            is_silent: false,
            call,
            timeline,
        });
        arrived(session, is_diagnostics, asked_at).await;
    }
    if let Some(seat) = session.seat.as_mut().filter(|_| told.is_some()) {
        seat.capabilities = told;
    }
    joined(session, &node, snapshot)
}

/// How often a room is looked for again that was not where it was looked for: it moved, or it ended because its
/// channel is encrypted in another way now and its key in etcd goes meanwhile.
const LOOKS_AGAIN: u32 = 2;

/// Takes a seat where the channel's room is, and looks for it again if it was just moving.
async fn find_seat(
    session: &mut Session,
    room: &ChannelId,
    request: JoinRequest,
) -> Result<(NodeLink, Address, RoomSnapshot), Refusal> {
    let services = session.services.clone();
    let mut looks_left = LOOKS_AGAIN;
    loop {
        let (node, address) = services.placement.place(room, session.region()).await?;
        check_privacy(session, &node)?;
        // A seat at another node is one in a room that is gone.
        session.seat.take_if(|seat| !seat.node.is(&node));
        match ask_for_seat(session, &node, &address, request.clone()).await {
            Ok(snapshot) => return Ok((node, address, snapshot)),
            Err(Refusal::RoomMoved(_)) => {
                services.placement.forget(&address);
                looks_left = looks_left.checked_sub(1).ok_or_else(unavailable)?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn check_privacy(session: &Session, node: &NodeLink) -> Result<(), Refusal> {
    if !session.identity.privacy_mode {
        return Ok(());
    }
    let missing = if !session.services.turn.has_relay() {
        "turn.urls of the control-plane"
    } else if node.state().is_some_and(|node| node.lacks_relays) {
        "rtc.relays of the media node"
    } else {
        return Ok(());
    };
    Err(Refusal::NoRelay(missing))
}

fn admitted(session: &Session, channel: &ChannelId) -> Result<(RoomLimits, EncryptionRule), Refusal> {
    if diagnostics::is(channel) {
        return Ok((diagnostics::LIMITS, EncryptionRule::default()));
    }
    // Such names are ours.
    if channel.as_str().starts_with('$') {
        return Err(Refusal::NoSuchChannel);
    }
    if !session.services.records.is_complete() {
        return Err(unavailable());
    }
    let view = session.services.records.view();
    let limits = admission::admit(&view, &session.identity.user, channel, unix_seconds(SystemTime::now()))?;
    Ok((limits, view.encryption(channel)))
}

/// Counts a join against the user's, unless the server itself asked for it.
async fn count(session: &Session, is_diagnostics: bool) -> Result<(), Refusal> {
    let user = &session.identity.user;
    let now = unix_millis(SystemTime::now());
    match (is_diagnostics, session.may_rejoin) {
        (true, _) => session.services.diagnostics.ask(user, now).await,
        (false, true) => session.services.joins.ask_uncounted(user, now).await,
        (false, false) => session.services.joins.ask(user, now).await,
    }
}

/// What follows from a seat that was not there before.
async fn arrived(session: &mut Session, is_diagnostics: bool, asked_at: u64) {
    if is_diagnostics {
        return;
    }
    session.may_rejoin = false;
    if let Some(seat) = &session.seat {
        session.services.rings.answered(&session.identity.user, &seat.channel);
    }
    session.services.joins.succeeded(&session.identity.user, unix_millis(SystemTime::now())).await;
    if let Some(device) = session.device.clone() {
        let action = UserAction::Replace(Replacement { device, by: session.id, asked_at });
        session.services.placement.order(UserOrder {
            user: session.identity.user.clone(),
            channel: None,
            action,
        });
    }
}

async fn ask_for_seat(
    session: &mut Session,
    node: &NodeLink,
    address: &Address,
    request: JoinRequest,
) -> Result<RoomSnapshot, Refusal> {
    // What the node may still have of a seat that was given up is of no use to anybody.
    let request = JoinRequest { anew: session.seat.is_none(), ..request };
    let encryption = request.encryption.encryption;
    match session.call(node, address.clone(), Command::Join(Box::new(request))).await {
        // A node of a version before it takes no notice of what is asked.
        Ok(Reply::Joined(snapshot)) if snapshot.encryption != encryption => {
            session.abandon(node, address.clone(), LeaveReason::Left).await;
            Err(later("the channel's media node cannot encrypt end to end"))
        }
        Ok(Reply::Joined(snapshot)) => Ok(snapshot),
        Ok(other) => Err(unexpected(&other)),
        Err(error) => {
            // Without a reply the node may still have given the seat, or do so later.
            if matches!(error.code(), ErrorCode::NodeUnavailable | ErrorCode::Internal)
                && !matches!(error, Refusal::RoomMoved(_))
                && session.seat.is_none()
            {
                session.abandon(node, address.clone(), LeaveReason::Left).await;
            }
            Err(error)
        }
    }
}

fn joined(session: &Session, node: &NodeLink, snapshot: RoomSnapshot) -> Result<Answer, Refusal> {
    let seat = session.seated()?;
    let services = &session.services;
    let dm =
        services.records.view().written_channel(&seat.channel).is_some_and(|of| of.kind == ChannelKind::Dm);
    let of_node =
        || node.state().map(|NodeState { media_address, node_id, .. }| media_address.unwrap_or(node_id));
    let Issued { ice_servers, expires_at } = turn::issue(session);
    let ice_transport_policy = match session.identity.privacy_mode {
        true => IceTransportPolicy::Relay,
        false => services.ice_transport_policy,
    };
    Ok(ServerEvent::Joined {
        channel_id: seat.channel.clone(),
        dm,
        session_id: session.id,
        sfu_endpoint: services.sfu_endpoint.clone().or_else(of_node).unwrap_or_default(),
        participants: session.as_shown(snapshot.participants),
        permissions: seat.grant.permissions,
        limits: seat.limits,
        rtc_config: RtcConfig { ice_servers, ice_transport_policy },
        turn_credential_expires_at: expires_at,
        resume_token: session.token_text(seat),
        encryption: seat.encryption,
        room_seq: snapshot.room_seq,
    }
    .into())
}
