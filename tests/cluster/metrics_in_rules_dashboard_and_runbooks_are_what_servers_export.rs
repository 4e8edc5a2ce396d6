//! Alerts, dashboard and runbooks name no metric that a scrape of a replica and of a media node does not have.

use railgun_client::{MediaKind, Source, TransportDirection};
use railgun_tests::{Cluster, opus_payload, within};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What each process exports, whichever plane it is of.
const OF_EACH: [&str; 1] = ["railgun_certificate_end_seconds"];

/// Names of ours, and of the process, that stand in this text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_metric = |word: &&str| {
        ["railgun_certificate_", "railgun_control_", "railgun_media_", "process_"].iter().any(|prefix| {
            word.strip_prefix(prefix).is_some_and(|rest| rest.contains(|c: char| c.is_ascii_lowercase()))
        })
    };
    words.filter(is_metric).map(str::to_owned).collect()
}

/// What a scrape has: a sample's name, without its labels.
fn exported(scrape: &str) -> BTreeSet<String> {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn metrics_in_rules_dashboard_and_runbooks_are_what_servers_export() {
    let cluster = Cluster::start(1, 1).await.unwrap();
    // What is counted by a word shows once there is one.
    let client = cluster.client("ada", 0).await.unwrap();
    client.join("lobby").await.unwrap();
    let sending = client.create_transport(TransportDirection::Send).await.unwrap();
    let microphone = sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    for number in 0..10 {
        microphone.send(&opus_payload("ada", 0), false, 960 * number).await.unwrap();
    }
    let report = json!({"transport": "udp", "rtt": 20, "jitter": 1, "packetLoss": 0, "mos": 4.3});
    client.emit("voice:stats:report", report).await.unwrap();

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let mut wanted = BTreeSet::new();
    for file in ["deploy/monitoring/rules.yml", "deploy/monitoring/dashboard.json"] {
        wanted.extend(named(&text(&root.join(file))));
    }
    // People speak of a histogram by its name alone, of which a scrape has buckets, sum and count.
    let runbooks = fs::read_dir(root.join("docs/runbooks")).unwrap();
    let of_people: BTreeSet<String> =
        runbooks.flat_map(|entry| named(&text(&entry.unwrap().path()))).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    within(Duration::from_secs(20), "all of them in a scrape", async {
        loop {
            let of_node = exported(&cluster.scrape_node(0).await.unwrap());
            let mut there = exported(&cluster.scrape(0).await.unwrap());
            for name in OF_EACH {
                assert!(there.contains(name) && of_node.contains(name), "{name} is not in both scrapes");
            }
            there.extend(of_node);
            let of_people = of_people.iter().filter(|name| !there.contains(&format!("{name}_bucket")));
            let missing: Vec<_> =
                wanted.iter().chain(of_people).filter(|name| !there.contains(*name)).collect();
            if missing.is_empty() {
                return;
            }
            // A join's outcome is known some time after it.
            tokio::time::sleep(Duration::from_millis(500)).await;
            println!("not exported: {missing:?}");
        }
    })
    .await;
}

#[test]
fn each_alert_has_its_runbook_and_each_runbook_its_alert() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rules = fs::read_to_string(root.join("deploy/monitoring/rules.yml")).unwrap();
    let alerts: BTreeSet<String> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    let files = fs::read_dir(root.join("docs/runbooks")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let runbooks: BTreeSet<String> = names
        .filter(|name| name != "README.md")
        .map(|name| name.trim_end_matches(".md").to_owned())
        .collect();
    assert_eq!(alerts, runbooks);
    let index = fs::read_to_string(root.join("docs/runbooks/README.md")).unwrap();
    for alert in &alerts {
        assert!(index.contains(&format!("[{alert}]({alert}.md)")), "{alert}");
        assert!(rules.contains(&format!("runbook: docs/runbooks/{alert}.md")), "{alert}");
    }
}
