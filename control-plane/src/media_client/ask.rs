//! What is asked of a node in nobody's name: operators' questions and orders, and what concerns all of
//! a user's sessions.

use super::link::{NodeCall, NodeLink, unavailable};
use super::room_table::{Delivery, Route};
use crate::ending::EndSignal;
use crate::refusal::Refusal;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Replacement, Reply, UserOrder};
use railgun_rpc::proto::{DescribeRequest, ListRoomsRequest, NodeDescription, RoomSummary};
use railgun_rpc::{decode_replacement, encode_user_order};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Status;

/// How long a node may take to answer an operator.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

impl NodeLink {
    /// Sends a command that is no session's own, and waits for its reply.
    pub(crate) async fn ask(&self, address: Address, command: Command) -> Result<Reply, Refusal> {
        let (to, mut from) = mpsc::channel(1);
        // In no room, so that it gets its reply and nothing else, whosever name it bears.
        let session = command.session().unwrap_or(SessionId::from_bits(0));
        let route = Route { session, to, ending: EndSignal::new() };
        let replied = async {
            self.call(NodeCall { address, command, route, ticket: 0, traceparent: String::new() }).await?;
            match from.recv().await.map(|delivery| *delivery) {
                Some(Delivery::Reply { reply, .. }) => reply,
                _ => Err(unavailable()),
            }
        };
        timeout(ANSWER_TIMEOUT, replied).await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Who the node is and what it has to do.
    pub(crate) async fn describe(&self) -> Result<NodeDescription, Refusal> {
        let mut client = (*self.client).clone();
        answered(client.describe(DescribeRequest {})).await
    }

    /// Gives, to a replacement, the one that came even later.
    pub(crate) async fn order_user(&self, order: UserOrder) -> Result<Option<Replacement>, Refusal> {
        let mut client = (*self.client).clone();
        let ordered = answered(client.order_user(encode_user_order(order))).await?;
        Ok(ordered.later.and_then(|later| decode_replacement(later).ok()))
    }

    pub(crate) async fn list_rooms(&self) -> Result<Vec<RoomSummary>, Refusal> {
        let mut client = (*self.client).clone();
        answered(client.list_rooms(ListRoomsRequest {})).await.map(|list| list.rooms)
    }
}

async fn answered<T>(
    request: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Refusal> {
    match timeout(ANSWER_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => {
            tracing::warn!(code = ?status.code(), "a media node did not answer");
            Err(unavailable())
        }
        Err(_) => Err(unavailable()),
    }
}
