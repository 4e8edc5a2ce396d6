//! Whether timelines are kept, and by whom.

use super::call_id::key_of;
use super::files::{self, Files};
use super::host::TimelineHost;
use super::keeper::{Keeper, Keeping, Kept, QUEUED_MAX, TimelineMetrics};
use super::peers::Peers;
use super::seat::SeatTimeline;
use crate::clock::unix_seconds;
use crate::config::CallsConfig;
use crate::placement::Placement;
use crate::policy::call_quality::Identity;
use anyhow::Context;
use railgun_protocol::ids::ChannelId;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Between two looks at what the nodes do.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Questions that are answered at once: each reads files.
const QUESTIONS_MAX: usize = 2;

/// Whether and where timelines are kept. Cheap to clone; does nothing if no folder is configured.
#[derive(Clone, Debug)]
pub(crate) struct Timelines {
    pub(super) keeping: Option<Arc<Keeping>>,
    pub(super) peers: Arc<Peers>,
    pub(super) questions: Arc<Semaphore>,
    host: Arc<dyn TimelineHost>,
}

/// Whether timelines can be kept in the configured folder. It is not made: whoever checks may be another user.
pub(crate) fn check(config: &CallsConfig) -> anyhow::Result<()> {
    match &config.folder {
        None => Ok(()),
        Some(folder) => files::check(folder).with_context(|| named(folder)),
    }
}

fn named(folder: &Path) -> String {
    format!("calls.dir = {}", folder.display())
}

impl Timelines {
    /// Has the host write, and starts the task that looks at nodes, if there is a folder.
    pub(crate) fn start(
        config: &CallsConfig,
        placement: Placement,
        metrics: TimelineMetrics,
        host: Arc<dyn TimelineHost>,
    ) -> anyhow::Result<(Self, Option<JoinHandle<()>>)> {
        let peers = Arc::new(Peers::new(&config.peers)?);
        let questions = Arc::new(Semaphore::new(QUESTIONS_MAX));
        let Some(folder) = config.folder.clone() else {
            return Ok((Self { keeping: None, peers, questions, host }, None));
        };
        files::make(&folder).with_context(|| named(&folder))?;
        let files = Files::open(&folder, config.keep, config.bytes_max).with_context(|| named(&folder))?;
        let (to, kept) = sync_channel(QUEUED_MAX);
        host.run(Keeper::new(kept, files, metrics.clone()))?;
        let look = tokio::spawn(look_at_nodes(placement, to.clone()));
        let keeping = Keeping { folder, keeps_users: config.users, to, metrics };
        Ok((Self { keeping: Some(Arc::new(keeping)), peers, questions, host }, Some(look)))
    }

    /// For a session that has a seat. None: nothing is kept.
    pub(crate) fn of_seat(
        &self,
        channel: &ChannelId,
        who: Identity,
        is_new: bool,
    ) -> Option<Box<SeatTimeline>> {
        let keeping = self.keeping.clone()?;
        let who = Identity { user: who.user.filter(|_| keeping.keeps_users), ..who };
        Some(Box::new(SeatTimeline::new(keeping, key_of(channel), who, is_new)))
    }

    /// What this work gives, once the host has run it. None: it panicked, or is not run any more.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, given) = oneshot::channel();
        self.host.read(Box::new(move || _ = done.send(work())));
        given.await.ok()
    }

    /// Writes what waits, for 2 s at most.
    pub(crate) async fn finish(&self) {
        let Some(keeping) = &self.keeping else { return };
        let (done, written) = oneshot::channel();
        if keeping.to.try_send(Kept::Finish(done)).is_ok() {
            _ = timeout(Duration::from_secs(2), written).await;
        }
    }
}

async fn look_at_nodes(placement: Placement, to: SyncSender<Kept>) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let minute = unix_seconds(SystemTime::now()) / 60;
        for (node, boot, work) in placement.work().await {
            _ = to.try_send(Kept::Work { minute, node, boot, work });
        }
    }
}
