//! What etcd holds. It outlives its process, as a disk does.

use super::proto::compare::{CompareResult, CompareTarget, TargetUnion};
use super::proto::event::EventType;
use super::proto::request_op::Request as Op;
use super::proto::response_op::Response as Did;
use super::proto::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, Event, KeyValue, PutRequest, PutResponse, RangeRequest,
    RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use crate::kernel::{Nanos, SECOND, now};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tonic::Status;

/// What may go wrong in it. Probabilities are per million.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// There is no quorum: nothing that has to be agreed upon is answered.
    pub has_no_quorum: bool,
    /// A request's reply comes so much later than its effect, at most.
    pub reply_delay: Nanos,
    /// A request's reply is lost after its effect.
    pub reply_lost: u32,
    /// Watches tell of a change so much later, at most.
    pub watch_lag: Nanos,
    pub watch_cancelled: u32,
}

#[derive(Debug)]
struct Lease {
    ttl: Nanos,
    ends: Nanos,
    keys: BTreeSet<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub revision: i64,
    pub term: u64,
    pub compacted: i64,
    pub faults: Faults,
    keys: BTreeMap<Vec<u8>, KeyValue>,
    history: Vec<(i64, Event)>,
    leases: BTreeMap<i64, Lease>,
    next_lease: i64,
    /// Every binding of a room that there ever was, by key and create revision.
    bindings: BTreeMap<(Vec<u8>, i64), Binding>,
}

#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub value: String,
    /// When the key was deleted.
    pub until: Option<Nanos>,
}

const ROOMS: &str = "/rg/v1/room/";

/// Handles share the store.
#[derive(Clone, Debug)]
pub(crate) struct Etcd {
    state: Arc<Mutex<State>>,
    /// Told at each change, to every watch.
    pub(super) changed: Arc<tokio::sync::watch::Sender<i64>>,
    pub(super) mended: Arc<Notify>,
}

impl Etcd {
    pub(crate) fn new(revision: i64) -> Self {
        let state = State {
            revision,
            term: 1,
            compacted: revision - 1,
            faults: Faults::default(),
            keys: BTreeMap::new(),
            history: Vec::new(),
            leases: BTreeMap::new(),
            // As real ones are: more than a double holds exactly.
            next_lease: 0x694d_8f2a_0000_03e8,
            bindings: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: Arc::new(tokio::sync::watch::Sender::new(revision)),
            mended: Arc::default(),
        }
    }
}

pub(super) fn lease_not_found() -> Status {
    Status::not_found("etcdserver: requested lease not found")
}

