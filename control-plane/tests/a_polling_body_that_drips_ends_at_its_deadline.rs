use crate::support::{Harness, http, raw};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn whatever_it_is_for() {
    let harness = Harness::start().await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let started = Instant::now();
    let drips = [format!("{path}&sid={sid}"), format!("{path}&sid=AAAAAAAAAAAAAAAA"), "/dev/token".into()]
        .map(async |path| {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
            let mut stream = raw([127, 0, 0, 1], harness.address, &head).await;
            let mut answer = String::new();
            loop {
                if stream.write_all(b"x").await.is_err() || started.elapsed() > Duration::from_secs(30) {
                    break;
                }
                let mut read = [0; 1024];
                tokio::select! {
                    read_bytes = stream.read(&mut read) => match read_bytes {
                        Ok(bytes @ 1..) => answer.push_str(&String::from_utf8_lossy(&read[..bytes])),
                        _ => break,
                    },
                    () = sleep(Duration::from_millis(500)) => {}
                }
            }
            (answer, started.elapsed())
        });
    for (answer, after) in futures::future::join_all(drips).await {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(after < Duration::from_secs(14), "{after:?}");
    }
    harness.stop().await;
}
