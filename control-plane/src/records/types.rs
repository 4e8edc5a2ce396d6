//! What operators write down, and the keys it is kept under.

use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Encryption;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// Users that one channel can list.
pub(crate) const MEMBERS_MAX: usize = 1000;
/// A ban's reason, in characters.
pub(crate) const REASON_CHARS_MAX: usize = 256;
/// The end of the year 9999 in Unix seconds: no record speaks of a later moment.
const MOMENT_MAX: u64 = 253_402_300_799;

/// A voice channel is open to everyone unless it lists members; a DM is always closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChannelKind {
    #[default]
    Voice,
    Dm,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChannelRecord {
    #[serde(default)]
    pub kind: ChannelKind,
    /// How large its room is.
    pub tier: Tier,
    /// Who may join; empty: everyone, but nobody if it is a DM.
    #[serde(default)]
    pub members: Vec<UserId>,
    /// `transport` is left out: versions before end-to-end encryption read such records, and wrote them.
    #[serde(default, skip_serializing_if = "is_transport")]
    pub encryption: Encryption,
}

fn is_transport(encryption: &Encryption) -> bool {
    *encryption == Encryption::Transport
}

impl ChannelRecord {
    pub(crate) fn open(tier: Tier) -> Self {
        Self { kind: ChannelKind::Voice, tier, members: Vec::new(), encryption: Encryption::Transport }
    }

    pub(crate) fn admits(&self, user: &UserId) -> bool {
        let is_open = self.kind == ChannelKind::Voice && self.members.is_empty();
        is_open || self.members.contains(user)
    }
}

/// Keeps a user out of one channel, or out of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BanRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub reason: Option<String>,
    /// Unix seconds; none: without end.
    #[serde(default, deserialize_with = "seconds_if_any", skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 253_402_300_799i64)]
    pub until: Option<u64>,
}

impl BanRecord {
    /// `now` in Unix seconds.
    pub(crate) fn holds(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What a user may send, whatever the user's token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntitlementRecord {
    #[schema(value_type = TierName)]
    pub tier: Tier,
    /// Unix seconds; none: without end.
    #[serde(default, deserialize_with = "seconds_if_any", skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 253_402_300_799i64)]
    pub pro_until: Option<u64>,
}

/// Tokens of a user issued before this moment count no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RevocationRecord {
    /// Unix seconds.
    #[serde(deserialize_with = "seconds")]
    #[schema(maximum = 253_402_300_799i64)]
    pub before: u64,
}

/// The picture that others see of a user, whatever the user's token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AvatarRecord {
    /// A path on the page's own origin, or an `https:` URL of a host in `avatar_hosts`; none: no picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub url: Option<String>,
}

/// A whole number may be written `7.0` in JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Whole {
    Integer(u64),
    Real(f64),
}

/// Seconds, of which no record needs more than up to the year 9999.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    bounded(Whole::deserialize(from)?).map_err(de::Error::custom)
}

pub(crate) fn seconds_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Option::<Whole>::deserialize(from)?.map(bounded).transpose().map_err(de::Error::custom)
}

fn bounded(number: Whole) -> Result<u64, &'static str> {
    let seconds = match number {
        Whole::Integer(seconds) => Some(seconds),
        Whole::Real(real) => real.to_string().parse().ok(),
    };
    seconds.filter(|seconds| *seconds <= MOMENT_MAX).ok_or("not whole seconds up to the year 9999")
}

/// `free` or `pro`, as [`Tier`] is written.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "documents a type of another crate")]
pub(crate) enum TierName {
    Free,
    Pro,
}

/// `transport`: from each client to its media node. `endToEnd`: from client to client.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "documents a type of another crate")]
pub(crate) enum EncryptionName {
    Transport,
    EndToEnd,
}

/// A user, as [`UserId`] is written.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
#[allow(dead_code, reason = "documents a type of another crate")]
pub(crate) struct Name(String);

/// Where a ban holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum BanScope {
    Everywhere,
    Channel(ChannelId),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKey {
    Channel(ChannelId),
    Ban(BanScope, UserId),
    Entitlement(UserId),
    Revocation(UserId),
    Avatar(UserId),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Channel(ChannelRecord),
    Ban(BanRecord),
    Entitlement(EntitlementRecord),
    Revocation(RevocationRecord),
    Avatar(AvatarRecord),
}

/// A record that is not one of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("a key of no kind")]
    Key,
    #[error("not the JSON of its kind: {0}")]
    Json(#[from] serde_json::Error),
}

