//! The operators' API: who may use it, what it says, and that joins follow its records.

use crate::support::{Harness, Response, http};
use railgun_control::{OperatorScope, operator_token_entry};
use serde_json::{Value, json};
use std::path::PathBuf;

struct Operators {
    harness: Harness,
    directory: PathBuf,
}

impl Operators {
    async fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("railgun-operators-{}", rand::random::<u64>()));
        std::fs::create_dir_all(&directory).unwrap();
        let scopes = |words: &[&str]| -> Vec<OperatorScope> {
            words.iter().map(|word| word.parse().unwrap()).collect()
        };
        let all = scopes(&["channels:read", "channels:write", "bans:read", "bans:write", "audit:read"]);
        let tokens = operator_token_entry("root", "all", &all)
            + &operator_token_entry("viewer", "read", &scopes(&["channels:read", "bans:read"]));
        std::fs::write(directory.join("tokens.toml"), tokens).unwrap();
        let (tokens, audit) = (directory.join("tokens.toml"), directory.join("audit.log"));
        let harness = Harness::start_with(|config| {
            config.operators.tokens = Some(tokens);
            config.operators.audit = Some(audit);
        })
        .await;
        Self { harness, directory }
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Response {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http(self.harness.operators, method, path, &headers, &body).await
    }
}

impl Drop for Operators {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn without_a_token_of_that_scope_nothing_is_told_and_nothing_changes() {
    let api = Operators::start().await;
    let record = json!({"tier": "free"});
    let none = http(api.harness.operators, "GET", "/v1/channels", &[], "").await;
    assert_eq!((none.status, body(&none)["code"].as_str()), (401, Some("UNAUTHORIZED")));
    assert!(none.head.contains("www-authenticate: bearer"));
    assert_eq!(api.ask("wrong", "PUT", "/v1/channels/a", record.clone()).await.status, 401);
    assert_eq!(api.ask("read", "PUT", "/v1/channels/a", record).await.status, 403);
    assert_eq!(api.ask("read", "GET", "/v1/channels/a", Value::Null).await.status, 404);
    assert_eq!(api.ask("read", "GET", "/v1/audit", Value::Null).await.status, 403);
    assert_eq!(http(api.harness.operators, "GET", "/v1/openapi.json", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_write_is_read_back_repeated_and_noted_with_who_did_it() {
    let api = Operators::start().await;
    let dm = json!({"kind": "dm", "tier": "free", "members": ["ada", "bob"], "encryption": "endToEnd"});
    for _ in 0..2 {
        assert_eq!(api.ask("all", "PUT", "/v1/channels/a%2Fb", dm.clone()).await.status, 204);
    }
    assert_eq!(body(&api.ask("read", "GET", "/v1/channels/a%2Fb", Value::Null).await), dm);
    let listed = body(&api.ask("read", "GET", "/v1/channels?limit=1", Value::Null).await);
    assert_eq!(listed["channels"][0]["channel"], "a/b");
    assert_eq!(listed["channels"][0]["members"], json!(["ada", "bob"]));
    let next = body(&api.ask("read", "GET", "/v1/channels?after=a%2Fb", Value::Null).await);
    assert_eq!(next, json!({"channels": []}));
    for _ in 0..2 {
        assert_eq!(api.ask("all", "DELETE", "/v1/channels/a%2Fb", Value::Null).await.status, 204);
    }
    assert_eq!(api.ask("read", "GET", "/v1/channels/a%2Fb", Value::Null).await.status, 404);

    let noted = body(&api.ask("all", "GET", "/v1/audit", Value::Null).await);
    assert_eq!(noted.as_array().unwrap().len(), 4);
    assert_eq!(noted[0]["action"], "DELETE channel/a/b");
    assert_eq!((&noted[3]["operator"], &noted[3]["outcome"]), (&json!("root"), &json!("ok")));
    let file = std::fs::read_to_string(api.directory.join("audit.log")).unwrap();
    assert_eq!(file.lines().count(), 4);
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_allowed_is_told() {
    let api = Operators::start().await;
    for (path, wrong) in [
        ("/v1/channels/a", json!({"tier": "gold"})),
        ("/v1/channels/a", json!({"tier": "free", "size": 3})),
        ("/v1/channels/a", json!({"tier": "free", "encryption": "none"})),
        ("/v1/channels/a", json!({"tier": "free", "members": vec!["x"; 1001]})),
        ("/v1/channels/a", json!({"tier": "free", "members": [""]})),
        ("/v1/users/eve/ban", json!([null, null])),
        ("/v1/users/eve/ban", json!({"until": -1})),
        ("/v1/users/eve/ban", json!({"until": 1.5})),
        ("/v1/users/eve/ban", json!({"until": 253_402_300_800u64})),
        ("/v1/users/eve/ban", json!({"reason": "x".repeat(257)})),
    ] {
        let told = api.ask("all", "PUT", path, wrong.clone()).await;
        assert_eq!((told.status, body(&told)["code"].as_str()), (400, Some("INVALID")), "{wrong}");
    }
    let long = format!("/v1/channels/{}", "a".repeat(129));
    assert_eq!(api.ask("all", "GET", &long, Value::Null).await.status, 400);
    assert_eq!(api.ask("all", "GET", "/v1/channels?limit=0", Value::Null).await.status, 400);
}

#[tokio::test]
async fn joins_follow_the_records() {
    let api = Operators::start().await;
    let mut eve = api.harness.client("eve", "free").await;
    let dm = json!({"kind": "dm", "tier": "free", "members": ["ada", "bob"]});
    api.ask("all", "PUT", "/v1/channels/dm", dm).await;
    api.ask("all", "PUT", "/v1/channels/lobby/bans/eve", json!({"reason": "spam"})).await;
    let join = |channel: &str| json!({"channelId": channel});
    assert_eq!(eve.ask("voice:join", join("dm")).await["code"], "CHANNEL_NOT_FOUND");
    assert_eq!(eve.ask("voice:join", join("lobby")).await["code"], "PERMISSION_DENIED");
    api.ask("all", "DELETE", "/v1/channels/lobby/bans/eve", Value::Null).await;
    assert_eq!(eve.ask("voice:join", join("lobby")).await["ok"], true);
}
