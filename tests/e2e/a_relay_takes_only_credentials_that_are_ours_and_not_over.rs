//! Credentials of either secret are good until they end; everything else is refused.

use railgun_tests::relay::{NODE, Relay, SECRETS, credential, unix_seconds};
use railgun_tests::{Refused, TurnClient};

const UNAUTHORIZED: Refused = Refused(401);
const QUOTA_REACHED: Refused = Refused(486);
/// As the configuration has it.
const USER_QUOTA: usize = 60;

type Answer = Result<TurnClient, Refused>;

async fn allocate(relay: &Relay, credential: (String, String)) -> Answer {
    TurnClient::allocate(relay.address(), credential, NODE.into()).await.unwrap()
}

#[test]
fn both_secrets_are_good_while_they_are_rotated() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        for secret in SECRETS {
            let answer = allocate(&relay, credential(secret, unix_seconds() + 3600)).await;
            assert!(answer.is_ok(), "{secret}: {answer:?}");
        }
    });
}

#[test]
fn what_is_over_or_forged_is_refused() {
    let Some(relay) = Relay::start().unwrap() else { return };
    let now = unix_seconds();
    let (name, password) = credential(SECRETS[0], now + 3600);
    let (stale_name, _) = credential(SECRETS[0], now - 3600);
    let without_expiry = name.replace(&(now + 3600).to_string(), "");
    let cases = [
        ("over", credential(SECRETS[0], now - 1)),
        ("over, of the other secret", credential(SECRETS[1], now - 3600)),
        ("of another secret", credential("the-secret-of-somebody", now + 3600)),
        ("longer than it was signed for", (credential("", now + 7200).0, password.clone())),
        ("over, with the password of a good one", (stale_name, password.clone())),
        ("without a time", (without_expiry, password.clone())),
        ("without a password", (name.clone(), String::new())),
        ("the secret itself", (name, SECRETS[0].to_owned())),
        ("the user for trials", ("railgun".into(), "railgun-dev".into())),
    ];
    relay.as_client(async || {
        for (what, credential) in cases {
            assert_eq!(allocate(&relay, credential).await.err(), Some(UNAUTHORIZED), "{what}");
        }
    });
}

#[test]
fn one_credential_gets_so_many_allocations() {
    let Some(relay) = Relay::start().unwrap() else { return };
    let credential = credential(SECRETS[0], unix_seconds() + 3600);
    relay.as_client(async || {
        let mut held = Vec::new();
        for _ in 0..USER_QUOTA {
            held.push(allocate(&relay, credential.clone()).await.unwrap());
        }
        assert_eq!(allocate(&relay, credential).await.err(), Some(QUOTA_REACHED));
    });
}
