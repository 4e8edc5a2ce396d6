//! What a socket.io client is told first: how often the heartbeat comes, how long it may take to be
//! answered, how much a message may hold, and that polling may go on as a websocket.

use crate::support::{Harness, http};
use serde_json::{Value, json};

#[tokio::test]
async fn the_engine_io_handshake_names_transports_heartbeat_and_bounds() {
    let harness = Harness::start().await;
    let opened = http(harness.address, "GET", "/socket.io/?EIO=4&transport=polling", &[], "").await;
    let handshake: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(handshake["upgrades"], json!(["websocket"]));
    assert_eq!((&handshake["pingInterval"], &handshake["pingTimeout"]), (&json!(5000), &json!(5000)));
    assert_eq!(handshake["maxPayload"], 65_536);
    for other in ["/socket.io/?EIO=3&transport=polling", "/socket.io/?EIO=4&transport=flash"] {
        assert_eq!(http(harness.address, "GET", other, &[], "").await.status, 400, "{other}");
    }
    harness.stop().await;
}
