//! A network test with a user's token: a socket by HTTP long-polling, the room `$diagnostics`, a transport, and an
//! ICE check to each of its candidates; then the relays that the user would get.

use super::finding::Findings;
use super::stun::{self, Answer};
use super::turn;
use reqwest::header::{COOKIE, HeaderValue, SET_COOKIE};
use reqwest::{Client, Url};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use tokio::net::UdpSocket;

/// Addresses, relays, and URLs of each, that a server can have us send packets to.
const TRIED_MAX: usize = 8;
/// Answers of a socket that may come before the one that is waited for.
const POLLS_MAX: usize = 12;
/// engine.io's, between packets of one answer.
const SEPARATOR: char = '\u{1e}';

pub(super) async fn look(
    client: &Client,
    url: &Url,
    token: &str,
    is_loopback: bool,
    findings: &mut Findings,
) {
    let mut socket = match Socket::open(client, url, token).await {
        Ok(socket) => socket,
        Err(why) => {
            let mend = match why.as_str() {
                "TOKEN_EXPIRED" => "Make a new one: railgun token",
                _ => {
                    "The server's log says why at info: a kid that no key of auth.jwks has, a wrong aud or iss, a clock"
                }
            };
            return findings.fault("token", format!("the token is refused: {why}"), mend);
        }
    };
    let tried = media(&mut socket, is_loopback, findings).await;
    socket.close().await;
    if let Err(why) = tried {
        findings.fault(
            "call",
            format!("no network test could be made: {why}"),
            "Repeat it after some seconds; see the server's log",
        );
    }
}

async fn media(socket: &mut Socket<'_>, is_loopback: bool, findings: &mut Findings) -> Result<(), String> {
    let joined = socket.ask("voice:join", json!({ "channelId": "$diagnostics" })).await?;
    let made = socket.ask("voice:rtc:createTransport", json!({ "direction": "send" })).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("an answer without credentials");
    let ufrag = text(&made["iceParameters"]["usernameFragment"])?;
    let password = text(&made["iceParameters"]["password"])?;
    let candidates = made["iceCandidates"].as_array().cloned().unwrap_or_default();
    let read = |of: &Value| {
        let ip: IpAddr = of["ip"].as_str().or_else(|| of["address"].as_str())?.parse().ok()?;
        Some(SocketAddr::new(ip, u16::try_from(of["port"].as_u64()?).ok()?))
    };
    for address in candidates.iter().filter_map(read).take(TRIED_MAX) {
        candidate(address, &ufrag, &password, is_loopback, findings).await;
    }
    let servers = joined["rtcConfig"]["iceServers"].as_array().cloned().unwrap_or_default();
    for server in servers.into_iter().take(TRIED_MAX) {
        let (Some(name), Some(credential)) = (server["username"].as_str(), server["credential"].as_str())
        else {
            continue;
        };
        for url in server["urls"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .take(TRIED_MAX)
        {
            turn::relay(url, name, credential, findings).await;
        }
    }
    Ok(())
}

async fn candidate(
    address: SocketAddr,
    ufrag: &str,
    password: &str,
    is_loopback: bool,
    findings: &mut Findings,
) {
    if address.ip().is_loopback() && !is_loopback {
        return findings.fault(
            "media",
            format!("clients are told to send media to {address}, which is each of them itself"),
            "Set announced_address of the media node to its public address",
        );
    }
    let check = async {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.map_err(|error| error.to_string())?;
        socket.connect(address).await.map_err(|error| error.to_string())?;
        turn::exchange(&socket, &stun::ice_check(ufrag, password)).await
    };
    match check.await {
        Ok(Answer::Bound) => findings.good("media", format!("UDP {address} answers an ICE check")),
        Ok(other) => findings.fault(
            "media",
            format!("UDP {address} answers, but it is not our media node: {other:?}"),
            "Is announced_address this node's own?",
        ),
        Err(why) => findings.fault(
            "media",
            format!("UDP {address} does not answer an ICE check: {why}"),
            format!(
                "Either the firewall does not let UDP {} in, or announced_address is not the node's address: \
                 `railgun doctor --config` on the node says what its own are",
                address.port()
            ),
        ),
    }
}

/// What a balancer wants to see again.
pub(super) fn cookie<'a>(set: impl IntoIterator<Item = &'a HeaderValue>) -> HeaderValue {
    let pairs = set.into_iter().filter_map(|of| of.to_str().ok()?.split(';').next());
    HeaderValue::from_str(&pairs.collect::<Vec<_>>().join("; "))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The session's id, from engine.io's first packet.
pub(super) fn session(text: &str) -> Option<String> {
    let opened: Value = serde_json::from_str(text.strip_prefix('0')?).ok()?;
    let session = opened["sid"].as_str()?;
    session.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)).then(|| session.to_owned())
}

