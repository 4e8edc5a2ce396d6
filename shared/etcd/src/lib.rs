//! etcd as both planes use it: records read and changed under conditions, leases, and prefixes that
//! are watched for good. `railgun_shared::directory` says what the keys and records are.
//!
//! ```no_run
//! # async fn example(settings: &railgun_shared::settings::EtcdSettings) -> Result<(), railgun_etcd::EtcdError> {
//! use railgun_etcd::{Outcome, Store, Update};
//! use std::time::Duration;
//!
//! let store = Store::open(settings)?; // nothing is connected yet, and etcd need not be up
//! let key = format!("{}channel/lobby", store.keys().records());
//!
//! // What was read is changed only if nobody else changed it; revision 0 stands for "not there".
//! let revision = store.read(&key).await?.map_or(0, |entry| entry.mod_revision);
//! if let Outcome::Changed(now) = store.put_if(&key, revision, b"{}", None).await? {
//!     println!("somebody was faster: {now:?}");
//! }
//!
//! // A record that goes away by itself.
//! store.put_leased("/rg/v1/joins/ada/1", b"", Duration::from_secs(60)).await?;
//!
//! // A copy that stays true: fold the updates into a map.
//! let mut watch = store.watch_prefix(store.keys().records());
//! loop {
//!     match watch.next().await {
//!         Update::Put(entry) => println!("{} is now {:?}", entry.key, entry.value),
//!         Update::Deleted(key) => println!("{key} is gone"),
//!         Update::Synced => println!("the copy is complete and true"),
//!         Update::Lost => println!("etcd does not answer: the copy may be old"),
//!     }
//! }
//! # }
//! ```
#![forbid(unsafe_code)]

mod backoff;
mod nodes;
mod retry;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod watch;

pub use backoff::Backoff;
pub use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
pub use nodes::NodeEntry;
pub use store::{Entry, EtcdError, LeaseId, Outcome, Store};
pub use watch::{PrefixWatch, Update};
