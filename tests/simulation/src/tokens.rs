//! Users' tokens, signed with a key that every replica of every world knows.

use railgun_control::auth::{Claims, LocalKey};
use railgun_control::{OperatorScope, operator_token_entry};
use railgun_protocol::ids::UserId;
use railgun_protocol::plan::Tier;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

struct Keys {
    key: LocalKey,
    jwks: PathBuf,
}

/// What relay and control-plane share.
pub(crate) const TURN_SECRET: &str = "the-secret-of-simulated-relays";
/// What the operators' server and the control-plane share.
pub(crate) const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Of an operator who may do everything, and of one who may read.
pub(crate) const OPERATOR: &str = "operator-of-the-simulation";
pub(crate) const READER: &str = "reader-of-the-simulation";
/// Files in the directory.
pub(crate) const TURN: &str = "turn.secret";
pub(crate) const HOOKS: &str = "hooks.secret";
pub(crate) const OPERATORS: &str = "operators.toml";

fn operators() -> String {
    use OperatorScope::{
        ReadAudit, ReadBans, ReadCalls, ReadChannels, ReadEntitlements, ReadNodes, ReadRooms, WriteBans,
        WriteChannels, WriteEntitlements, WriteNodes, WriteRooms,
    };
    let reads = [ReadAudit, ReadBans, ReadCalls, ReadChannels, ReadEntitlements, ReadNodes, ReadRooms];
    let writes = [WriteBans, WriteChannels, WriteEntitlements, WriteNodes, WriteRooms];
    let all = [reads.as_slice(), &writes].concat();
    [operator_token_entry("all", OPERATOR, &all), operator_token_entry("reads", READER, &reads)].concat()
}

/// What a replica of this process's world writes its audit to.
pub(crate) fn audit(replica: usize) -> PathBuf {
    directory().join(format!("audit-{}-{replica}", std::process::id()))
}

/// Where a replica of this process's world keeps timelines of calls.
pub(crate) fn calls(replica: usize) -> PathBuf {
    directory().join(format!("calls-{}-{replica}", std::process::id()))
}

/// Names the directory of the process that started this one.
pub(crate) const DIRECTORY: &str = "RAILGUN_SIM_DIRECTORY";

static KEYS: OnceLock<Keys> = OnceLock::new();

/// Makes the key, on a thread with the real machine below it.
pub(crate) fn prepare() -> anyhow::Result<()> {
    let of_parent = std::env::var_os(DIRECTORY);
    let own = || std::env::temp_dir().join(format!("railgun-sim-{}", std::process::id()));
    let directory = of_parent.as_ref().map_or_else(own, Into::into);
    std::fs::create_dir_all(&directory)?;
    let path = directory.join("token.key");
    let key = LocalKey::open_or_create(&path)?;
    let files = [(TURN, TURN_SECRET.to_owned()), (HOOKS, HOOK_SECRET.to_owned()), (OPERATORS, operators())];
    // Those of the parent are there, and its other children read them.
    for (name, text) in files.into_iter().filter(|_| of_parent.is_none()) {
        std::fs::write(directory.join(name), text)?;
    }
    _ = KEYS.set(Keys { key, jwks: LocalKey::jwks_path(&path) });
    Ok(())
}

pub(crate) fn directory() -> PathBuf {
    keys().jwks.parent().map(ToOwned::to_owned).unwrap_or_default()
}

/// Deletes it.
pub(crate) fn clean_up() {
    if let Some(directory) = KEYS.get().and_then(|keys| keys.jwks.parent()) {
        _ = std::fs::remove_dir_all(directory);
    }
}

fn keys() -> &'static Keys {
    KEYS.get().expect("prepared at the start")
}

pub(crate) fn jwks() -> PathBuf {
    keys().jwks.clone()
}

/// A token for an hour, by this host's clock. `pro_until`: Unix seconds.
pub(crate) fn mint(user: &str, pro: bool, pro_until: Option<u64>, privacy_mode: bool) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        sub: UserId::new(user).expect("a user's name"),
        iat: now,
        exp: now + 3600,
        nbf: None,
        aud: None,
        iss: None,
        tier: if pro { Tier::Pro } else { Tier::Free },
        pro_until,
        name: None,
        avatar: None,
        region: None,
        privacy_mode,
    };
    keys().key.mint(&claims).expect("a token")
}
