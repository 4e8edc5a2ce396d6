//! What the node answers over gRPC.

use super::{FakeNode, event_to};
use futures::Stream;
use railgun_protocol::media_rpc::Event;
use railgun_rpc::decode_user_order;
use railgun_rpc::proto::media_node_server::MediaNode;
use railgun_rpc::proto::{
    ControlFrame, DescribeRequest, ListRoomsRequest, NodeDescription, NodeFrame, RoomList, RoomSummary,
    UserOrder, UserOrdered,
};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

#[tonic::async_trait]
impl MediaNode for FakeNode {
    type ControlStream = Pin<Box<dyn Stream<Item = Result<NodeFrame, Status>> + Send>>;

    async fn control(
        &self,
        request: Request<Streaming<ControlFrame>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let (out, frames) = mpsc::channel(64);
        *self.state.out.lock().unwrap() = Some(out.clone());
        let node = self.clone();
        tokio::spawn(async move {
            let state = node.state.clone();
            tokio::select! {
                () = node.serve(request.into_inner(), out) => {}
                () = state.lose.notified() => {}
            }
            for held in state.sessions.lock().unwrap().values_mut() {
                held.is_attached = false;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<NodeDescription>, Status> {
        if self.state.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        let sessions = self.state.sessions.lock().unwrap().len();
        Ok(Response::new(NodeDescription {
            node_id: "fake".into(),
            boot_id: self.boot_id().to_string(),
            version: "0".into(),
            media_addresses: vec!["127.0.0.1:40000".into()],
            rooms: 0,
            sessions: u32::try_from(sessions).unwrap(),
            lacks_relays: self.state.lacks_relays.load(Ordering::SeqCst),
            end_to_end: self.encrypts(),
            work: None,
        }))
    }

    async fn list_rooms(&self, _: Request<ListRoomsRequest>) -> Result<Response<RoomList>, Status> {
        let sessions = self.state.sessions.lock().unwrap();
        let mut rooms = BTreeMap::new();
        for held in sessions.values() {
            let room = rooms.entry(held.channel.clone()).or_insert_with(|| RoomSummary {
                channel: held.channel.to_string(),
                epoch: held.epoch,
                ..RoomSummary::default()
            });
            room.participants += 1;
            room.producers += u32::try_from(held.own.producers.len()).unwrap();
        }
        Ok(Response::new(RoomList { rooms: rooms.into_values().collect() }))
    }

    async fn order_user(&self, order: Request<UserOrder>) -> Result<Response<UserOrdered>, Status> {
        let order = decode_user_order(order.into_inner()).unwrap();
        let put_out = self.put_out(&order);
        let sessions = u32::try_from(put_out.len()).unwrap();
        let out = self.state.out.lock().unwrap().clone().unwrap();
        for (session, address, reason) in put_out {
            let kicked = Event::Kicked { reason, banned_for: None };
            _ = out.send(Ok(event_to(session, &address, kicked))).await;
        }
        Ok(Response::new(UserOrdered { sessions, later: None }))
    }
}
