//! The connection, and what can be asked of it. Each request has a second, and meets another member if
//! the first is gone.

use crate::error::EtcdError;
use crate::health::Health;
use crate::retry::{REQUEST_TIMEOUT, Repeat, Tried, persist};
use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, Error, GetOptions, Identity, KeyValue,
    PutOptions, TlsOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use railgun_protocol::directory::Keys;
use railgun_settings::EtcdSettings;
use railgun_tls::authority_pem;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// With TLS and a password, at an etcd that is busy.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(10);
/// etcd hangs up on who asks more often than every five seconds.
const PING_INTERVAL: Duration = Duration::from_secs(6);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// Entries of one page of a listing.
const PAGE: i64 = 500;
/// A listing of more than this is refused: nothing of ours is so large.
const ENTRIES_MAX: usize = 1_000_000;

/// As etcd numbers leases; 0 is none.
pub type LeaseId = i64;

/// Whether a request, once it is answered, shows that etcd takes writes. Deleting and renewing do not:
/// a full etcd does that too.
const WRITES: bool = true;
const READS: bool = false;

/// A key with its value and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In full, with the prefix.
    pub key: String,
    /// As it was written: JSON, in our records.
    pub value: Vec<u8>,
    /// Revision of the store at which the key was made. A key that was deleted and made again has a new one.
    pub create_revision: i64,
    /// Revision of the store at which the value was last written.
    pub mod_revision: i64,
    /// 0: none.
    pub lease: LeaseId,
}

impl Entry {
    /// None: its key is not UTF-8, so it is nothing of ours.
    pub(crate) fn read(from: &KeyValue) -> Option<Self> {
        Some(Self {
            key: from.key_str().ok()?.to_owned(),
            value: from.value().to_vec(),
            create_revision: from.create_revision(),
            mod_revision: from.mod_revision(),
            lease: from.lease(),
        })
    }

    /// The first key that a transaction's `get` found.
    pub fn of(response: &TxnOpResponse) -> Option<Self> {
        let TxnOpResponse::Get(found) = response else { return None };
        found.kvs().first().and_then(Self::read)
    }

    /// Which incarnation of its key this is.
    pub fn epoch(&self) -> u64 {
        u64::try_from(self.create_revision).unwrap_or_default()
    }
}

/// What became of a change under a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The write was made, at this revision.
    Done(i64),
    /// The condition did not hold; this is what is there, if anything.
    Changed(Option<Entry>),
}

/// A handle on etcd; clones share the connection.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Vec<String>,
    options: ConnectOptions,
    client: OnceCell<Client>,
    /// Held while somebody signs in.
    turn: Arc<Mutex<()>>,
    keys: Keys,
    health: Arc<Health>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the options: they hold the password.
        f.debug_struct("Store").field("endpoints", &self.inner.endpoints).finish_non_exhaustive()
    }
}

