//! The records as one replica knows them: what every decision reads, and nothing else.

use super::types::{
    AvatarRecord, BanRecord, BanScope, ChannelRecord, EntitlementRecord, Record, RecordKey, RevocationRecord,
};
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::media_rpc::EncryptionRule;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default)]
pub(crate) struct View {
    /// Each with the revision of its last change.
    channels: BTreeMap<ChannelId, (ChannelRecord, u64)>,
    /// Of the last change that is known of any record, or of the last time that all were read.
    revision: u64,
    /// A channel without a record had none at this revision: of the last deletion of a channel, or of the last time
    /// that all records were read.
    absent_at: u64,
    /// By user, since a session asks for one user's.
    bans: BTreeMap<UserId, HashMap<BanScope, BanRecord>>,
    entitlements: BTreeMap<UserId, EntitlementRecord>,
    revocations: BTreeMap<UserId, RevocationRecord>,
    avatars: BTreeMap<UserId, AvatarRecord>,
    /// A channel that nobody created; none: there is no such channel.
    created_on_join: Option<ChannelRecord>,
}

impl View {
    /// `revision` is lower than that of any change.
    pub(crate) fn new(created_on_join: Option<ChannelRecord>, revision: u64) -> Self {
        Self { created_on_join, revision, absent_at: revision, ..Self::default() }
    }

    /// Of the last change that is known of any record.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// All records were read as they were at `revision`. A replica that starts after a channel's record was deleted
    /// learns of the deletion by this alone, and a room that is older than it has to follow.
    #[cfg(any(feature = "etcd", test))]
    pub(crate) fn read_at(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
        self.absent_at = self.absent_at.max(revision);
    }

    pub(crate) fn put(&mut self, key: RecordKey, record: Record, revision: u64) {
        self.revision = self.revision.max(revision);
        match (key, record) {
            (RecordKey::Channel(channel), Record::Channel(record)) => {
                self.channels.insert(channel, (record, revision));
            }
            (RecordKey::Ban(scope, user), Record::Ban(record)) => {
                self.bans.entry(user).or_default().insert(scope, record);
            }
            (RecordKey::Entitlement(user), Record::Entitlement(record)) => {
                self.entitlements.insert(user, record);
            }
            (RecordKey::Revocation(user), Record::Revocation(record)) => {
                self.revocations.insert(user, record);
            }
            (RecordKey::Avatar(user), Record::Avatar(record)) => {
                self.avatars.insert(user, record);
            }
            // `Record::from_json` makes the kind that belongs under its key.
            (_, record) => tracing::error!(?record, "a record under a key of another kind"),
        }
    }