/// A socket.io socket by polling.
struct Socket<'a> {
    client: &'a Client,
    at: Url,
    cookie: HeaderValue,
    asked: u32,
}

impl<'a> Socket<'a> {
    async fn open(client: &'a Client, url: &Url, token: &str) -> Result<Self, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let mut at = url.join("/socket.io/?EIO=4&transport=polling").map_err(|error| error.to_string())?;
        let answer = client.get(at.clone()).send().await.map_err(failed)?;
        let cookie = cookie(answer.headers().get_all(SET_COOKIE));
        let text = answer.text().await.map_err(failed)?;
        let session = session(&text).ok_or("the answer is not engine.io's")?;
        at.query_pairs_mut().append_pair("sid", &session);
        let socket = Self { client, at, cookie, asked: 0 };
        let device: u64 = rand::random();
        let auth = json!({ "token": token, "deviceId": format!("doctor-{device:x}") });
        socket.send(&format!("40{auth}")).await?;
        for _ in 0..POLLS_MAX {
            for packet in socket.poll().await? {
                if packet.starts_with("40") {
                    return Ok(socket);
                }
                if let Some(refusal) = packet.strip_prefix("44") {
                    let refusal: Value = serde_json::from_str(refusal).unwrap_or_default();
                    return Err(refusal["message"].as_str().unwrap_or("without a reason").to_owned());
                }
            }
        }
        Err("no answer to the token".into())
    }

    /// The fields of the answer to a request.
    async fn ask(&mut self, event: &str, payload: Value) -> Result<Value, String> {
        self.asked += 1;
        self.send(&format!("42{}{}", self.asked, json!([event, payload]))).await?;
        for _ in 0..POLLS_MAX {
            for packet in self.poll().await? {
                let Some(answer) = packet.strip_prefix(&format!("43{}", self.asked)) else { continue };
                let answer: Value = serde_json::from_str(answer).unwrap_or_default();
                let answer = answer[0].clone();
                return match answer["ok"] == true {
                    true => Ok(answer),
                    false => Err(format!("{event} is refused with {}: {}", answer["code"], answer["error"])),
                };
            }
        }
        Err(format!("{event} is not answered"))
    }

    async fn send(&self, packet: &str) -> Result<(), String> {
        let request = self.client.post(self.at.clone()).header(COOKIE, &self.cookie).body(packet.to_owned());
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    }

    async fn poll(&self) -> Result<Vec<String>, String> {
        let request = self.client.get(self.at.clone()).header(COOKIE, &self.cookie);
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let answer = request.send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(answer.status().to_string());
        }
        let text = answer.text().await.map_err(failed)?;
        let packets: Vec<String> = text.split(SEPARATOR).map(str::to_owned).collect();
        if packets.iter().any(|packet| packet == "2") {
            self.send("3").await?;
        }
        Ok(packets)
    }

    async fn close(self) {
        // The session's end by engine.io's close, as when a tab is closed.
        _ = self.send("1").await;
    }
}
