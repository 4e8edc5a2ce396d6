//! The operators' records: channels, bans, entitlements and revocations. Decisions read the view in
//! memory and never wait.

use crate::config::ChannelsConfig;
use railgun_shared::ids::{ChannelId, UserId};
use railgun_shared::plan::Tier;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Records {
    view: RwLock<View>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) channels: BTreeMap<ChannelId, ChannelRecord>,
    pub(crate) entitlements: BTreeMap<UserId, EntitlementRecord>,
    /// Tokens of the user issued before this (Unix seconds) count no more.
    pub(crate) revocations: BTreeMap<UserId, u64>,
    created_on_join: Option<Tier>,
}

#[derive(Clone, Debug)]
pub(crate) struct ChannelRecord {
    pub(crate) tier: Tier,
}

/// What a user may send, whatever the user's token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntitlementRecord {
    pub(crate) tier: Tier,
    /// Unix seconds; none: without end.
    pub(crate) pro_until: Option<u64>,
}

impl Records {
    pub(crate) fn in_memory(config: &ChannelsConfig) -> Self {
        let channels =
            config.preset.iter().map(|(channel, tier)| (channel.clone(), ChannelRecord { tier: *tier }));
        let view = View {
            channels: channels.collect(),
            created_on_join: config.create_on_join.then_some(config.default_tier),
            ..View::default()
        };
        Self { view: RwLock::new(view), changes: watch::Sender::new(0) }
    }

    /// To read one decision's worth of records. Not to be held over an await.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves whenever a record changed, so that sessions look again at what concerns them.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl View {
    pub(crate) fn channel(&self, channel: &ChannelId) -> Option<ChannelRecord> {
        let made = || self.created_on_join.map(|tier| ChannelRecord { tier });
        self.channels.get(channel).cloned().or_else(made)
    }

    pub(crate) fn entitlement(&self, user: &UserId) -> Option<EntitlementRecord> {
        self.entitlements.get(user).copied()
    }

    pub(crate) fn is_revoked(&self, user: &UserId, issued_at: u64) -> bool {
        self.revocations.get(user).is_some_and(|before| issued_at < *before)
    }
}