impl RecordKey {
    /// The key in a store, below the prefix of records. A user's name comes last and stands as it
    /// is; a channel's before it has its `/`, `%` and `*` escaped.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Channel(channel) => format!("channel/{channel}"),
            Self::Ban(BanScope::Everywhere, user) => format!("ban/*/{user}"),
            Self::Ban(BanScope::Channel(channel), user) => {
                format!("ban/{}/{user}", escape(channel.as_str()))
            }
            Self::Entitlement(user) => format!("entitlement/{user}"),
            Self::Revocation(user) => format!("revocation/{user}"),
            Self::Avatar(user) => format!("avatar/{user}"),
        }
    }

    pub(crate) fn parse(path: &str) -> Result<Self, RecordError> {
        let (kind, rest) = path.split_once('/').ok_or(RecordError::Key)?;
        let user = |name: &str| UserId::new(name).map_err(|_| RecordError::Key);
        Ok(match kind {
            "channel" => Self::Channel(ChannelId::new(rest).map_err(|_| RecordError::Key)?),
            "entitlement" => Self::Entitlement(user(rest)?),
            "revocation" => Self::Revocation(user(rest)?),
            "avatar" => Self::Avatar(user(rest)?),
            "ban" => match rest.split_once('/').ok_or(RecordError::Key)? {
                ("*", name) => Self::Ban(BanScope::Everywhere, user(name)?),
                (channel, name) => {
                    let channel = ChannelId::new(unescape(channel)).map_err(|_| RecordError::Key)?;
                    Self::Ban(BanScope::Channel(channel), user(name)?)
                }
            },
            _ => return Err(RecordError::Key),
        })
    }
}

impl Record {
    pub(crate) fn to_json(&self) -> String {
        let json = match self {
            Self::Channel(record) => serde_json::to_string(record),
            Self::Ban(record) => serde_json::to_string(record),
            Self::Entitlement(record) => serde_json::to_string(record),
            Self::Revocation(record) => serde_json::to_string(record),
            Self::Avatar(record) => serde_json::to_string(record),
        };
        // Maps with string keys and plain fields: their serialisers cannot fail.
        json.unwrap_or_default()
    }

    /// The record that belongs under `key`.
    pub(crate) fn from_json(key: &RecordKey, json: &[u8]) -> Result<Self, RecordError> {
        Ok(match key {
            RecordKey::Channel(_) => Self::Channel(serde_json::from_slice(json)?),
            RecordKey::Ban(..) => Self::Ban(serde_json::from_slice(json)?),
            RecordKey::Entitlement(_) => Self::Entitlement(serde_json::from_slice(json)?),
            RecordKey::Revocation(_) => Self::Revocation(serde_json::from_slice(json)?),
            RecordKey::Avatar(_) => Self::Avatar(serde_json::from_slice(json)?),
        })
    }
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F").replace('*', "%2A")
}

fn unescape(text: &str) -> String {
    text.replace("%2F", "/").replace("%2A", "*").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn channel(name: &str) -> ChannelId {
        ChannelId::new(name).unwrap()
    }

    #[test]
    fn a_key_reads_back_from_its_path_whatever_the_names_hold() {
        for name in ["a", "a/b", "*", "%2F", "a%25*/", "é /"] {
            for key in [
                RecordKey::Channel(channel(name)),
                RecordKey::Ban(BanScope::Everywhere, user(name)),
                RecordKey::Ban(BanScope::Channel(channel(name)), user(name)),
                RecordKey::Entitlement(user(name)),
                RecordKey::Revocation(user(name)),
                RecordKey::Avatar(user(name)),
            ] {
                assert_eq!(RecordKey::parse(&key.path()).unwrap(), key, "{}", key.path());
            }
        }
        for wrong in ["", "channel", "channel/", "ban/a", "ban/a/", "other/a"] {
            assert!(RecordKey::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_dm_admits_only_whom_it_lists_and_a_voice_channel_everyone_unless_it_lists() {
        let (ada, bob) = (user("ada"), user("bob"));
        let members = vec![ada.clone()];
        let dm = ChannelRecord { kind: ChannelKind::Dm, members, ..ChannelRecord::open(Tier::Free) };
        assert!(dm.admits(&ada) && !dm.admits(&bob));
        let voice = ChannelRecord { kind: ChannelKind::Voice, ..dm };
        assert!(voice.admits(&ada) && !voice.admits(&bob));
        assert!(ChannelRecord::open(Tier::Pro).admits(&bob));
        let nobody = ChannelRecord { kind: ChannelKind::Dm, ..ChannelRecord::open(Tier::Pro) };
        assert!(!nobody.admits(&bob));
    }

    #[test]
    fn only_a_channel_that_is_encrypted_end_to_end_needs_a_version_that_knows_of_it() {
        let before = r#"{"kind":"dm","tier":"free","members":[]}"#;
        let key = RecordKey::Channel(channel("dm"));
        let Record::Channel(read) = Record::from_json(&key, before.as_bytes()).unwrap() else { panic!() };
        assert_eq!(read.encryption, Encryption::Transport);
        assert_eq!(Record::Channel(read.clone()).to_json(), before);
        let encrypted = Record::Channel(ChannelRecord { encryption: Encryption::EndToEnd, ..read });
        assert!(encrypted.to_json().contains(r#""encryption":"endToEnd""#));
        assert_eq!(Record::from_json(&key, encrypted.to_json().as_bytes()).unwrap(), encrypted);
    }

    #[test]
    fn a_ban_holds_until_its_end() {
        let ban = BanRecord { reason: None, until: Some(10) };
        assert!(ban.holds(9) && !ban.holds(10));
        assert!(BanRecord::default().holds(u64::MAX));
    }
}
