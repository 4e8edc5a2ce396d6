//! The model's gRPC side, a process of its own.

use super::proto::kv_server::{Kv, KvServer};
use super::proto::lease_server::{Lease, LeaseServer};
use super::proto::watch_request::RequestUnion;
use super::proto::watch_server::{Watch, WatchServer};
use super::proto::{
    DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse, PutRequest, PutResponse, RangeRequest,
    RangeResponse, TxnRequest, TxnResponse, WatchCreateRequest, WatchRequest, WatchResponse,
};
use super::store::Etcd;
use crate::kernel::{Nanos, below, chance};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Where it listens.
pub(crate) const PORT: u16 = 2379;
/// How often leases that are over are looked for, as etcd does.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(500);

/// Serves at this address until the process ends.
pub(crate) async fn serve(etcd: Etcd, address: Ipv4Addr) {
    let expiring = etcd.clone();
    tokio::spawn(async move {
        let mut tick = interval(EXPIRY_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            expiring.agreed().await;
            expiring.expire();
        }
    });
    let Ok(listener) = TcpListener::bind((address, PORT)).await else { return };
    let serving = Server::builder()
        .add_service(KvServer::new(etcd.clone()))
        .add_service(WatchServer::new(etcd.clone()))
        .add_service(LeaseServer::new(etcd))
        .serve_with_incoming(TcpListenerStream::new(listener));
    _ = serving.await;
}

impl Etcd {
    /// Returns once there is a quorum.
    async fn agreed(&self) {
        while self.state().faults.has_no_quorum {
            self.mended.notified().await;
        }
    }

    /// What is between an effect and its reply. An error: the reply does not come.
    async fn before_reply(&self) -> Result<(), Status> {
        let (most, lost) = {
            let faults = self.state().faults;
            (faults.reply_delay, faults.reply_lost)
        };
        if most > 0 {
            sleep(Duration::from_nanos(below(most))).await;
        }
        if chance(lost) {
            Err(Status::unavailable("etcdserver: request timed out, possibly due to connection lost"))
        } else {
            Ok(())
        }
    }
}

#[tonic::async_trait]
impl Kv for Etcd {
    async fn range(&self, asked: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        self.agreed().await;
        let done = Self::range(self, asked.get_ref());
        self.before_reply().await?;
        done.map(Response::new)
    }

    async fn put(&self, asked: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        self.agreed().await;
        let done = Self::put(self, asked.into_inner());
        self.before_reply().await?;
        done.map(Response::new)
    }

    async fn delete_range(
        &self,
        asked: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        self.agreed().await;
        let done = self.delete(asked.into_inner());
        self.before_reply().await?;
        done.map(Response::new)
    }

    async fn txn(&self, asked: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        self.agreed().await;
        let done = Self::txn(self, asked.get_ref());
        self.before_reply().await?;
        done.map(Response::new)
    }
}

#[tonic::async_trait]
impl Lease for Etcd {
    type LeaseKeepAliveStream = ReceiverStream<Result<LeaseKeepAliveResponse, Status>>;

    async fn lease_grant(
        &self,
        asked: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        self.agreed().await;
        let ttl = asked.get_ref().ttl;
        let id = self.grant(ttl);
        self.before_reply().await?;
        Ok(Response::new(LeaseGrantResponse { header: self.header(), id, ttl, error: String::new() }))
    }

    async fn lease_revoke(
        &self,
        asked: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        self.agreed().await;
        let done = self.revoke(asked.get_ref().id);
        self.before_reply().await?;
        done.map(|()| Response::new(LeaseRevokeResponse { header: self.header() }))
    }

    async fn lease_keep_alive(
        &self,
        asked: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (out, replies) = mpsc::channel(16);
        let (etcd, mut asked) = (self.clone(), asked.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(LeaseKeepAliveRequest { id })) = asked.message().await {
                etcd.agreed().await;
                let ttl = etcd.keep_alive(id);
                if etcd.before_reply().await.is_err() {
                    continue;
                }
                if out.send(Ok(LeaseKeepAliveResponse { header: etcd.header(), id, ttl })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(replies)))
    }
}

struct Watched {
    id: i64,
    key: Vec<u8>,
    end: Vec<u8>,
    next: i64,
}

#[tonic::async_trait]
impl Watch for Etcd {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        asked: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (out, replies) = mpsc::channel(64);
        tokio::spawn(follow(self.clone(), asked.into_inner(), out));
        Ok(Response::new(ReceiverStream::new(replies)))
    }
}

async fn follow(
    etcd: Etcd,
    mut asked: Streaming<WatchRequest>,
    out: mpsc::Sender<Result<WatchResponse, Status>>,
) {
    let mut watches: Vec<Watched> = Vec::new();
    let mut changed = etcd.changed.subscribe();
    let mut next_id = 0;
    loop {
        tokio::select! {
            biased;
            message = asked.message() => match message {
                Ok(Some(WatchRequest { request_union: Some(RequestUnion::CreateRequest(asked)) })) => {
                    let WatchCreateRequest { key, range_end: end, start_revision, .. } = asked;
                    let revision = etcd.state().revision;
                    let next = if start_revision > 0 { start_revision } else { revision + 1 };
                    let (id, header) = (next_id, etcd.header());
                    next_id += 1;
                    watches.push(Watched { id, key, end, next });
                    let created = WatchResponse { header, watch_id: id, created: true, ..WatchResponse::default() };
                    if out.send(Ok(created)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(WatchRequest { request_union: Some(RequestUnion::CancelRequest(asked)) })) => {
                    watches.retain(|watch| watch.id != asked.watch_id);
                }
                Ok(Some(WatchRequest { request_union: Some(RequestUnion::ProgressRequest(_)) })) => {
                    etcd.agreed().await;
                    let header = etcd.header();
                    // Told only once all before it was: what lags is told below first.
                    if !tell(&etcd, &mut watches, &out).await {
                        return;
                    }
                    let progress = WatchResponse { header, watch_id: -1, ..WatchResponse::default() };
                    if out.send(Ok(progress)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            },
            there = changed.changed() => {
                if there.is_err() {
                    return;
                }
                let lag: Nanos = etcd.state().faults.watch_lag;
                if lag > 0 {
                    sleep(Duration::from_nanos(below(lag))).await;
                }
            }
            () = out.closed() => return,
        }
        if !tell(&etcd, &mut watches, &out).await {
            return;
        }
    }
}

/// False: nobody listens, or the watch was cancelled.
async fn tell(
    etcd: &Etcd,
    watches: &mut Vec<Watched>,
    out: &mpsc::Sender<Result<WatchResponse, Status>>,
) -> bool {
    let cancelled = etcd.state().faults.watch_cancelled;
    let mut over = Vec::new();
    for watch in watches.iter_mut() {
        let told = etcd.since(&watch.key, &watch.end, watch.next);
        let told = if chance(cancelled) { Err(0) } else { told };
        let response = match told {
            Ok((events, revision)) => {
                watch.next = revision + 1;
                if events.is_empty() {
                    continue;
                }
                WatchResponse {
                    header: etcd.header(),
                    watch_id: watch.id,
                    events,
                    ..WatchResponse::default()
                }
            }
            Err(compacted) => {
                over.push(watch.id);
                WatchResponse {
                    header: etcd.header(),
                    watch_id: watch.id,
                    canceled: true,
                    compact_revision: compacted,
                    ..WatchResponse::default()
                }
            }
        };
        if out.send(Ok(response)).await.is_err() {
            return false;
        }
    }
    watches.retain(|watch| !over.contains(&watch.id));
    true
}
