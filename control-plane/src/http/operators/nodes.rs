//! Media nodes: which there are, what they have to do, and whether they take new rooms.

use super::access::Operator;
use super::api::{Api, Changed, noted};
use super::error::{Absent, ApiError, OnlyNode, Refused, Unavailable};
use super::path::{OfNode, node_id};
use super::scope::Scope;
use crate::placement::NodeView;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use railgun_protocol::directory::NodeState;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    /// Name of the node.
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// `serving`, or `draining`: its rooms move to other nodes, and it gets no others.
    #[schema(value_type = NodeStateName)]
    state: NodeState,
    version: String,
    rooms: u32,
    sessions: u32,
    /// Sessions that it takes; not told of a node that is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u32>,
}

/// As [`NodeState`] is written.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "documents a type of another crate")]
enum NodeStateName {
    Serving,
    Draining,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nodes {
    /// Nodes that are up.
    nodes: Vec<Node>,
}

impl From<NodeView> for Node {
    fn from(view: NodeView) -> Self {
        let NodeView { id, region, state, version, rooms, sessions, capacity } = view;
        Self { node: id.to_string(), region, state, version, rooms, sessions, capacity }
    }
}

/// The media nodes that are up, with their load of at most two seconds ago.
#[utoipa::path(get, operation_id = "listNodes", path = "/v1/nodes", tag = "nodes",
    responses((status = 200, body = Nodes, description = "Media nodes"), Refused, Unavailable))]
pub(super) async fn list(operator: Operator, State(api): State<Arc<Api>>) -> Result<Json<Nodes>, ApiError> {
    operator.may(Scope::ReadNodes)?;
    let nodes = api.services.placement.nodes().await?;
    Ok(Json(Nodes { nodes: nodes.into_iter().map(Node::from).collect() }))
}

/// Drains a node: it gets no new rooms, and those that it has move to other nodes, one after the other. It
/// stays so until it is undrained or stopped. Refused if it is the only one.
#[utoipa::path(put, operation_id = "drainNode", path = "/v1/nodes/{node}/drain", tag = "nodes", params(OfNode),
    responses((status = 204, description = "It is so"), Refused, Absent, OnlyNode, Unavailable))]
pub(super) async fn drain(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Changed {
    set(&operator, &api, path, NodeState::Draining).await
}

/// Has a node take new rooms again. Refused if it is the only one, which cannot be drained.
#[utoipa::path(delete, operation_id = "undrainNode", path = "/v1/nodes/{node}/drain", tag = "nodes", params(OfNode),
    responses((status = 204, description = "It is so"), Refused, Absent, OnlyNode, Unavailable))]
pub(super) async fn undrain(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Changed {
    set(&operator, &api, path, NodeState::Serving).await
}

async fn set(
    operator: &Operator,
    api: &Api,
    path: Result<Path<String>, PathRejection>,
    state: NodeState,
) -> Changed {
    operator.may(Scope::WriteNodes)?;
    let node = node_id(&path?)?;
    let verb = if state == NodeState::Draining { "PUT" } else { "DELETE" };
    let done = api.services.placement.set_node_state(&node, state).await.map_err(ApiError::from);
    noted(api, operator, format!("{verb} node/{node}/drain"), done)
}
