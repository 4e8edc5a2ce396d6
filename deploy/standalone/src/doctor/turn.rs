//! The relays: an allocation (RFC 8656) with a credential that this control-plane would give.

use super::finding::Findings;
use super::stun::{self, Answer, Login};
use railgun_control::turn::{Turn, TurnConfig};
use railgun_protocol::ids::UserId;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

const ANSWER_WITHIN: Duration = Duration::from_millis(600);
const TRIES: usize = 4;
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn look(config: &TurnConfig, findings: &mut Findings) {
    // What is wrong with the file, `check-config` has said.
    let Ok(turn) = Turn::open(config, Vec::new()) else { return };
    let Ok(user) = UserId::new("railgun-doctor".to_owned()) else { return };
    for server in turn.issue(&user, SystemTime::now()).ice_servers {
        let (Some(name), Some(password)) = (server.username, server.credential) else { continue };
        for url in &server.urls {
            relay(url, &name, &password, findings).await;
        }
    }
}

/// `url` as a client gets it.
pub(super) async fn relay(url: &str, name: &str, password: &str, findings: &mut Findings) {
    let (scheme, rest) = url.split_once(':').unwrap_or(("turn", url));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_udp = scheme == "turn" && query != "transport=tcp";
    let port = if scheme == "turns" { 5349 } else { 3478 };
    let place = match place.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() && !place.ends_with(']') => place.to_owned(),
        _ => format!("{place}:{port}"),
    };
    let addresses: Vec<SocketAddr> = match lookup_host(&place).await {
        Ok(found) => found.collect(),
        Err(error) => {
            return findings.fault(
                "turn",
                format!("{url}: the name is not known: {error}"),
                "Correct turn.urls, or add the DNS record",
            );
        }
    };
    let Some(address) = addresses.first().copied() else { return };
    if !is_udp {
        return match timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(_)) => findings.good("turn", format!("{url} takes TCP connections")),
            Ok(Err(error)) => closed(url, &error.to_string(), findings),
            Err(_) => closed(url, "no answer", findings),
        };
    }
    match allocate(address, name, password).await {
        Ok(Answer::Allocated) => findings.good("turn", format!("{url} gave an allocation")),
        Ok(Answer::Refused(401)) => findings.fault(
            "turn",
            format!("{url} does not take our credential (401): it has another secret, or its clock is off"),
            "Compare turn.secrets_file with static-auth-secret of the relay, restart the relay, compare clocks",
        ),
        Ok(Answer::Refused(486)) => findings.doubt(
            "turn",
            format!("{url} says that this user's quota is used up (486)"),
            "Look again in ten minutes; see user-quota of the relay",
        ),
        Ok(Answer::Refused(code)) => findings.fault(
            "turn",
            format!("{url} refuses an allocation with {code}"),
            "See the relay's log; 508 is a range of relay ports that is used up",
        ),
        Ok(other) => findings.fault("turn", format!("{url} answers what no relay does: {other:?}"), "Is it a TURN server?"),
        Err(why) => closed(url, &why, findings),
    }
}

fn closed(url: &str, why: &str, findings: &mut Findings) {
    findings.fault(
        "turn",
        format!("{url} does not answer: {why}"),
        "Is coturn running there (systemctl status coturn), and its port open to everybody?",
    );
}

async fn allocate(server: SocketAddr, name: &str, password: &str) -> Result<Answer, String> {
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await;
    let socket = socket.map_err(|error| error.to_string())?;
    socket.connect(server).await.map_err(|error| error.to_string())?;
    let first = exchange(&socket, &stun::allocate(None)).await?;
    let Answer::Challenge { realm, nonce } = first else { return Ok(first) };
    let login = Login { name, password, realm: &realm, nonce: &nonce };
    match exchange(&socket, &stun::allocate(Some(&login))).await? {
        Answer::Challenge { .. } => Ok(Answer::Refused(401)),
        answer => {
            // The relay's port is free again at once.
            _ = socket.send(&stun::release(&login)).await;
            Ok(answer)
        }
    }
}

pub(super) async fn exchange(socket: &UdpSocket, request: &[u8]) -> Result<Answer, String> {
    let mut answer = [0; 1500];
    for _ in 0..TRIES {
        socket.send(request).await.map_err(|error| error.to_string())?;
        match timeout(ANSWER_WITHIN, socket.recv(&mut answer)).await {
            Ok(Ok(length)) => {
                if let Some(read) = stun::read(answer.get(..length).unwrap_or_default(), request) {
                    return Ok(read);
                }
            }
            // ICMP says that the port is closed; a firewall that drops says nothing.
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    Err(format!("no answer to {TRIES} UDP packets"))
}
