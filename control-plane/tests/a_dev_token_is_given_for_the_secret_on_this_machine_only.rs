//! `POST /dev/token`: who gets a token in development mode, and when there is no such mode.

use crate::support::client::Client;
use crate::support::{DEV_SECRET, Harness, Response, http, raw, read_until};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prometheus_client::registry::Registry;
use railgun_control::auth::JwksSource;
use railgun_control::{Config, Control, DevMode};
use serde_json::{Value, json};
use tonic::transport::Endpoint;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn only_a_loopback_host_with_our_port_and_our_own_origin_get_one() {
    let harness = Harness::start().await;
    let port = harness.address.port();
    let ours = format!("localhost:{port}");
    let origin = format!("http://localhost:{port}");
    for headers in [vec![("Host", ours.as_str()), JSON], vec![("Host", &ours), ("Origin", &origin), JSON]] {
        let given = ask(&harness, &headers, &wanted()).await;
        assert_eq!(given.status, 200, "{headers:?}");
        let body: Value = serde_json::from_str(&given.body).unwrap();
        assert!(Client::connect(harness.address, json!({"token": body["token"]})).await.is_ok());
    }

    let elsewhere = format!("rebound.example.com:{port}");
    let numeric = format!("127.0.0.1:{port}");
    let near = format!("http://localhost.example.com:{port}");
    let refused: [Vec<(&str, &str)>; 9] = [
        vec![("Host", &elsewhere), JSON],
        vec![("Host", "localhost"), JSON],
        vec![("Host", "localhost:1"), JSON],
        vec![("Host", &ours), ("Origin", "https://evil.example.com"), JSON],
        vec![("Host", &ours), ("Origin", &near), JSON],
        vec![("Host", &ours), ("Origin", "null"), JSON],
        vec![("Host", &ours), ("Origin", "http://localhost:5173"), JSON],
        vec![("Host", &numeric), ("Origin", &origin), JSON],
        vec![("Host", &ours), ("Origin", &origin), ("Origin", "https://evil.example.com"), JSON],
    ];
    for headers in refused {
        is_refused(&harness, &headers, &wanted(), 403).await;
    }
    // A form that another page sends without being asked cannot be JSON.
    is_refused(&harness, &[("Host", &ours), ("Content-Type", "text/plain")], &wanted(), 415).await;
    for wrong in [json!({}), json!({"userId": "", "tier": "pro"}), json!({"userId": "a", "tier": "gold"})] {
        is_refused(&harness, &[("Host", &ours), JSON], &wrong, 422).await;
    }
    harness.stop().await;
}

/// nginx's `proxy_pass http://127.0.0.1:8080` sends our own address as `Host`, and a program no `Origin`:
/// to us a stranger looks like this machine.
#[tokio::test]
async fn a_stranger_behind_a_proxy_on_this_machine_gets_none() {
    let harness = Harness::start().await;
    let host = harness.address.to_string();
    let plain = [("Host", host.as_str()), JSON];
    let wrong = ["", "the-secret-of-these-test", "the-secret-of-these-tests ", "THE-SECRET-OF-THESE-TESTS"];
    for secret in wrong.map(Value::from).into_iter().chain([Value::Null, json!(0), json!([])]) {
        let mut wanted = wanted();
        wanted["secret"] = secret.clone();
        is_refused(&harness, &plain, &wanted, if secret.is_string() { 403 } else { 422 }).await;
    }
    let mut without = wanted();
    without.as_object_mut().unwrap().remove("secret");
    is_refused(&harness, &plain, &without, 403).await;

    // A proxy that says what it is gives a token to nobody, whatever else is known.
    let forwarding = [
        ("Forwarded", "for=203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-FORWARDED-PROTO", "https"),
        ("x-forwarded-host", ""),
        ("X-Real-IP", "203.0.113.9"),
    ];
    for header in forwarding {
        is_refused(&harness, &[plain[0], plain[1], header], &wanted(), 403).await;
    }
    assert_eq!(ask(&harness, &plain, &wanted()).await.status, 200);
    harness.stop().await;
}

#[tokio::test]
async fn a_page_of_a_listed_loopback_origin_gets_one_and_reads_it() {
    let listed = ["http://localhost:5173", "https://app.example.com"];
    let harness = Harness::start_with(|config| config.cors_origins = listed.map(String::from).into()).await;
    let host = harness.address.to_string();
    let from = |origin| [("Host", host.as_str()), ("Origin", origin), JSON];
    let given = ask(&harness, &from(listed[0]), &wanted()).await;
    assert_eq!(given.status, 200);
    assert!(given.head.contains("access-control-allow-origin: http://localhost:5173\r\n"), "{}", given.head);
    // Listed for signaling, and not on this machine.
    is_refused(&harness, &from(listed[1]), &wanted(), 403).await;
    is_refused(&harness, &from("http://localhost:5174"), &wanted(), 403).await;
    is_refused(&harness, &from("http://127.0.0.1:5173"), &wanted(), 403).await;
    harness.stop().await;
}

