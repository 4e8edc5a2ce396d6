//! A native client in an encrypted channel reads its events while MLS takes long over something: what the socket keeps for
//! it is bounded (512 events), and whoever lost one would not know who is there any more.

use crate::mls_people::{CHANNEL, Person, agreed, hear_each_other};
use railgun_client::{Client, MlsPeer};
use railgun_protocol::limits::DATA_PER_SECOND;
use railgun_protocol::plan::Tier;
use railgun_tests::{Directory, System, mls_peer};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::interval;

const TALKERS: u32 = 20;
const EVENTS: u32 = 700;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_hundred_of_them() {
    let system = System::encrypted().await.unwrap();
    let directory = Directory::create().unwrap();
    let held = directory.path().join("held");
    let slow = MlsPeer::start(&peer_that_waits(directory.path(), &held)).unwrap();
    let peer = MlsPeer::start(&mls_peer().unwrap()).unwrap();
    let ada = Person::join(&system, &slow, "ada").await;
    agreed(&[&ada]).await;

    std::fs::write(&held, "").unwrap();
    // Of whose coming ada's MLS has to know first.
    let mut talkers = Vec::new();
    for number in 0..TALKERS {
        talkers.push(talker(&system, number).await);
    }
    let talking: JoinSet<()> = talkers.iter().cloned().map(talk).collect();
    talking.join_all().await;
    std::fs::remove_file(&held).unwrap();

    for talker in &talkers {
        talker.leave().await.unwrap();
    }
    let ben = Person::join(&system, &peer, "ben").await;
    agreed(&[&ada, &ben]).await;
    assert!(ada.keys.failure().is_none(), "{:?}", ada.keys.failure());
    hear_each_other(&ada, &ben, 0).await;
}

/// A program in the place of `railgun-mls-peer` that passes on no request while `held` is there.
fn peer_that_waits(directory: &Path, held: &Path) -> PathBuf {
    let (program, peer) = (directory.join("slow-peer"), mls_peer().unwrap());
    let script = format!(
        "#!/bin/sh\nwhile IFS= read -r line; do\n  while [ -e '{}' ]; do sleep 0.05; done\n  printf '%s\\n' \"$line\"\n\
         done | '{}'\n",
        held.display(),
        peer.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Somebody with a seat, and no part in the group.
async fn talker(system: &System, number: u32) -> Client {
    let client = system.client(&format!("talker{number}"), Tier::Pro, None).await.unwrap();
    client.join_encrypted(CHANNEL).await.unwrap();
    client
}

/// Sends small messages to everybody, as many a second as one user may.
async fn talk(client: Client) {
    let mut turns = interval(Duration::from_secs(1) / DATA_PER_SECOND + Duration::from_millis(20));
    for _ in 0..EVENTS / TALKERS {
        turns.tick().await;
        client.request("voice:data", json!({ "kind": "test.word", "payload": "word" })).await.unwrap();
    }
}
