//! Engine.io 4 and socket.io 5 text frames of the default namespace.

use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, PartialEq)]
pub(crate) enum Packet {
    /// Engine.io's first frame.
    Open(Handshake),
    Close,
    Ping,
    Connected,
    ConnectError(String),
    Disconnected,
    Event {
        name: String,
        payload: Value,
    },
    Ack {
        id: u64,
        payload: Value,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handshake {
    pub(crate) sid: String,
    ping_interval: u64,
    ping_timeout: u64,
}

impl Handshake {
    /// Silence for longer than this means that the connection is dead.
    pub(crate) fn silence_max(&self) -> Duration {
        Duration::from_millis(self.ping_interval.saturating_add(self.ping_timeout))
    }
}

pub(crate) const PONG: &str = "3";
pub(crate) const DISCONNECT: &str = "41";

pub(crate) fn connect(auth: &Value) -> String {
    format!("40{auth}")
}

pub(crate) fn event(name: &str, payload: &Value, ack: Option<u64>) -> String {
    let name = Value::from(name);
    match ack {
        Some(id) => format!("42{id}[{name},{payload}]"),
        None => format!("42[{name},{payload}]"),
    }
}

/// Reads a frame; `None` for what this client neither expects nor needs.
pub(crate) fn parse(frame: &str) -> Option<Packet> {
    let mut rest = frame.chars();
    match rest.next()? {
        '0' => serde_json::from_str(rest.as_str()).ok().map(Packet::Open),
        '1' => Some(Packet::Close),
        '2' => Some(Packet::Ping),
        '4' => parse_message(rest.as_str()),
        _ => None,
    }
}

fn parse_message(message: &str) -> Option<Packet> {
    let mut rest = message.chars();
    let kind = rest.next()?;
    let body = rest.as_str();
    match kind {
        '0' => Some(Packet::Connected),
        '1' => Some(Packet::Disconnected),
        '2' => {
            let mut arguments = parse_arguments(body)?.into_iter();
            let Value::String(name) = arguments.next()? else { return None };
            Some(Packet::Event { name, payload: arguments.next().unwrap_or(Value::Null) })
        }
        '3' => {
            let digits = body.find('[')?;
            let id = body.get(..digits)?.parse().ok()?;
            let payload = parse_arguments(body.get(digits..)?)?.into_iter().next().unwrap_or(Value::Null);
            Some(Packet::Ack { id, payload })
        }
        '4' => {
            let error: Value = serde_json::from_str(body).ok()?;
            let message = error.get("message").unwrap_or(&error);
            Some(Packet::ConnectError(message.as_str().map_or_else(|| message.to_string(), str::to_owned)))
        }
        _ => None,
    }
}

fn parse_arguments(text: &str) -> Option<Vec<Value>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_server_sends_is_read() {
        let open = r#"0{"sid":"x","upgrades":[],"pingInterval":5000,"pingTimeout":4000,"maxPayload":1}"#;
        let Some(Packet::Open(handshake)) = parse(open) else { panic!("not an open packet") };
        assert_eq!(handshake.silence_max(), Duration::from_secs(9));
        assert_eq!(parse("2"), Some(Packet::Ping));
        assert_eq!(parse(r#"40{"sid":"x"}"#), Some(Packet::Connected));
        assert_eq!(
            parse(r#"44{"message":"UNAUTHORIZED"}"#),
            Some(Packet::ConnectError("UNAUTHORIZED".into()))
        );
        let event = Packet::Event { name: "a".into(), payload: json!({"b": 1}) };
        assert_eq!(parse(r#"42["a",{"b":1}]"#), Some(event));
        assert_eq!(parse(r#"4312[{"ok":true}]"#), Some(Packet::Ack { id: 12, payload: json!({"ok": true}) }));
    }

    #[test]
    fn what_is_broken_is_nothing() {
        for frame in ["", "4", "42", "42[]", "42[1]", "43[1]", "43x[1]", "0{}", "é", "9"] {
            assert_eq!(parse(frame), None, "{frame}");
        }
    }

    #[test]
    fn an_event_is_written_with_and_without_an_ack() {
        assert_eq!(event("a\"b", &json!({}), None), r#"42["a\"b",{}]"#);
        assert_eq!(event("a", &json!(1), Some(7)), r#"427["a",1]"#);
    }
}