impl Etcd {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
        self.mended.notify_waiters();
    }

    /// Another member leads: every lease begins anew, as etcd has it.
    pub(crate) fn change_leader(&self) {
        let mut state = self.state();
        state.term += 1;
        for lease in state.leases.values_mut() {
            lease.ends = now() + lease.ttl;
        }
    }

    /// Forgets the history up to now.
    pub(crate) fn compact(&self) {
        let mut state = self.state();
        state.compacted = state.revision;
        let compacted = state.compacted;
        state.history.retain(|(revision, _)| *revision > compacted);
    }

    /// Keys with their values, below that prefix.
    pub(crate) fn under(&self, prefix: &str) -> Vec<(String, Vec<u8>, i64)> {
        let state = self.state();
        let below = state.keys.range(prefix.as_bytes().to_vec()..);
        let below = below.take_while(|(key, _)| key.starts_with(prefix.as_bytes()));
        below
            .map(|(key, kv)| {
                (String::from_utf8_lossy(key).into_owned(), kv.value.clone(), kv.create_revision)
            })
            .collect()
    }

    pub(crate) fn has_lease(&self, id: i64) -> bool {
        self.state().leases.contains_key(&id)
    }

    /// When a lease ends unless it is renewed.
    pub(crate) fn lease_ends(&self, id: i64) -> Option<Nanos> {
        self.state().leases.get(&id).map(|lease| lease.ends)
    }

    /// Whom a channel's room is bound to now.
    pub(crate) fn bound(&self, channel: &str) -> Option<String> {
        let state = self.state();
        let kv = state.keys.get(format!("{ROOMS}{channel}").as_bytes())?;
        Some(String::from_utf8_lossy(&kv.value).into_owned())
    }

    /// Whom a channel's room of that epoch was bound to.
    pub(crate) fn binding(&self, channel: &str, epoch: u64) -> Option<Binding> {
        let key = (format!("{ROOMS}{channel}").into_bytes(), i64::try_from(epoch).ok()?);
        self.state().bindings.get(&key).cloned()
    }

    pub(super) fn header(&self) -> Option<ResponseHeader> {
        let state = self.state();
        Some(state.header())
    }

    pub(super) fn expire(&self) {
        let mut state = self.state();
        let over: Vec<i64> =
            state.leases.iter().filter(|(_, lease)| lease.ends <= now()).map(|(id, _)| *id).collect();
        let revision = state.revision;
        over.into_iter().for_each(|id| _ = state.revoke(id));
        self.tell(&state, revision);
    }

    fn tell(&self, state: &State, before: i64) {
        if state.revision != before {
            self.changed.send_replace(state.revision);
        }
    }

    pub(super) fn grant(&self, seconds: i64) -> i64 {
        let mut state = self.state();
        state.next_lease += 1;
        let id = state.next_lease;
        let ttl = u64::try_from(seconds.max(1)).unwrap_or(1) * SECOND;
        state.leases.insert(id, Lease { ttl, ends: now() + ttl, keys: BTreeSet::new() });
        id
    }

    /// Seconds that it lasts from now on; 0: there is no such lease.
    pub(super) fn keep_alive(&self, id: i64) -> i64 {
        let mut state = self.state();
        match state.leases.get_mut(&id) {
            Some(lease) => {
                lease.ends = now() + lease.ttl;
                i64::try_from(lease.ttl / SECOND).unwrap_or(i64::MAX)
            }
            None => 0,
        }
    }

    pub(super) fn revoke(&self, id: i64) -> Result<(), Status> {
        let mut state = self.state();
        let before = state.revision;
        let done = state.revoke(id);
        self.tell(&state, before);
        done
    }

    pub(super) fn range(&self, asked: &RangeRequest) -> Result<RangeResponse, Status> {
        self.state().range(asked)
    }

    pub(super) fn put(&self, asked: PutRequest) -> Result<PutResponse, Status> {
        let ops = vec![RequestOp { request: Some(Op::RequestPut(asked)) }];
        let done = self.txn(&TxnRequest { compare: Vec::new(), success: ops, failure: Vec::new() })?;
        Ok(PutResponse { header: done.header, prev_kv: None })
    }

    pub(super) fn delete(&self, asked: DeleteRangeRequest) -> Result<DeleteRangeResponse, Status> {
        let ops = vec![RequestOp { request: Some(Op::RequestDeleteRange(asked)) }];
        let done = self.txn(&TxnRequest { compare: Vec::new(), success: ops, failure: Vec::new() })?;
        Ok(DeleteRangeResponse { header: done.header, ..DeleteRangeResponse::default() })
    }

    pub(super) fn txn(&self, asked: &TxnRequest) -> Result<TxnResponse, Status> {
        let mut state = self.state();
        let before = state.revision;
        let succeeded = asked.compare.iter().all(|compare| state.holds(compare));
        let ops = if succeeded { &asked.success } else { &asked.failure };
        let done = state.carry_out(ops);
        self.tell(&state, before);
        let header = Some(state.header());
        done.map(|responses| TxnResponse { header, succeeded, responses })
    }

    /// Changes of keys from `key` to `end` since that revision, by revision; an error is the compacted one.
    pub(super) fn since(&self, key: &[u8], end: &[u8], from: i64) -> Result<(Vec<Event>, i64), i64> {
        let state = self.state();
        if from <= state.compacted {
            return Err(state.compacted);
        }
        let first = state.history.partition_point(|(revision, _)| *revision < from);
        let events = state.history[first..]
            .iter()
            .filter(|(_, event)| event.kv.as_ref().is_some_and(|kv| is_within(&kv.key, key, end)));
        Ok((events.map(|(_, event)| event.clone()).collect(), state.revision))
    }
}

fn is_within(key: &[u8], from: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == from,
        [0] => key >= from,
        end => key >= from && key < end,
    }
}

impl State {
    fn header(&self) -> ResponseHeader {
        ResponseHeader { cluster_id: 1, member_id: 1, revision: self.revision, raft_term: self.term }
    }

    fn range(&self, asked: &RangeRequest) -> Result<RangeResponse, Status> {
        // A listing that goes on at an older revision reads the newest, which etcd does not: pages are 500 keys,
        // and no world has as many.
        let found = self.keys.range(asked.key.clone()..);
        let found = found.take_while(|(key, _)| is_within(key, &asked.key, &asked.range_end));
        let kvs: Vec<KeyValue> = found.map(|(_, kv)| kv.clone()).collect();
        let count = i64::try_from(kvs.len()).unwrap_or(i64::MAX);
        Ok(RangeResponse { header: Some(self.header()), more: false, count, kvs })
    }