    pub(crate) fn delete(&mut self, key: &RecordKey, revision: u64) {
        self.revision = self.revision.max(revision);
        match key {
            RecordKey::Channel(channel) => {
                self.channels.remove(channel);
                self.absent_at = self.absent_at.max(revision);
            }
            RecordKey::Ban(scope, user) => {
                if let Some(of_user) = self.bans.get_mut(user) {
                    of_user.remove(scope);
                    if of_user.is_empty() {
                        self.bans.remove(user);
                    }
                }
            }
            RecordKey::Entitlement(user) => {
                self.entitlements.remove(user);
            }
            RecordKey::Revocation(user) => {
                self.revocations.remove(user);
            }
            RecordKey::Avatar(user) => {
                self.avatars.remove(user);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        let bans: usize = self.bans.values().map(HashMap::len).sum();
        self.channels.len() + bans + self.entitlements.len() + self.revocations.len() + self.avatars.len()
    }

    /// The channel, or what joining would make of it.
    pub(crate) fn channel(&self, channel: &ChannelId) -> Option<ChannelRecord> {
        self.written_channel(channel).or(self.created_on_join.as_ref()).cloned()
    }

    /// How the channel is encrypted, and since when.
    pub(crate) fn encryption(&self, channel: &ChannelId) -> EncryptionRule {
        match self.channels.get(channel) {
            Some((record, revision)) => EncryptionRule { encryption: record.encryption, revision: *revision },
            None => {
                let made = self.created_on_join.as_ref();
                let encryption = made.map(|record| record.encryption).unwrap_or_default();
                EncryptionRule { encryption, revision: self.absent_at }
            }
        }
    }

    /// Of the channel's last change; 0: nobody wrote it down.
    pub(crate) fn channel_revision(&self, channel: &ChannelId) -> u64 {
        self.channels.get(channel).map_or(0, |(_, revision)| *revision)
    }

    /// The channel as somebody wrote it down.
    pub(crate) fn written_channel(&self, channel: &ChannelId) -> Option<&ChannelRecord> {
        self.channels.get(channel).map(|(record, _)| record)
    }

    /// Channels in the order of their ids: those that come after `after`, or all.
    pub(crate) fn channels(
        &self,
        after: Option<&ChannelId>,
    ) -> impl Iterator<Item = (&ChannelId, &ChannelRecord)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let channels = self.channels.range::<ChannelId, _>((after.map_or(Unbounded, Excluded), Unbounded));
        channels.map(|(channel, (record, _))| (channel, record))
    }

    /// What keeps this user out of that channel at `now` (Unix seconds).
    pub(crate) fn ban(&self, user: &UserId, channel: &ChannelId, now: u64) -> Option<&BanRecord> {
        let of_user = self.bans.get(user)?;
        let everywhere = of_user.get(&BanScope::Everywhere).filter(|ban| ban.holds(now));
        everywhere.or_else(|| of_user.get(&BanScope::Channel(channel.clone())).filter(|ban| ban.holds(now)))
    }

    pub(crate) fn written_ban(&self, scope: &BanScope, user: &UserId) -> Option<&BanRecord> {
        self.bans.get(user)?.get(scope)
    }

    /// The record under any key.
    #[cfg(feature = "etcd")]
    pub(crate) fn record(&self, key: &RecordKey) -> Option<Record> {
        match key {
            RecordKey::Channel(channel) => self.written_channel(channel).cloned().map(Record::Channel),
            RecordKey::Ban(scope, user) => self.written_ban(scope, user).cloned().map(Record::Ban),
            RecordKey::Entitlement(user) => self.entitlement(user).map(Record::Entitlement),
            RecordKey::Revocation(user) => self.revocation(user).map(Record::Revocation),
            RecordKey::Avatar(user) => self.avatar(user).cloned().map(Record::Avatar),
        }
    }

    pub(crate) fn entitlement(&self, user: &UserId) -> Option<EntitlementRecord> {
        self.entitlements.get(user).copied()
    }

    pub(crate) fn revocation(&self, user: &UserId) -> Option<RevocationRecord> {
        self.revocations.get(user).copied()
    }

    pub(crate) fn avatar(&self, user: &UserId) -> Option<&AvatarRecord> {
        self.avatars.get(user)
    }

    /// Whether a token of this user, issued at `issued_at`, was revoked.
    pub(crate) fn is_revoked(&self, user: &UserId, issued_at: u64) -> bool {
        self.revocations.get(user).is_some_and(|revocation| issued_at < revocation.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::plan::Tier;
    use railgun_protocol::signal::Encryption;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn channel(name: &str) -> ChannelId {
        ChannelId::new(name).unwrap()
    }

    #[test]
    fn a_channel_nobody_created_exists_only_if_joining_creates_it() {
        let mut closed = View::new(None, 0);
        let key = RecordKey::Channel(channel("lobby"));
        closed.put(key.clone(), Record::Channel(ChannelRecord::open(Tier::Free)), 1);
        assert_eq!(closed.channel(&channel("lobby")).unwrap().tier, Tier::Free);
        assert_eq!(closed.channel(&channel("other")), None);
        closed.delete(&key, 2);
        assert_eq!(closed.channel(&channel("lobby")), None);
        let open = View::new(Some(ChannelRecord::open(Tier::Pro)), 0);
        assert_eq!(open.channel(&channel("other")).unwrap().tier, Tier::Pro);
    }

    #[test]
    fn a_rule_for_encryption_is_of_the_channels_last_change_also_of_its_deletion() {
        let mut view = View::new(Some(ChannelRecord::open(Tier::Pro)), 5);
        let rule = |view: &View| {
            let EncryptionRule { encryption, revision } = view.encryption(&channel("lobby"));
            (encryption, revision)
        };
        assert_eq!(rule(&view), (Encryption::Transport, 5));
        let key = RecordKey::Channel(channel("lobby"));
        let encrypted = ChannelRecord { encryption: Encryption::EndToEnd, ..ChannelRecord::open(Tier::Pro) };
        view.put(key.clone(), Record::Channel(encrypted), 7);
        assert_eq!(rule(&view), (Encryption::EndToEnd, 7));
        view.put(RecordKey::Channel(channel("other")), Record::Channel(ChannelRecord::open(Tier::Pro)), 8);
        assert_eq!((rule(&view), view.revision()), ((Encryption::EndToEnd, 7), 8));
        view.delete(&key, 9);
        assert_eq!(rule(&view), (Encryption::Transport, 9));
    }

    #[test]
    fn a_replica_that_starts_after_a_channels_deletion_has_a_newer_rule_for_encryption_than_its_room() {
        let mut view = View::new(Some(ChannelRecord::open(Tier::Pro)), 0);
        view.put(RecordKey::Channel(channel("other")), Record::Channel(ChannelRecord::open(Tier::Pro)), 6);
        // "lobby" was encrypted by a record of revision 7, which was deleted at 8.
        view.read_at(9);
        let EncryptionRule { encryption, revision } = view.encryption(&channel("lobby"));
        assert_eq!((encryption, revision), (Encryption::Transport, 9));
        assert_eq!(view.encryption(&channel("other")).revision, 6, "of its last change");
        assert_eq!(view.revision(), 9);
    }

    #[test]
    fn a_ban_holds_in_its_channel_or_everywhere() {
        let mut view = View::new(None, 0);
        let ban = || Record::Ban(BanRecord::default());
        view.put(RecordKey::Ban(BanScope::Channel(channel("a")), user("eve")), ban(), 1);
        assert!(view.ban(&user("eve"), &channel("a"), 1).is_some());
        assert!(view.ban(&user("eve"), &channel("b"), 1).is_none());
        assert!(view.ban(&user("ada"), &channel("a"), 1).is_none());
        view.put(RecordKey::Ban(BanScope::Everywhere, user("eve")), ban(), 1);
        assert!(view.ban(&user("eve"), &channel("b"), 1).is_some());
        view.delete(&RecordKey::Ban(BanScope::Everywhere, user("eve")), 2);
        assert!(view.ban(&user("eve"), &channel("b"), 1).is_none());
        assert_eq!(view.len(), 1);
    }

    #[test]
    fn a_token_from_before_the_cut_off_counts_no_more() {
        let mut view = View::new(None, 0);
        view.put(RecordKey::Revocation(user("eve")), Record::Revocation(RevocationRecord { before: 100 }), 1);
        assert!(view.is_revoked(&user("eve"), 99));
        assert!(!view.is_revoked(&user("eve"), 100));
        assert!(!view.is_revoked(&user("ada"), 0));
    }
}
