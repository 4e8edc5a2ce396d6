//! A Pro token without `proUntil` would give Pro for as long as its socket lives, long after the issuer has
//! stopped giving out new ones. The node gets the token's end as the deadline of video, and enforces it alone.

use crate::support::client::Client;
use crate::support::{Harness, Issuer};
use railgun_protocol::media_rpc::Command;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far clocks may be apart, as for `exp` itself.
const LEEWAY: u64 = 30;

#[tokio::test]
async fn pro_by_a_token_ends_with_the_token() {
    let issuer = Issuer::new();
    let harness = Harness::start_with(|config| config.auth.jwks = issuer.jwks()).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
    let cases = [
        ("ada", now + 100, None, at(now + 100 + LEEWAY)),
        ("ben", now + 100, Some(now + 50), at(now + 50)),
        ("cleo", now + 100, Some(now + 100_000), at(now + 100 + LEEWAY)),
    ];
    let mut clients = Vec::new();
    for (user, exp, pro_until, wanted) in cases {
        let token = issuer.token(user, |claims| (claims.exp, claims.pro_until) = (exp, pro_until));
        let mut client = Client::connect(harness.address, json!({"token": token})).await.unwrap();
        assert_eq!(client.ask("voice:join", json!({"channelId": "c"})).await["permissions"]["video"], true);
        let (_, request) = harness.node.joins().pop().unwrap();
        assert_eq!(request.grant.video_until, wanted, "{user}");
        clients.push(client);
    }
    // A newer token moves the end.
    let token = issuer.token("ada", |claims| claims.exp = now + 5_000);
    let refreshed = clients[0].ask("voice:entitlement:refresh", json!({"token": token})).await;
    assert_eq!(refreshed["ok"], true, "{refreshed}");
    let last = harness.node.seen().into_iter().rev().find_map(|command| match command {
        Command::SetGrant { grant, .. } => Some(grant.video_until),
        _ => None,
    });
    assert_eq!(last, Some(at(now + 5_000 + LEEWAY)));
    harness.stop().await;
}