    fn holds(&self, compare: &Compare) -> bool {
        let found = self.keys.get(&compare.key);
        if compare.target() == CompareTarget::Value {
            let Some(TargetUnion::Value(wanted)) = &compare.target_union else { return false };
            let equal = found.is_some_and(|kv| kv.value == *wanted);
            return if compare.result() == CompareResult::NotEqual { !equal } else { equal };
        }
        let number = found.map_or(0, |kv| match compare.target() {
            CompareTarget::Version => kv.version,
            CompareTarget::Create => kv.create_revision,
            CompareTarget::Mod => kv.mod_revision,
            CompareTarget::Lease => kv.lease,
            CompareTarget::Value => 0,
        });
        let wanted = match compare.target_union {
            Some(
                TargetUnion::Version(it)
                | TargetUnion::CreateRevision(it)
                | TargetUnion::ModRevision(it)
                | TargetUnion::Lease(it),
            ) => it,
            Some(TargetUnion::Value(_)) | None => 0,
        };
        match compare.result() {
            CompareResult::Equal => number == wanted,
            CompareResult::Greater => number > wanted,
            CompareResult::Less => number < wanted,
            CompareResult::NotEqual => number != wanted,
        }
    }

    fn carry_out(&mut self, ops: &[RequestOp]) -> Result<Vec<ResponseOp>, Status> {
        for op in ops {
            if let Some(Op::RequestPut(put)) = &op.request
                && put.lease != 0
                && !self.leases.contains_key(&put.lease)
            {
                return Err(lease_not_found());
            }
        }
        let revision = self.revision + 1;
        let mut responses = Vec::new();
        for op in ops {
            let did = match &op.request {
                Some(Op::RequestRange(asked)) => Did::ResponseRange(self.range(asked)?),
                Some(Op::RequestPut(put)) => {
                    self.put(put, revision);
                    Did::ResponsePut(PutResponse::default())
                }
                Some(Op::RequestDeleteRange(asked)) => {
                    let keys: Vec<Vec<u8>> = self.keys.keys().cloned().collect();
                    let gone = keys.into_iter().filter(|key| is_within(key, &asked.key, &asked.range_end));
                    let deleted = gone.map(|key| self.remove(&key, revision)).filter(|done| *done).count();
                    let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
                    Did::ResponseDeleteRange(DeleteRangeResponse {
                        deleted,
                        ..DeleteRangeResponse::default()
                    })
                }
                _ => return Err(Status::unimplemented("a transaction in a transaction")),
            };
            responses.push(ResponseOp { response: Some(did) });
        }
        Ok(responses)
    }

    fn put(&mut self, put: &PutRequest, revision: i64) {
        self.revision = revision;
        let before = self.keys.get(&put.key);
        let kv = KeyValue {
            key: put.key.clone(),
            create_revision: before.map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
            version: before.map_or(1, |kv| kv.version + 1),
            value: put.value.clone(),
            lease: put.lease,
        };
        if let Some(lease) = before.map(|kv| kv.lease).and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.remove(&put.key);
        }
        if let Some(lease) = self.leases.get_mut(&put.lease) {
            lease.keys.insert(put.key.clone());
        }
        if put.key.starts_with(ROOMS.as_bytes()) {
            let value = String::from_utf8_lossy(&put.value).into_owned();
            let binding = Binding { value, until: None };
            self.bindings.insert((put.key.clone(), kv.create_revision), binding);
        }
        self.keys.insert(put.key.clone(), kv.clone());
        self.history.push((revision, Event { r#type: EventType::Put.into(), kv: Some(kv), prev_kv: None }));
    }

    fn remove(&mut self, key: &[u8], revision: i64) -> bool {
        let Some(before) = self.keys.remove(key) else { return false };
        self.revision = revision;
        if let Some(binding) = self.bindings.get_mut(&(key.to_vec(), before.create_revision)) {
            binding.until = Some(now());
        }
        if let Some(lease) = self.leases.get_mut(&before.lease) {
            lease.keys.remove(key);
        }
        let kv = KeyValue { key: key.to_vec(), mod_revision: revision, ..KeyValue::default() };
        self.history
            .push((revision, Event { r#type: EventType::Delete.into(), kv: Some(kv), prev_kv: None }));
        true
    }

    fn revoke(&mut self, id: i64) -> Result<(), Status> {
        let lease = self.leases.remove(&id).ok_or_else(lease_not_found)?;
        let revision = self.revision + 1;
        lease.keys.iter().for_each(|key| _ = self.remove(key, revision));
        Ok(())
    }
}
