use crate::support::{Harness, http};
use railgun_control::{JoinLimits, OperatorScope, operator_token_entry};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::signal::GrantReason;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

struct Operated {
    harness: Harness,
    tokens: PathBuf,
}

impl Operated {
    async fn start() -> Self {
        let tokens = std::env::temp_dir().join(format!("railgun-tokens-{:x}.toml", rand::random::<u64>()));
        let scopes: Vec<OperatorScope> = ["channels:write", "bans:write", "entitlements:write"]
            .iter()
            .map(|word| word.parse().unwrap())
            .collect();
        std::fs::write(&tokens, operator_token_entry("root", "secret", &scopes)).unwrap();
        let path = tokens.clone();
        let harness = Harness::start_with(|config| {
            config.operators.tokens = Some(path);
            config.joins = JoinLimits { per_minute: 0, cooldown: 0 };
        })
        .await;
        Self { harness, tokens }
    }

    async fn put(&self, path: &str, record: Value) {
        let headers = [("Authorization", "Bearer secret"), ("Content-Type", "application/json")];
        let response = http(self.harness.operators, "PUT", path, &headers, &record.to_string()).await;
        assert_eq!(response.status, 204, "{}", response.body);
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.tokens);
    }
}

#[tokio::test]
async fn a_ban_ends_a_call_and_keeps_from_the_next() {
    let operated = Operated::start().await;
    let mut eve = operated.harness.client("eve", "pro").await;
    let mut ada = operated.harness.client("ada", "pro").await;
    let joined = eve.ask("voice:join", json!({"channelId": "c"})).await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    operated.put("/v1/users/eve/ban", json!({})).await;
    assert_eq!(eve.event("voice:kicked").await, json!({"reason": "banned"}));
    assert_eq!(eve.ask("voice:join", json!({"channelId": "d"})).await["code"], "PERMISSION_DENIED");
    let token = joined["resumeToken"].clone();
    let mut again = operated.harness.client_with("eve", json!({"resume": token})).await;
    assert_eq!(again.event("voice:error").await["code"], "RESUME_FAILED");
    assert_eq!(ada.ask("voice:state:update", json!({"muted": true})).await["ok"], true);
}

#[tokio::test]
async fn a_dm_exists_for_its_members_only() {
    let operated = Operated::start().await;
    let dm = |members: &[&str]| json!({"kind": "dm", "tier": "free", "members": members, "encryption": "transport"});
    operated.put("/v1/channels/dm", dm(&["ada", "bob"])).await;
    let mut ada = operated.harness.client("ada", "pro").await;
    let mut eve = operated.harness.client("eve", "pro").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "dm"})).await["limits"]["participants"], 8);
    assert_eq!(eve.ask("voice:join", json!({"channelId": "dm"})).await["code"], "CHANNEL_NOT_FOUND");
    operated.put("/v1/channels/dm", dm(&["bob"])).await;
    assert_eq!(ada.event("voice:kicked").await["reason"], "channel_closed");
}

#[tokio::test]
async fn an_entitlement_counts_more_than_the_token() {
    let operated = Operated::start().await;
    let mut ada = operated.harness.client("ada", "free").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    operated.put("/v1/users/ada/entitlement", json!({"tier": "pro"})).await;
    let set = |reason| move |command: &Command| matches!(command, Command::SetGrant { reason: of, .. } if *of == reason);
    operated.harness.node.until_seen(set(GrantReason::Upgraded)).await;
    assert_eq!(ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await["ok"], true);
    operated.put("/v1/users/ada/entitlement", json!({"tier": "free"})).await;
    operated.harness.node.until_seen(set(GrantReason::Revoked)).await;
    // Also over a token that is made afterwards.
    let token = operated.harness.token("ada", "pro").await;
    let refreshed = ada.ask("voice:entitlement:refresh", json!({"token": token})).await;
    assert_eq!(
        (&refreshed["permissions"]["video"], &refreshed["reason"]),
        (&json!(false), &json!("refreshed"))
    );
    let refused = ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await;
    assert_eq!(refused["code"], "CAPABILITY_REQUIRED");
}

#[tokio::test]
async fn a_token_from_before_a_revocation_is_free_and_refreshes_nothing() {
    let operated = Operated::start().await;
    let mut ada = operated.harness.client("ada", "pro").await;
    let old = operated.harness.token("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    operated.put("/v1/users/ada/revocation", json!({"before": now + 10})).await;
    operated
        .harness
        .node
        .until_seen(|command| {
            matches!(command, Command::SetGrant { grant, reason: GrantReason::Revoked, .. }
                if grant.permissions.audio && !grant.permissions.video)
        })
        .await;
    // Nobody is kicked for it.
    assert_eq!(ada.ask("voice:state:update", json!({"muted": true})).await["ok"], true);
    let refused = ada.ask("voice:entitlement:refresh", json!({"token": old})).await;
    assert_eq!(refused["code"], "UNAUTHORIZED");
    let mut again = operated.harness.client("ada", "pro").await;
    let joined = again.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!(joined["permissions"]["video"], false);
}
