//! The channels whose people a session is told of.

use crate::watches::{Counted, People, Watching};
use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::FuturesUnordered;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::signal::ChannelPerson;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch::Receiver;

type Change = (ChannelId, Receiver<People>);

#[derive(Default)]
pub(crate) struct WatchedChannels {
    channels: HashMap<ChannelId, Held>,
    /// Only ever borrowed as a whole; the lock makes sessions `Sync`.
    changes: Mutex<Changes>,
}

type Changes = FuturesUnordered<Abortable<BoxFuture<'static, Option<Change>>>>;

struct Held {
    wait: AbortHandle,
    people: Receiver<People>,
    _counted: Counted,
}

impl WatchedChannels {
    /// Who is in a channel that is watched already.
    pub(crate) fn people(&self, channel: &ChannelId) -> Option<Receiver<People>> {
        self.channels.get(channel).map(|held| held.people.clone())
    }

    /// `watching` has told what it knew; what follows is a change.
    pub(crate) fn insert(&mut self, channel: ChannelId, watching: Watching) {
        let Watching { people, counted } = watching;
        let wait = self.wait(channel.clone(), people.clone());
        self.channels.insert(channel, Held { wait, people, _counted: counted });
    }

    pub(crate) fn remove(&mut self, channel: &ChannelId) -> bool {
        let held = self.channels.remove(channel);
        held.inspect(|held| held.wait.abort()).is_some()
    }

    pub(crate) fn names(&self) -> Vec<ChannelId> {
        self.channels.keys().cloned().collect()
    }

    /// The next channel whose people changed, and who is there now; never, if there is none. May be dropped
    /// and called again.
    pub(crate) async fn changed(&mut self) -> (ChannelId, Arc<[ChannelPerson]>) {
        loop {
            match self.changes().next().await {
                Some(Ok(Some((channel, mut people)))) => {
                    let now = people.borrow_and_update().clone();
                    let Some(held) = self.channels.get(&channel) else { continue };
                    if !held.people.same_channel(&people) {
                        continue;
                    }
                    let wait = self.wait(channel.clone(), people);
                    if let Some(held) = self.channels.get_mut(&channel) {
                        held.wait = wait;
                    }
                    if let Some(now) = now {
                        return (channel, now);
                    }
                }
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn changes(&mut self) -> &mut Changes {
        self.changes.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&mut self, channel: ChannelId, mut people: Receiver<People>) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        let changed: BoxFuture<'static, Option<Change>> = Box::pin(async move {
            people.changed().await.ok()?;
            Some((channel, people))
        });
        self.changes().push(Abortable::new(changed, registration));
        handle
    }
}
