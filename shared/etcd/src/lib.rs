//! etcd as both planes use it: records read and changed under conditions, leases, and prefixes that
//! are watched for good. `railgun_protocol::directory` says what the keys and records are.
//!
//! ```no_run
//! # async fn example(settings: &railgun_settings::EtcdSettings) -> Result<(), railgun_etcd::EtcdError> {
//! use railgun_etcd::{Outcome, SharedLeases, Store, Update};
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
//! // Records that go away by themselves, under leases of which there are few.
//! let leases = SharedLeases::new(store.clone());
//! let lease = leases.lasting(Duration::from_secs(60)).await?;
//! store.put("/rg/v1/joins/ada/calls", b"", Some(lease)).await?;
//!
//! // A copy that stays true: fold the updates into a map.
//! let mut watch = store.watch_prefix(store.keys().records());
//! loop {
//!     match watch.next().await {
//!         Update::Put(entry) => println!("{} is now {:?}", entry.key, entry.value),
//!         Update::Deleted(key) => println!("{key} is gone"),
//!         Update::Synced(_) => println!("the copy is complete and true"),
//!         Update::Lost => println!("etcd does not answer: the copy may be old"),
//!     }
//! }
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod error;
mod health;
mod metrics;
mod nodes;
mod retry;
mod shared_leases;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod watch;

pub use backoff::Backoff;
pub use error::EtcdError;
pub use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
pub use health::{Condition, Health};
pub use nodes::NodeEntry;
pub use shared_leases::SharedLeases;
pub use store::{Entry, LeaseId, Outcome, Store};
pub use watch::{PrefixWatch, Update};
