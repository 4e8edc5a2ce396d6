//! The binary: ready when it says so, and gone cleanly within five seconds of SIGTERM.

use crate::support::{Link, join};
use railgun_etcd::testing::free_address;
use railgun_protocol::media_rpc::Reply;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// Ends the process whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    free_address().unwrap().port()
}

fn http_get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_node_ends_its_streams_and_itself() {
    let (rpc, health) = (free_port(), free_port());
    let mut node = Running(
        Command::new(env!("CARGO_BIN_EXE_railgun-media"))
            .args(["--rpc-insecure", "true", "--rtc-port-min", "23500", "--rtc-port-max", "23999"])
            .arg(format!("--rpc-listen=127.0.0.1:{rpc}"))
            .arg(format!("--health-listen=127.0.0.1:{health}"))
            .spawn()
            .unwrap(),
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    while !http_get(health, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(Instant::now() < deadline, "never ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(http_get(health, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    assert!(http_get(health, "/metrics").unwrap().contains("railgun_media_rooms 0\n"));

    let channel = Channel::from_shared(format!("http://127.0.0.1:{rpc}")).unwrap().connect_lazy();
    let mut link = Link::open(&channel).await;
    let request = link.send("lobby", join(1)).await;
    assert!(matches!(link.reply(request).await, Ok(Reply::Joined(_))));

    let terminated = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &node.0.id().to_string()]).status().unwrap().success());
    while link.next().await.is_some() {}
    let status = loop {
        if let Some(status) = node.0.try_wait().unwrap() {
            break status;
        }
        assert!(terminated.elapsed() < Duration::from_secs(5), "still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success(), "{status}");
}

#[test]
fn without_tls_and_without_saying_so_it_does_not_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_railgun-media")).output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("tls.ca, tls.cert and tls.key are not set"), "{told}");
}
