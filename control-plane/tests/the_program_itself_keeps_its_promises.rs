//! What only a process of its own can show: its log, and its limit of file descriptors.

use crate::support::client::Client;
use crate::support::{opening, raw, read_until};
use railgun_etcd::testing::free_address;
use serde_json::json;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_railgun-control");

struct Running {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
    token: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Running {
    /// With a key of its own, and a token for ada.
    async fn start(log: &str, descriptors: u32) -> Self {
        let directory = std::env::temp_dir().join(format!("railgun-program-{:x}", rand::random::<u64>()));
        std::fs::create_dir(&directory).unwrap();
        let key = directory.join("token.key");
        let mint =
            Command::new(PROGRAM).args(["token", "--user", "ada", "--key"]).arg(&key).output().unwrap();
        let token = String::from_utf8(mint.stdout).unwrap().trim().to_owned();
        let jwks = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        let jwks = jwks.into_iter().find(|path| *path != key).unwrap();
        let address = free_address().unwrap();
        let child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""), PROGRAM, "serve"])
            .args(["--operators-listen", "off", "--media-url", "http://127.0.0.1:1", "--media-insecure"])
            .args(["--listen", &address.to_string(), "--jwks", jwks.to_str().unwrap()])
            .env("RUST_LOG", log)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let running = Self { child, address, directory, token };
        for _ in 0..500 {
            if TcpStream::connect(address).await.is_ok() {
                return running;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never listened");
    }

    fn log(mut self) -> String {
        self.child.kill().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

#[tokio::test]
async fn its_log_holds_no_token_at_any_level() {
    let running = Running::start("trace", 1024).await;
    let token = running.token.clone();
    Client::connect(running.address, json!({"token": token, "deviceId": "d"})).await.unwrap();
    let log = running.log();
    // It does say a lot.
    assert!(log.contains("TRACE") && log.contains("listening"), "{log}");
    let payload = token.split('.').nth(1).unwrap();
    assert!(!log.contains(payload));
}

#[tokio::test]
async fn with_few_descriptors_a_few_addresses_do_not_lock_out_others() {
    let running = Running::start("info", 256).await;
    let mut held = Vec::new();
    // Each may have 200, which together are more than there are descriptors.
    for _ in 0..150 {
        for last in 66..69 {
            held.push(raw([127, 0, 0, last], running.address, &opening("")).await);
        }
    }
    read_until(&mut held[0], "\"sid\"").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..10 {
        let client = Client::connect(running.address, json!({"token": running.token}));
        timeout(Duration::from_secs(5), client).await.expect("locked out").unwrap().close().await;
    }
    assert!(running.log().contains("descriptors=256"));
}

#[tokio::test]
async fn with_few_descriptors_connections_of_many_addresses_leave_half_of_them_for_everything_else() {
    let running = Running::start("info", 256).await;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", running.child.id())).unwrap().count();
    let before = descriptors();
    let mut held = Vec::new();
    // Each address has fewer than its share.
    for _ in 0..20 {
        for last in 100..116 {
            held.push(raw([127, 0, 0, last], running.address, &opening("")).await);
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let taken = descriptors() - before;
    assert!((100..=128 + 8).contains(&taken), "{taken} of 256");
}
