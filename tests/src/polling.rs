//! socket.io over HTTP long-polling, with the cookies of whatever stands before the server.

use crate::http;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Between packets of one body (engine.io v4).
const SEPARATOR: char = '\u{1e}';

/// One socket.
#[derive(Debug)]
pub struct Polling {
    server: SocketAddr,
    path: String,
    cookie: String,
    packets: VecDeque<String>,
    last_ack: u64,
}

impl Polling {
    /// Connects to the default namespace.
    pub async fn connect(server: SocketAddr, token: &str) -> Result<Self> {
        let path = "/socket.io/?EIO=4&transport=polling";
        let opened = http::exchange(server, "GET", path, &[], "").await?;
        let handshake = opened.body.strip_prefix('0').context("no engine.io handshake")?;
        let handshake: Value = serde_json::from_str(handshake)?;
        let sid = handshake["sid"].as_str().context("no sid")?;
        let cookie = opened.header("set-cookie").and_then(|set| set.split(';').next()).unwrap_or_default();
        let mut socket = Self {
            server,
            path: format!("{path}&sid={sid}"),
            cookie: cookie.to_owned(),
            packets: VecDeque::new(),
            last_ack: 0,
        };
        socket.send(&format!("40{}", json!({ "token": token }))).await?;
        let answer = socket.next().await?;
        if !answer.starts_with("40") {
            bail!("not connected: {answer}");
        }
        Ok(socket)
    }

    /// Sends a request with a callback and gives its ack; events before it are skipped.
    pub async fn ask(&mut self, event: &str, payload: Value) -> Result<Value> {
        self.last_ack += 1;
        self.send(&format!("42{}{}", self.last_ack, json!([event, payload]))).await?;
        let ack = format!("43{}", self.last_ack);
        loop {
            if let Some(arguments) = self.next().await?.strip_prefix(&ack) {
                let mut arguments: Vec<Value> = serde_json::from_str(arguments)?;
                return arguments.pop().context("an ack without a payload");
            }
        }
    }

    fn cookies(&self) -> Vec<(&'static str, &str)> {
        let cookie = ("Cookie", self.cookie.as_str());
        if self.cookie.is_empty() { Vec::new() } else { vec![cookie] }
    }

    async fn send(&self, packet: &str) -> Result<()> {
        let answer = http::exchange(self.server, "POST", &self.path, &self.cookies(), packet).await?;
        if answer.status != 200 {
            bail!("a post was answered {}: {}", answer.status, answer.body);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<String> {
        loop {
            while let Some(packet) = self.packets.pop_front() {
                if packet != "2" {
                    return Ok(packet);
                }
                self.send("3").await?;
            }
            let answer = http::exchange(self.server, "GET", &self.path, &self.cookies(), "").await?;
            if answer.status != 200 {
                bail!("a poll was answered {}: {}", answer.status, answer.body);
            }
            self.packets.extend(answer.body.split(SEPARATOR).map(str::to_owned));
        }
    }
}
