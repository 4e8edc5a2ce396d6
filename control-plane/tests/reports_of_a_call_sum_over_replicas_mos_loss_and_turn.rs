//! `voice:stats:report` as the SDK sends it (`control-plane/web/sdk/src/wire.ts`): loss in percent, `turn`
//! for a relay, and what was not measured left out. What operators read of it sums over replicas.

use crate::support::{Harness, http};
use serde_json::{Value, json};

async fn metrics(harness: &Harness) -> String {
    http(harness.operators, "GET", "/metrics", &[], "").await.body
}

fn value(metrics: &str, sample: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in {metrics}")).parse().unwrap()
}

fn report(transport: &str, packet_loss: f64, mos: f64) -> Value {
    json!({
        "transport": transport, "rtt": 40.5, "jitter": 3.5, "packetLoss": packet_loss, "mos": mos,
        "networkType": "unknown",
    })
}

#[tokio::test]
async fn a_report_of_the_sdk_counts_loss_in_percent_and_turn_as_relay() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let early = ada.ask("voice:stats:report", report("udp", 0.0, 4.0)).await;
    assert_eq!(early["code"], "INVALID_STATE");
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    // A call through a relay that loses every fifth packet.
    for (transport, loss, mos) in [("udp", 0.0, 4.4), ("turn", 20.0, 1.0), ("turn", 100.0, 1.2)] {
        let taken = ada.ask("voice:stats:report", report(transport, loss, mos)).await;
        assert_eq!(taken, json!({"ok": true}), "{transport} {loss}");
    }
    for wrong in [report("udp", 100.5, 4.0), report("udp", -1.0, 4.0), report("udp", 0.0, 9.0)] {
        assert_eq!(ada.ask("voice:stats:report", wrong).await["code"], "INVALID_PAYLOAD");
    }
    let during = metrics(&harness).await;
    assert_eq!(value(&during, "railgun_control_participants"), 1.0);
    // A call that goes on is in the mean already.
    assert_eq!(value(&during, "railgun_control_report_mos_count"), 3.0);
    assert!((value(&during, "railgun_control_report_mos_sum") - 6.6).abs() < 1e-9);
    assert_eq!(value(&during, "railgun_control_report_mos_bucket{le=\"3.0\"}"), 2.0);
    assert_eq!(value(&during, "railgun_control_report_loss_percent_sum"), 120.0);

    ada.ask("voice:leave", json!({})).await;
    let after = metrics(&harness).await;
    for (sample, expected) in [
        ("railgun_control_participants", 0.0),
        ("railgun_control_call_mos_count", 1.0),
        ("railgun_control_bad_calls_total", 1.0),
        ("railgun_control_call_paths_total{kind=\"relay\"}", 1.0),
    ] {
        assert_eq!(value(&after, sample), expected, "{sample}");
    }
    assert!((value(&after, "railgun_control_call_mos_sum") - 2.2).abs() < 1e-9);
    assert!(value(&after, "railgun_control_call_seconds_total") > 0.0);
    harness.stop().await;
}

#[tokio::test]
async fn what_was_not_measured_is_left_out_and_rates_nothing() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    for partial in [json!({}), json!({"transport": "udp"}), json!({"packetLoss": 3.0, "networkType": "wifi"})]
    {
        assert_eq!(ada.ask("voice:stats:report", partial).await, json!({"ok": true}));
    }
    ada.ask("voice:leave", json!({})).await;
    let after = metrics(&harness).await;
    for (sample, expected) in [
        ("railgun_control_report_mos_count", 0.0),
        ("railgun_control_call_mos_count", 0.0),
        ("railgun_control_bad_calls_total", 0.0),
        ("railgun_control_report_round_trip_seconds_count", 0.0),
        ("railgun_control_report_loss_percent_sum", 3.0),
        ("railgun_control_call_paths_total{kind=\"udp\"}", 1.0),
    ] {
        assert_eq!(value(&after, sample), expected, "{sample}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_interface_says_what_its_operators_count() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    assert_eq!(ada.ask("voice:ui:event", json!({"name": "upgrade_cta_shown"})).await, json!({"ok": true}));
    assert_eq!(ada.ask("voice:ui:event", json!({"name": "bought"})).await["code"], "INVALID_PAYLOAD");
    assert_eq!(ada.ask("voice:turn:refresh", json!({})).await, json!({"ok": true, "iceServers": []}));
    let after = metrics(&harness).await;
    assert_eq!(value(&after, "railgun_control_ui_events_total{kind=\"upgrade_cta_shown\"}"), 1.0);
    harness.stop().await;
}
