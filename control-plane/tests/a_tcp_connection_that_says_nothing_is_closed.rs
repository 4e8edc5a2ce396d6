use crate::support::{Harness, http};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends this and waits for the end.
async fn ends(address: SocketAddr, sent: &str) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let ended = async {
        let mut read = Vec::new();
        _ = stream.read_to_end(&mut read).await;
    };
    tokio::time::timeout(Duration::from_secs(25), ended).await.is_ok()
}

#[tokio::test]
async fn before_its_request_in_the_middle_of_it_and_before_its_token() {
    let harness = Harness::start().await;
    let address = harness.address;
    let upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
        Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let (silent, slow, nameless) = tokio::join!(
        ends(address, ""),
        ends(address, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        ends(address, upgrade)
    );
    assert_eq!((silent, slow, nameless), (true, true, true));
    assert_eq!(http(address, "GET", "/healthz", &[], "").await.status, 200);
    harness.stop().await;
}
