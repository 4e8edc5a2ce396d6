use crate::support::Harness;
use crate::support::client::Client;
use railgun_control::auth::{Claims, JwksSource, LocalKey};
use railgun_protocol::ids::UserId;
use railgun_protocol::plan::Tier;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn token(key: &LocalKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = Claims {
        sub: UserId::new("ada").unwrap(),
        iat: now,
        exp: now + 600,
        nbf: None,
        aud: None,
        iss: None,
        tier: Tier::Pro,
        pro_until: None,
        name: None,
        avatar: None,
        region: None,
        privacy_mode: false,
    };
    key.mint(&claims).unwrap()
}

fn set_of(key: &LocalKey) -> String {
    json!({"keys": [key.jwk()]}).to_string()
}

async fn is_taken(harness: &Harness, token: &str) -> bool {
    Client::connect(harness.address, json!({"token": token})).await.is_ok()
}

async fn until_taken(harness: &Harness, token: &str) {
    for _ in 0..100 {
        if is_taken(harness, token).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the new key was never taken");
}

/// Answers every request with whatever is in `answer`, and counts them.
async fn issuer(answer: Arc<Mutex<String>>, asked: Arc<AtomicUsize>) -> JwksSource {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let answer = answer.lock().unwrap().clone();
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 1024];
                _ = connection.read(&mut request).await;
                _ = connection.write_all(answer.as_bytes()).await;
            });
        }
    });
    url.parse().unwrap()
}

fn http_ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn in_a_file_that_is_read_again() {
    let path = std::env::temp_dir().join(format!("railgun-jwks-{:x}.json", rand::random::<u64>()));
    let (first, second) = (LocalKey::generate().unwrap(), LocalKey::generate().unwrap());
    std::fs::write(&path, set_of(&first)).unwrap();
    let source = JwksSource::File(path.clone());
    let harness = Harness::start_with(|config| config.auth.jwks = Some(source)).await;
    assert!(is_taken(&harness, &token(&first)).await);
    assert!(!is_taken(&harness, &token(&second)).await);
    std::fs::write(&path, set_of(&second)).unwrap();
    until_taken(&harness, &token(&second)).await;
    assert!(!is_taken(&harness, &token(&first)).await, "a key that was taken out");

    // Half a file changes nothing.
    std::fs::write(&path, "{\"keys\": [").unwrap();
    assert!(!is_taken(&harness, &token(&first)).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(is_taken(&harness, &token(&second)).await);
    std::fs::remove_file(&path).unwrap();
    harness.stop().await;
}

#[tokio::test]
async fn at_an_url_that_is_fetched_again() {
    let (first, second) = (LocalKey::generate().unwrap(), LocalKey::generate().unwrap());
    let answer = Arc::new(Mutex::new("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()));
    let asked = Arc::new(AtomicUsize::new(0));
    let source = issuer(answer.clone(), asked.clone()).await;
    let harness = Harness::start_with(|config| config.auth.jwks = Some(source)).await;
    assert!(!is_taken(&harness, &token(&first)).await);
    *answer.lock().unwrap() = http_ok(&set_of(&first));
    until_taken(&harness, &token(&first)).await;

    let padded = format!("{{\"padding\": \"{}\", \"keys\": [{}]}}", "x".repeat(300_000), json!(second.jwk()));
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for wrong in [http_ok(&padded), elsewhere.to_owned(), http_ok("{}"), "nonsense".to_owned()] {
        *answer.lock().unwrap() = wrong;
        let before = asked.load(Ordering::SeqCst);
        while asked.load(Ordering::SeqCst) < before + 2 {
            assert!(!is_taken(&harness, &token(&second)).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(is_taken(&harness, &token(&first)).await);
    }
    *answer.lock().unwrap() = http_ok(&set_of(&second));
    until_taken(&harness, &token(&second)).await;
    harness.stop().await;
}

#[test]
fn a_file_that_is_not_there_is_told_at_the_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = railgun_control::Config { listen, ..railgun_control::Config::default() };
    config.operators.listen = None;
    config.auth.jwks = Some(JwksSource::File("/nowhere/jwks.json".into()));
    let started = runtime.block_on(async {
        let node = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        railgun_control::Control::start(config, node, None, prometheus_client::registry::Registry::default())
            .await
    });
    let error = started.expect_err("it started").to_string();
    assert!(error.starts_with("auth.jwks: /nowhere/jwks.json cannot be read"), "{error}");
}
