//! Each `voice:turn:refresh` gives a credential with another user name. coturn's `user-quota` counts by what
//! comes after the time in it, which is the same for a user all day, whatever the socket or the session.

use railgun_protocol::plan::Tier;
use railgun_tests::relay::{NODE, Relay};
use railgun_tests::{Refused, System, TurnClient};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const QUOTA_REACHED: Refused = Refused(486);
/// As the configuration has it.
const USER_QUOTA: usize = 60;

#[test]
fn a_user_has_one_quota_at_a_relay_however_often_credentials_are_refreshed() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        let system = System::behind(&relay).await.unwrap();
        let allocate = async |credential: &(String, String)| {
            TurnClient::allocate(relay.address(), credential.clone(), NODE.into()).await.unwrap()
        };
        let mut credentials = Vec::new();
        for _ in 0..4 {
            credentials.push(refreshed(&system, "ada").await);
            // The time in it is in seconds.
            sleep(Duration::from_millis(1_100)).await;
        }
        let names: Vec<_> = credentials.iter().map(|(name, _)| name.clone()).collect();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        let mut held = Vec::new();
        for credential in credentials.iter().cycle().take(USER_QUOTA) {
            held.push(allocate(credential).await.unwrap());
        }
        for credential in &credentials {
            assert_eq!(allocate(credential).await.err(), Some(QUOTA_REACHED), "{names:?}");
        }
        let ben = refreshed(&system, "ben").await;
        held.push(allocate(&ben).await.unwrap());
    });
}

/// By a socket of its own.
async fn refreshed(system: &System, user: &str) -> (String, String) {
    let client = system.client(user, Tier::Free, None).await.unwrap();
    let answer = client.request("voice:turn:refresh", json!({})).await.unwrap();
    client.disconnect().await;
    let servers = answer["iceServers"].as_array().unwrap();
    let relay = servers.iter().find(|server| server["credential"].is_string()).unwrap();
    ["username", "credential"].map(|field| relay[field].as_str().unwrap().to_owned()).into()
}
