//! What clients and the other plane say: read, and said again.

use crate::input::lot;
use prost::Message;
use railgun_protocol::limits;
use railgun_protocol::signal::{ClientEvent, ClientRequest, RequestError};
use railgun_rpc::{
    FromNode, decode_command, decode_node_frame, encode_command, encode_event, encode_reply,
    encode_worker_died,
    proto::{ControlFrame, NodeFrame},
};
use serde_json::{Value, json};

/// A request of the client: the first byte names the event, the rest is its JSON. It reads the same
/// twice, nothing in a field that is not known changes it, and what is too deep is refused.
pub fn client_event(data: &[u8]) {
    let Some((&event, json)) = data.split_first() else { return };
    let name = ClientEvent::NAMES.get(usize::from(event) % 18).copied().unwrap_or("voice:other");
    let Ok(payload) = serde_json::from_slice::<Value>(json) else { return };
    let parsed = ClientRequest::parse(name, &payload);
    assert_eq!(ClientRequest::parse(name, &payload), parsed);
    let id = match &parsed {
        Ok(request) => request.request_id.clone(),
        Err((error, id)) => {
            assert!(*error != RequestError::UnknownEvent || name == "voice:other");
            id.clone()
        }
    };
    assert!(id.as_ref().is_none_or(|id| id.chars().count() <= limits::REQUEST_ID_CHARS_MAX));
    assert!(id.is_none_or(|id| payload["requestId"] == json!(id)));
    if depth(&payload) > limits::JSON_DEPTH_MAX {
        assert_eq!(parsed, Err((RequestError::TooDeep, None)));
        return;
    }
    let Value::Object(mut fields) = payload else { return };
    fields.insert(format!("x-{}", lot(json)), json!([{"y": null}]));
    if name != "voice:ping" {
        assert_eq!(ClientRequest::parse(name, &Value::Object(fields)), parsed, "an unknown field");
    }
}

/// Levels of lists and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A frame between the planes, either way: what is read of it is written and read the same.
pub fn media_rpc(data: &[u8]) {
    let Some((&direction, bytes)) = data.split_first() else { return };
    if direction & 1 == 0 {
        let Ok(frame) = ControlFrame::decode(bytes) else { return };
        let Ok(read) = decode_command(frame) else { return };
        let again = encode_command(read.0, &read.1, &read.2).encode_to_vec();
        let again = ControlFrame::decode(again.as_slice()).expect("what was encoded");
        assert_eq!(decode_command(again).expect("what was encoded"), read);
    } else {
        let Ok(frame) = NodeFrame::decode(bytes) else { return };
        let Ok(read) = decode_node_frame(frame) else { return };
        let encoded = match read.clone() {
            FromNode::Reply { request, reply } => encode_reply(request, reply),
            FromNode::Event(event) => encode_event(event),
            FromNode::WorkerDied(died) => encode_worker_died(died),
        };
        let again = NodeFrame::decode(encoded.encode_to_vec().as_slice()).expect("what was encoded");
        assert_eq!(decode_node_frame(again).expect("what was encoded"), read);
    }
}
