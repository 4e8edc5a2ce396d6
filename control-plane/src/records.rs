//! The operators' records: which channels there are. In memory, from the configuration.

use crate::config::ChannelsConfig;
use railgun_shared::ids::ChannelId;
use railgun_shared::plan::{RoomLimits, Tier};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Records {
    channels: BTreeMap<ChannelId, Tier>,
    /// The tier of a channel that nobody created; none: there is no such channel.
    created_on_join: Option<Tier>,
}

impl Records {
    pub(crate) fn new(config: &ChannelsConfig) -> Self {
        Self {
            channels: config.preset.clone(),
            created_on_join: config.create_on_join.then_some(config.default_tier),
        }
    }

    /// How much the channel's room takes, or none if there is no such channel.
    pub(crate) fn limits_of(&self, channel: &ChannelId) -> Option<RoomLimits> {
        self.channels.get(channel).copied().or(self.created_on_join).map(RoomLimits::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_nobody_created_exists_only_if_joining_creates_it() {
        let lobby = ChannelId::new("lobby").unwrap();
        let other = ChannelId::new("other").unwrap();
        let mut config = ChannelsConfig { default_tier: Tier::Pro, ..ChannelsConfig::default() };
        config.preset.insert(lobby.clone(), Tier::Free);
        let closed = Records::new(&config);
        assert_eq!(closed.limits_of(&lobby), Some(RoomLimits::of(Tier::Free)));
        assert_eq!(closed.limits_of(&other), None);
        config.create_on_join = true;
        let open = Records::new(&config);
        assert_eq!(open.limits_of(&lobby), Some(RoomLimits::of(Tier::Free)));
        assert_eq!(open.limits_of(&other), Some(RoomLimits::of(Tier::Pro)));
    }
}
