//! The unmodified socket.io-client, which always comes back to the same replica, as with a sticky cookie,
//! and with a static `auth`. The replica starts anew while etcd is away and the node that the token names is
//! frozen: it ends the transport without a DISCONNECT packet, after which the library would never connect again,
//! and without `RESUME_FAILED`. The session is resumed as soon as both are back. Over WebSocket, HTTP polling,
//! and what begins as the one and becomes the other.

use railgun_tests::{Cluster, within};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tokio::time::sleep;

const TRANSPORTS: [&str; 3] = ["websocket", "polling", "polling,websocket"];
const OUTAGE: Duration = Duration::from_secs(12);
/// The library waits 5 s at most between tries.
const RESUMED_WITHIN: Duration = Duration::from_secs(25);

/// Ends with the value.
struct Client {
    child: Child,
    /// What it printed.
    log: PathBuf,
}

impl Drop for Client {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_file(&self.log);
    }
}

impl Client {
    fn start(module: &Path, url: &str, token: &str, transports: &str) -> Self {
        let log = std::env::temp_dir().join(format!("railgun-client-{}-{transports}", std::process::id()));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/socket_io_client.cjs");
        let mut command = Command::new("node");
        command.arg(script).arg(module).args([url, token, "c", transports]);
        let child = command.stdout(File::create(&log).unwrap()).spawn().expect("node");
        Self { child, log }
    }

    fn said(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap().lines().map(String::from).collect()
    }

    /// What follows this word, once it is said.
    async fn says(&self, word: &str) -> String {
        loop {
            if let Some(rest) = self.said().iter().find_map(|line| line.strip_prefix(word)) {
                return rest.trim().to_owned();
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn an_unmodified_client_comes_back_until_its_node_can_be_asked() {
    let web = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../control-plane/web"));
    let module = web.join("node_modules/socket.io-client");
    let install = "socket.io-client is not installed: tests/setup/npm-install.sh control-plane/web";
    assert!(module.is_dir(), "{install}");
    let mut cluster = Cluster::start(1, 1).await.unwrap();
    let url = cluster.url(0);
    let mut clients = Vec::new();
    for (number, transports) in TRANSPORTS.into_iter().enumerate() {
        let token = cluster.token(&format!("user-{number}")).unwrap();
        let client = Client::start(&module, &url, &token, transports);
        let session = within(Duration::from_secs(15), "a join", client.says("joined")).await;
        clients.push((client, session));
    }
    // The upgrade of the last one is done.
    sleep(Duration::from_secs(1)).await;

    cluster.etcd.kill();
    // The replica that comes knows the node from the token alone, and gets no answer there.
    cluster.pause_node(0).unwrap();
    cluster.kill_replica(0);
    cluster.launch_replica(0).unwrap();
    sleep(OUTAGE).await;
    cluster.resume_node(0).unwrap();
    cluster.etcd.start_again().await.unwrap();
    for ((client, session), transports) in clients.iter().zip(TRANSPORTS) {
        let resumed =
            within(RESUMED_WITHIN, &format!("a resume over {transports}"), client.says("resumed")).await;
        let said = client.said();
        println!("{transports}: {said:?}");
        assert_eq!(resumed, *session);
        let ends: Vec<_> = said.iter().filter_map(|line| line.strip_prefix("disconnect ")).collect();
        assert!(ends.len() >= 2, "once with its replica, and at least once by the new one: {ends:?}");
        assert!(ends.iter().all(|reason| reason.starts_with("transport ")), "{ends:?}");
        assert!(!said.iter().any(|line| line.starts_with("error")), "told what nobody knows");
    }
}
