//! Browsers are told which other origins' pages may use the signaling: those that are configured.

use crate::support::{Harness, http};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn only_pages_of_allowed_origins_read_what_we_answer() {
    let allowed = "https://app.example.com";
    let harness = Harness::start_with(|config| config.cors_origins = vec![allowed.into()]).await;
    for (origin, is_allowed) in [(allowed, true), ("https://evil.example.com", false)] {
        let asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        for (method, headers) in [("OPTIONS", &asked[..]), ("GET", &asked[..1])] {
            let answer = http(harness.address, method, POLL, headers, "").await;
            let names = format!("access-control-allow-origin: {origin}\r\n");
            assert_eq!(answer.head.contains(&names), is_allowed, "{method} {origin}: {}", answer.head);
        }
    }
    let same_origin = http(harness.address, "GET", POLL, &[], "").await;
    assert_eq!(same_origin.status, 200);
    assert!(!same_origin.head.contains("access-control-allow-origin"), "{}", same_origin.head);
    harness.stop().await;
}
