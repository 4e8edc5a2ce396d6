use crate::support::{Harness, http};

#[tokio::test]
async fn for_metrics_and_joins() {
    let harness =
        Harness::start_with(|config| config.operators.hosts = vec!["rail.example.com".into()]).await;
    for path in ["/metrics", "/joins"] {
        for (host, status) in [
            ("evil.example:8081", 403),
            ("127.0.0.1.evil.example", 403),
            ("127.0.0.1:8081", 200),
            ("[::1]:8081", 200),
            ("localhost", 200),
            ("control", 200),
            ("rail.example.com:8081", 200),
        ] {
            let answer = http(harness.operators, "GET", path, &[("Host", host)], "").await;
            assert_eq!(answer.status, status, "{path} {host}");
        }
    }
    // A health check names whatever its load balancer does.
    let answer = http(harness.operators, "GET", "/healthz", &[("Host", "evil.example")], "").await;
    assert_eq!(answer.status, 200);
    harness.stop().await;
}
