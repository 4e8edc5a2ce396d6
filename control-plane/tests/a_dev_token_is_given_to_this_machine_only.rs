use crate::support::client::Client;
use crate::support::{Harness, http};
use serde_json::{Value, json};

const WANTED: &str = r#"{"userId":"ada","tier":"pro"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn only_a_loopback_host_with_our_port_and_our_own_origin_get_one() {
    let harness = Harness::start().await;
    let port = harness.address.port();
    let ours = format!("localhost:{port}");
    let origin = format!("http://localhost:{port}");
    for headers in [vec![("Host", ours.as_str()), JSON], vec![("Host", &ours), ("Origin", &origin), JSON]] {
        let given = http(harness.address, "POST", "/dev/token", &headers, WANTED).await;
        assert_eq!(given.status, 200, "{headers:?}");
        let body: Value = serde_json::from_str(&given.body).unwrap();
        assert!(Client::connect(harness.address, json!({"token": body["token"]})).await.is_ok());
    }

    let elsewhere = format!("rebound.example.com:{port}");
    let numeric = format!("127.0.0.1:{port}");
    let near = format!("http://localhost.example.com:{port}");
    let refused: [Vec<(&str, &str)>; 8] = [
        vec![("Host", &elsewhere), JSON],
        vec![("Host", "localhost"), JSON],
        vec![("Host", "localhost:1"), JSON],
        vec![("Host", &ours), ("Origin", "https://evil.example.com"), JSON],
        vec![("Host", &ours), ("Origin", &near), JSON],
        vec![("Host", &ours), ("Origin", "null"), JSON],
        vec![("Host", &numeric), ("Origin", &origin), JSON],
        vec![("Host", &ours), ("Origin", &origin), ("Origin", "https://evil.example.com"), JSON],
    ];
    for headers in refused {
        let response = http(harness.address, "POST", "/dev/token", &headers, WANTED).await;
        assert_eq!(response.status, 403, "{headers:?}");
        assert!(!response.body.contains("token\""), "{}", response.body);
    }
    // A form that another page sends without being asked cannot be JSON.
    let form = [("Host", ours.as_str()), ("Content-Type", "text/plain")];
    assert_eq!(http(harness.address, "POST", "/dev/token", &form, WANTED).await.status, 415);
    for wrong in ["{}", r#"{"userId":"","tier":"pro"}"#, r#"{"userId":"a","tier":"gold"}"#] {
        let response = http(harness.address, "POST", "/dev/token", &[("Host", &ours), JSON], wrong).await;
        assert!((400..500).contains(&response.status), "{wrong}: {}", response.status);
    }
    harness.stop().await;
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
