//! Rooms that are open: who is in them, and what to do about it. What is told is the node's own word.

use super::access::Operator;
use super::api::{Api, Changed, noted};
use super::body::Object;
use super::error::{Absent, ApiError, Refused, Unavailable};
use super::path::{Limit, OfChannel, OfSession, Page, channel_id, session_id};
use super::scope::Scope;
use crate::clock::unix_millis;
use crate::media_client::NodeLink;
use crate::placement::Found;
use crate::records::{REASON_CHARS_MAX, seconds_if_any};
use crate::refusal::Refusal;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, Reply, RoomSnapshot};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::{ErrorCode, Participant, Source};
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use utoipa::ToSchema;

/// A year: who is to stay away for longer is banned.
const BAN_SECONDS_MAX: u64 = 365 * 24 * 3600;
/// What is told to who is kicked without a reason.
const REASON: &str = "admin";

type OfPath = Result<Path<(String, String)>, PathRejection>;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomSummary {
    channel: String,
    /// The name of its media node.
    node: String,
    participants: u32,
    producers: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rooms {
    /// In the order of their channels' names.
    rooms: Vec<RoomSummary>,
    /// Media nodes that did not answer: their rooms are not in the list.
    unreached: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    /// The name of its media node.
    node: String,
    /// Oldest first.
    participants: Vec<InRoom>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InRoom {
    user_id: String,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    muted: bool,
    deafened: bool,
    speaking: bool,
    producers: Vec<Produced>,
}

/// Who is in a channel.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participants {
    /// Oldest first.
    participants: Vec<InRoom>,
    /// Which of the channel's rooms this is, as webhooks have it; absent: none is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    /// Webhooks of this epoch with a higher one are later.
    #[serde(skip_serializing_if = "Option::is_none")]
    room_seq: Option<u64>,
}

/// Something that a participant sends.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produced {
    producer_id: String,
    /// `audio` or `video`.
    #[schema(value_type = String)]
    kind: MediaKind,
    /// `mic`, `camera`, `screen` or `screenAudio`.
    #[schema(value_type = String)]
    source: Source,
    paused: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kick {
    /// What the client is told; `admin` if not given.
    #[serde(default)]
    #[schema(max_length = 256)]
    reason: Option<String>,
    /// For so long the user may join no channel.
    #[serde(default, deserialize_with = "seconds_if_any")]
    #[schema(minimum = 1, maximum = 31_536_000)]
    ban_seconds: Option<u64>,
}

impl From<Participant> for InRoom {
    fn from(of: Participant) -> Self {
        let producers = of.producers.into_iter().map(|producer| Produced {
            producer_id: producer.producer_id.to_string(),
            kind: producer.kind,
            source: producer.app_data.source,
            paused: producer.paused,
        });
        Self {
            user_id: of.user_id.to_string(),
            session_id: of.session_id.to_string(),
            name: of.name,
            muted: of.muted,
            deafened: of.deafened,
            speaking: of.speaking,
            producers: producers.collect(),
        }
    }
}

/// The rooms that are open, a page at a time.
#[utoipa::path(get, operation_id = "listRooms", path = "/v1/rooms", tag = "rooms", params(Page, Limit),
    responses((status = 200, body = Rooms, description = "Open rooms"), Refused, Unavailable))]
pub(super) async fn list(
    operator: Operator,
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
    limit: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Rooms>, ApiError> {
    operator.may(Scope::ReadRooms)?;
    let Query(page) = page?;
    let after = page.after.as_deref().map(channel_id).transpose()?;
    let limit = limit?.get()?;
    let (rooms, unreached) = api.services.placement.rooms().await?;
    let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let rooms = rooms.range((from, Bound::Unbounded)).take(limit).map(|(channel, room)| RoomSummary {
        channel: channel.to_string(),
        node: room.node.clone(),
        participants: room.participants,
        producers: room.producers,
    });
    Ok(Json(Rooms { rooms: rooms.collect(), unreached }))
}

/// One room, with everyone in it and what they send.
#[utoipa::path(get, operation_id = "getRoom", path = "/v1/rooms/{channel}", tag = "rooms", params(OfChannel),
    responses((status = 200, body = Room, description = "The room"), Refused, Absent, Unavailable))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Room>, ApiError> {
    operator.may(Scope::ReadRooms)?;
    let (link, address) = find(&api, &channel_id(&path?)?)?;
    let participants = inspect(&api, &link, &address).await?.into_iter().map(InRoom::from).collect();
    let node = link.state().map(|state| state.node_id).unwrap_or_default();
    Ok(Json(Room { node, participants }))
}

/// Who is in a channel now, for a list beside it: nobody if its room is not open. A channel that is not written down,
/// and in which nobody is, is a 404. Webhooks tell the changes: `participant.joined` and `participant.left` with the
/// same `epoch`, each with a higher `roomSeq` than this.
#[utoipa::path(get, operation_id = "listParticipants", path = "/v1/channels/{channel}/participants", tag = "rooms", params(OfChannel),
    responses((status = 200, body = Participants, description = "Who is there"), Refused, Absent, Unavailable))]