/// Looked at, the right one would tell whoever guesses that it is right.
#[tokio::test]
async fn after_ten_wrong_secrets_of_an_address_its_guesses_are_429_even_the_right_one() {
    let harness = Harness::start().await;
    let host = harness.address.to_string();
    let headers = [("Host", host.as_str()), JSON];
    let mut wrong = wanted();
    wrong["secret"] = "guessed".into();
    for _ in 0..10 {
        is_refused(&harness, &headers, &wrong, 403).await;
    }
    for guess in [&wrong, &wanted()] {
        is_refused(&harness, &headers, guess, 429).await;
    }
    // Another address has its own.
    let body = wanted().to_string();
    let request = format!(
        "POST /dev/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut other = raw([127, 0, 0, 2], harness.address, &request).await;
    let answer = read_until(&mut other, "\"}").await.expect("no answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    harness.stop().await;
}

#[tokio::test]
async fn it_is_for_one_user_and_one_day_and_names_the_region_that_was_asked_for() {
    let harness = Harness::start().await;
    let host = harness.address.to_string();
    let mut wanted = wanted();
    wanted["region"] = "eu".into();
    let given = ask(&harness, &[("Host", host.as_str()), JSON], &wanted).await;
    let body: Value = serde_json::from_str(&given.body).unwrap();
    let claims = body["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!((&claims["sub"], &claims["region"], lifetime), (&json!("ada"), &json!("eu"), 86_400));
    assert!(!claims.to_string().contains(DEV_SECRET), "{claims}");
    harness.stop().await;
}

#[tokio::test]
async fn development_mode_is_never_beside_keys_nor_off_loopback_nor_without_being_asked_for() {
    let dev = || Some(DevMode::new(Some(DEV_SECRET.into())).unwrap());
    let standalone = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::standalone() };
    let mut keys = standalone.clone();
    keys.auth.jwks = Some(JwksSource::File("/nowhere/jwks.json".into()));
    let everywhere = Config { listen: "0.0.0.0:0".parse().unwrap(), ..standalone.clone() };
    let cases = [
        (keys, dev(), "--dev and auth.jwks exclude each other"),
        (everywhere, dev(), "--dev is for one machine: listen = 0.0.0.0:0"),
        (standalone, None, "auth.jwks is not set"),
    ];
    for (mut config, dev, told) in cases {
        config.operators.listen = None;
        let node = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let error = Control::start(config, node, dev, Registry::default()).await.expect_err(told).to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

fn wanted() -> Value {
    json!({"userId": "ada", "tier": "pro", "secret": DEV_SECRET})
}

async fn ask(harness: &Harness, headers: &[(&str, &str)], wanted: &Value) -> Response {
    http(harness.address, "POST", "/dev/token", headers, &wanted.to_string()).await
}

async fn is_refused(harness: &Harness, headers: &[(&str, &str)], wanted: &Value, status: u16) {
    let response = ask(harness, headers, wanted).await;
    assert_eq!(response.status, status, "{headers:?} {wanted}");
    assert!(!response.body.contains("token\"") && !response.body.contains(DEV_SECRET), "{}", response.body);
}

#[tokio::test]
async fn a_socket_without_a_good_token_is_refused() {
    let harness = Harness::start().await;
    for auth in [json!({}), json!({"token": 3}), json!({"token": "a.b.c"}), json!([1])] {
        assert_eq!(Client::connect(harness.address, auth).await.err().as_deref(), Some("UNAUTHORIZED"));
    }
    let token = harness.token("ada", "pro").await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(Client::connect(harness.address, json!({"token": token})).await.unwrap());
    }
    let sixth = Client::connect(harness.address, json!({"token": token})).await;
    assert_eq!(sixth.err().as_deref(), Some("RATE_LIMITED"));
    harness.stop().await;
}

#[tokio::test]
async fn health_and_the_page_answer_with_their_headers() {
    let harness = Harness::start().await;
    assert_eq!(http(harness.address, "GET", "/healthz", &[], "").await.status, 200);
    let page = http(harness.address, "GET", "/", &[], "").await;
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/app/dist/index.html");
    match std::fs::read_to_string(built) {
        Ok(index) => assert_eq!((page.status, page.body), (200, index)),
        Err(_) => {
            assert_eq!(page.status, 503);
            assert!(page.body.contains("`make run` builds it"));
        }
    }
    for header in ["content-security-policy: default-src 'self'", "nosniff", "no-referrer"] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    for path in ["/nothing", "/../Cargo.toml", "/%2e%2e/%2e%2e/package.json"] {
        assert_eq!(http(harness.address, "GET", path, &[], "").await.status, 404, "{path}");
    }
    harness.stop().await;
}