impl Store {
    /// Reads the files that the settings name. Connects when it is first used, and again whenever it
    /// has to.
    pub fn open(settings: &EtcdSettings) -> Result<Self, EtcdError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(PING_INTERVAL, PING_TIMEOUT)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((user, password)) = settings.login()? {
            options = options.with_user(user, password);
        }
        if settings.ca.is_some() || settings.identity.is_some() {
            let mut tls = TlsOptions::new();
            if let Some(ca) = &settings.ca {
                tls = tls.ca_certificate(Certificate::from_pem(authority_pem(("etcd.ca", ca))?));
            }
            if let Some((cert, key)) = &settings.identity {
                tls = tls.identity(Identity::from_pem(read("cert", cert)?, read("key", key)?));
            }
            options = options.with_tls(tls);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                endpoints: settings.endpoints.clone(),
                options,
                client: OnceCell::new(),
                turn: Arc::default(),
                keys: Keys::new(settings.prefix.clone()),
                health: Arc::default(),
            }),
        })
    }

    /// Names of the keys, below this store's prefix.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// How etcd is, by what became of the requests of all clones.
    pub fn health(&self) -> &Arc<Health> {
        &self.inner.health
    }

    /// Says in the log how etcd is, whenever that changes and once a minute while it is not well.
    pub async fn say_how_it_is(self) {
        self.inner.health.watch(&self.inner.endpoints.join(",")).await;
    }

    /// Signs in if that is needed; connecting itself is the client's business. Signing in goes on when who waits for it
    /// gives up: a password costs etcd a hash of some 70 ms of CPU, and an etcd that is busy or far away takes longer
    /// than a request may. Begun anew with each request it would never be done, and keep etcd busy.
    pub(crate) async fn client(&self) -> Result<Client, EtcdError> {
        let inner = self.inner.clone();
        let signed_in = |inner: &Inner| inner.client.get().cloned();
        if let Some(client) = signed_in(&inner) {
            return Ok(client);
        }
        let Ok(turn) = inner.turn.clone().try_lock_owned() else {
            _ = timeout(REQUEST_TIMEOUT, inner.turn.lock()).await;
            return signed_in(&inner).ok_or(EtcdError::Timeout);
        };
        if let Some(client) = signed_in(&inner) {
            return Ok(client);
        }
        let signing_in = tokio::spawn(async move {
            let Inner { endpoints, options, client, .. } = &*inner;
            let connect = Client::connect(endpoints, Some(options.clone()));
            let connected = match timeout(SIGN_IN_TIMEOUT, connect).await {
                Ok(Ok(new)) => client.get_or_init(|| async move { new }).await.clone(),
                Ok(Err(error)) => return Err(EtcdError::of(error)),
                Err(_) => return Err(EtcdError::Timeout),
            };
            drop(turn);
            Ok(connected)
        });
        match timeout(REQUEST_TIMEOUT, signing_in).await {
            Ok(Ok(done)) => done,
            _ => Err(EtcdError::Timeout),
        }
    }

    /// What is under the key now (a linearizable read).
    pub async fn read(&self, key: &str) -> Result<Option<Entry>, EtcdError> {
        let found = self.ask(READS, |mut client| async move { client.get(key, None).await }).await?;
        Ok(found.kvs().first().and_then(Entry::read))
    }

    /// Everything whose key begins with `prefix`, all at the revision that comes with it.
    pub async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, i64), EtcdError> {
        let end = end_of(prefix);
        let (mut from, mut at) = (prefix.as_bytes().to_vec(), 0);
        let mut entries = Vec::new();
        loop {
            let page = GetOptions::new().with_range(end.clone()).with_limit(PAGE).with_revision(at);
            let page = self
                .ask(READS, |mut client| {
                    let (from, page) = (from.clone(), page.clone());
                    async move { client.get(from, Some(page)).await }
                })
                .await?;
            if at == 0 {
                at = page.header().map_or(0, |header| header.revision());
            }
            entries.extend(page.kvs().iter().filter_map(Entry::read));
            let last = page.kvs().last();
            match last {
                Some(last) if page.more() => {
                    from = last.key().to_vec();
                    from.push(0);
                }
                _ => return Ok((entries, at)),
            }
            if entries.len() > ENTRIES_MAX {
                return Err(EtcdError::TooMany(prefix.into()));
            }
        }
    }

    /// Puts the value if the key was last changed at `mod_revision`; 0: if it is not there.
    pub async fn put_if(
        &self,
        key: &str,
        mod_revision: i64,
        value: &[u8],
        lease: Option<LeaseId>,
    ) -> Result<Outcome, EtcdError> {
        let options = lease.map(|lease| PutOptions::new().with_lease(lease));
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, mod_revision);
        let is_ours = |found: Option<&Entry>| {
            found.is_some_and(|entry| {
                entry.value == value
                    && entry.lease == lease.unwrap_or_default()
                    && entry.mod_revision > mod_revision
            })
        };
        let put = TxnOp::put(key, value, options);
        self.change_if(unchanged, key, (put, WRITES), is_ours).await
    }

    /// Deletes the key if it was last changed at `mod_revision`.
    pub async fn delete_if(&self, key: &str, mod_revision: i64) -> Result<Outcome, EtcdError> {
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, mod_revision);
        self.change_if(unchanged, key, (TxnOp::delete(key, None), READS), |found| found.is_none()).await
    }

    /// Deletes the key if it is the incarnation that was created at `create_revision`.
    pub async fn delete_created(&self, key: &str, create_revision: i64) -> Result<Outcome, EtcdError> {
        let same = Compare::create_revision(key, CompareOp::Equal, create_revision);
        self.change_if(same, key, (TxnOp::delete(key, None), READS), |found| found.is_none()).await
    }

    /// `is_ours`: whether that is what the change leaves behind. Nobody but an earlier try of ours can
    /// have left it, or it does not matter who did.
    async fn change_if(
        &self,
        condition: Compare,
        key: &str,
        (change, is_write): (TxnOp, bool),
        is_ours: impl Fn(Option<&Entry>) -> bool,
    ) -> Result<Outcome, EtcdError> {
        let look = [TxnOp::get(key, None)];
        let txn = Txn::new().when([condition]).and_then([change]).or_else(look);
        let Tried { result, is_repeated } = self.tried_txn(Repeat::Always, is_write, &txn).await;
        let response = result?;
        let revision = response.header().map_or(0, |header| header.revision());
        if response.succeeded() {
            return Ok(Outcome::Done(revision));
        }
        let found = response.op_responses().first().and_then(Entry::of);
        // The condition does not hold any more because an earlier try was done.
        if is_repeated && is_ours(found.as_ref()) {
            return Ok(Outcome::Done(found.map_or(revision, |entry| entry.mod_revision)));
        }
        Ok(Outcome::Changed(found))
    }

    /// A transaction that does no harm when it is made again: it reads, or its conditions do not hold
    /// once it was done, and then it looks.
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, EtcdError> {
        self.tried_txn(Repeat::Always, READS, &txn).await.result
    }

    /// Any transaction.
    pub async fn txn_once(&self, txn: Txn) -> Result<TxnResponse, EtcdError> {
        self.tried_txn(Repeat::IfUndone, READS, &txn).await.result
    }

    async fn tried_txn(&self, repeat: Repeat, is_write: bool, txn: &Txn) -> Tried<TxnResponse> {
        let request = |mut client: Client| {
            let txn = txn.clone();
            async move { client.txn(txn).await }
        };
        self.tried(repeat, is_write, request).await
    }

    /// Makes a request that may be made again.
    async fn ask<T, F>(&self, is_write: bool, request: impl Fn(Client) -> F) -> Result<T, EtcdError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.tried(Repeat::Always, is_write, request).await.result
    }

    async fn tried<T, F>(&self, repeat: Repeat, is_write: bool, request: impl Fn(Client) -> F) -> Tried<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let request = &request;
        let tried = persist(repeat, || async move {
            let client = self.client().await?;
            request(client).await.map_err(EtcdError::of)
        })
        .await;
        self.inner.health.note(tried.result.as_ref().err(), is_write);
        tried
    }

    /// A new lease; etcd counts in seconds.
    pub async fn grant(&self, ttl: Duration) -> Result<LeaseId, EtcdError> {
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        // One that an earlier try got has nothing under it, and ends.
        let grant = |mut client: Client| async move { client.lease_grant(seconds, None).await };
        Ok(self.ask(WRITES, grant).await?.id())
    }

    /// Renews a lease for its whole time. [`EtcdError::LeaseGone`]: there is nothing to renew.
    pub async fn keep_alive(&self, lease: LeaseId) -> Result<(), EtcdError> {
        match self.ask(READS, |mut client| async move { client.lease_keep_alive(lease).await }).await {
            // The stream serves one renewal: one that hangs would take the next ones with it.
            Ok(_) => {
                self.inner.health.renewed();
                Ok(())
            }
            Err(EtcdError::Failed(Error::LeaseKeepAliveError(_))) => Err(EtcdError::LeaseGone),
            Err(error) => Err(error),
        }
    }

    /// Ends a lease and deletes what is under it. One that is gone already is no error.
    pub async fn revoke(&self, lease: LeaseId) -> Result<(), EtcdError> {
        match self.ask(READS, |mut client| async move { client.lease_revoke(lease).await }).await {
            Ok(_) | Err(EtcdError::LeaseGone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts the value whatever is there.
    pub async fn put(&self, key: &str, value: &[u8], lease: Option<LeaseId>) -> Result<(), EtcdError> {
        let options = lease.map(|lease| PutOptions::new().with_lease(lease));
        let put = |mut client: Client| {
            let options = options.clone();
            async move { client.put(key, value, options).await }
        };
        self.ask(WRITES, put).await.map(drop)
    }
}

pub(crate) async fn within<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, EtcdError> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(EtcdError::of(error)),
        Err(_) => Err(EtcdError::Timeout),
    }
}

/// The first key after all that begin with `prefix`.
pub(crate) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // etcd's word for "no end".
    vec![0]
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, EtcdError> {
    std::fs::read(path).map_err(|cause| EtcdError::File { key, path: path.into(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(end_of("/a/"), b"/a0");
        assert_eq!(end_of(""), [0]);
    }
}