pub(super) async fn participants(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Participants>, ApiError> {
    operator.may(Scope::ReadRooms)?;
    let channel = channel_id(&path?)?;
    let (link, address) = match api.services.placement.find(&channel) {
        Found::Here(link, address) => (link, address),
        Found::Unbound | Found::Ended => return nobody(&api, &channel),
        Found::Waiting => {
            return Err(ApiError::unavailable("the room's media node does not answer right now"));
        }
    };
    match snapshot(&api, &link, &address).await {
        Ok(RoomSnapshot { room_seq, participants, .. }) => Ok(Json(Participants {
            participants: participants.into_iter().map(InRoom::from).collect(),
            epoch: Some(address.epoch),
            room_seq: Some(room_seq),
        })),
        Err(error) if error.code() == "NOT_FOUND" => nobody(&api, &channel),
        Err(error) => Err(error),
    }
}

fn nobody(api: &Api, channel: &ChannelId) -> Result<Json<Participants>, ApiError> {
    let is_there = api.services.records.view().written_channel(channel).is_some();
    is_there.then(|| Json(Participants::default())).ok_or_else(|| ApiError::not_found("channel"))
}

/// Puts a participant out of its room. Whoever is not there any more is a 404, and nothing changes.
#[utoipa::path(post, operation_id = "kickParticipant", path = "/v1/rooms/{channel}/participants/{session}/kick", tag = "rooms",
    params(OfChannel, OfSession), request_body = Kick,
    responses((status = 204, description = "It is out"), Refused, Absent, Unavailable))]
pub(super) async fn kick(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
    body: Result<Object<Kick>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteRooms)?;
    let (channel, session) = of_path(path)?;
    let Object(kick) = body?;
    let action = action(&channel, session, "kick");
    let done = kick_out(&api, &channel, session, kick).await;
    noted(&api, &operator, action, done)
}

async fn kick_out(api: &Api, channel: &ChannelId, session: SessionId, kick: Kick) -> Result<(), ApiError> {
    let Kick { reason, ban_seconds } = kick;
    let reason = reason.unwrap_or_else(|| REASON.into());
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::invalid(format!("a reason of more than {REASON_CHARS_MAX} characters")));
    }
    if ban_seconds.is_some_and(|seconds| seconds == 0 || seconds > BAN_SECONDS_MAX) {
        return Err(ApiError::invalid(format!("banSeconds is from 1 to {BAN_SECONDS_MAX}")));
    }
    let banned_for = ban_seconds.map(Duration::from_secs);
    let (link, address) = find(api, channel)?;
    let there = inspect(api, &link, &address).await?;
    let Some(who) = there.into_iter().find(|participant| participant.session_id == session) else {
        return Err(ApiError::not_found("participant"));
    };
    // Its socket may be away just now, and would not hear of it.
    if let Some(banned_for) = banned_for {
        let now = SystemTime::now();
        api.services.joins.bar(&who.user_id, unix_millis(now + banned_for), unix_millis(now)).await;
    }
    let kick = Command::Kick { session, reason: reason.into(), banned_for };
    order(api, &link, address, kick).await
}

/// Pauses a participant's microphone; the participant may unmute again.
#[utoipa::path(post, operation_id = "muteParticipant", path = "/v1/rooms/{channel}/participants/{session}/mute", tag = "rooms",
    params(OfChannel, OfSession),
    responses((status = 204, description = "It is muted"), Refused, Absent, Unavailable))]
pub(super) async fn mute(operator: Operator, State(api): State<Arc<Api>>, path: OfPath) -> Changed {
    operator.may(Scope::WriteRooms)?;
    let (channel, session) = of_path(path)?;
    let done = match find(&api, &channel) {
        Ok((link, address)) => order(&api, &link, address, Command::Mute { session }).await,
        Err(error) => Err(error),
    };
    noted(&api, &operator, action(&channel, session, "mute"), done)
}

fn of_path(path: OfPath) -> Result<(ChannelId, SessionId), ApiError> {
    let Path((channel, session)) = path?;
    Ok((channel_id(&channel)?, session_id(&session)?))
}

fn action(channel: &ChannelId, session: SessionId, verb: &str) -> String {
    format!("POST room/{channel}/participant/{session}/{verb}")
}

fn find(api: &Api, channel: &ChannelId) -> Result<(NodeLink, Address), ApiError> {
    match api.services.placement.find(channel) {
        Found::Here(link, address) => Ok((link, address)),
        Found::Waiting => Err(ApiError::unavailable("the room's media node does not answer right now")),
        Found::Unbound | Found::Ended => Err(ApiError::not_found("room")),
    }
}

async fn inspect(api: &Api, link: &NodeLink, address: &Address) -> Result<Vec<Participant>, ApiError> {
    snapshot(api, link, address).await.map(|room| room.participants)
}

async fn snapshot(api: &Api, link: &NodeLink, address: &Address) -> Result<RoomSnapshot, ApiError> {
    match link.ask(address.clone(), Command::Inspect).await {
        Ok(Reply::Inspected(room)) => Ok(room),
        Ok(_) => Err(ApiError::unavailable("the media node gave no sensible answer")),
        Err(error) => Err(refused(api, address, &error, "room")),
    }
}

async fn order(api: &Api, link: &NodeLink, address: Address, command: Command) -> Result<(), ApiError> {
    let replied = link.ask(address.clone(), command).await;
    replied.map(drop).map_err(|error| refused(api, &address, &error, "participant"))
}

fn refused(api: &Api, address: &Address, error: &Refusal, what: &str) -> ApiError {
    if matches!(error, Refusal::RoomMoved(_)) {
        api.services.placement.forget(address);
    }
    match error.code() {
        ErrorCode::NotFound | ErrorCode::ChannelNotFound => ApiError::not_found(what),
        _ => ApiError::unavailable(error.message()),
    }
}
