//! The ICE side: a full, controlling agent against an ICE-lite server, with one host candidate, or with
//! those of TURN relays over UDP.

use crate::error::ClientError;
use railgun_protocol::signal::IceServer;
use railgun_protocol::transport_parameters::{IceCandidate, IceParameters, TransportParameters};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use webrtc_ice::agent::Agent;
use webrtc_ice::agent::agent_config::AgentConfig;
use webrtc_ice::candidate::candidate_base::unmarshal_candidate;
use webrtc_ice::candidate::{Candidate, CandidateType};
use webrtc_ice::mdns::MulticastDnsMode;
use webrtc_ice::network_type::NetworkType;
use webrtc_ice::state::ConnectionState;
use webrtc_ice::url::{ProtoType, SchemeType, Url};
use webrtc_util::Conn;

/// The agent's default of 200 ms would dominate the time to join.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Between the consent checks of RFC 7675, which keep a server's consent alive.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct Connected {
    pub(crate) agent: Agent,
    pub(crate) conn: Arc<dyn Conn + Send + Sync>,
}

/// Runs connectivity checks until a pair works or the time is up.
pub(crate) async fn connect(
    remote: &TransportParameters,
    relays: Option<&[IceServer]>,
    limit: Duration,
) -> Result<Connected, ClientError> {
    let candidates = udp_candidates(remote);
    let first = candidates.first().ok_or_else(|| ClientError::Protocol("no UDP candidate".into()))?;
    let config = match relays {
        Some(relays) => relayed_config(relays)?,
        None => agent_config(route_to(SocketAddr::new(first.address, first.port))?),
    };
    let agent = Agent::new(config).await?;
    match timeout(limit, check(&agent, &remote.ice_parameters, &candidates)).await {
        Ok(Ok(conn)) => Ok(Connected { agent, conn }),
        Ok(Err(error)) => {
            _ = agent.close().await;
            Err(error)
        }
        Err(_) => {
            _ = agent.close().await;
            Err(ClientError::Timeout("ICE"))
        }
    }
}

/// Checks again with the node's new credentials, from a new port (RFC 8445 section 9).
pub(crate) async fn restart(
    agent: &Agent,
    remote: &TransportParameters,
    parameters: &IceParameters,
    limit: Duration,
) -> Result<(), ClientError> {
    let restarting = async {
        agent.restart(String::new(), String::new()).await?;
        let connected = Arc::new(Notify::new());
        let done = connected.clone();
        agent.on_connection_state_change(Box::new(move |state| {
            if state == ConnectionState::Connected {
                done.notify_one();
            }
            Box::pin(async {})
        }));
        gather(agent, &udp_candidates(remote)).await?;
        let (ufrag, password) = (parameters.username_fragment.clone(), parameters.password.clone());
        agent.set_remote_credentials(ufrag, password).await?;
        connected.notified().await;
        Ok(())
    };
    timeout(limit, restarting).await.map_err(|_| ClientError::Timeout("the ICE restart"))?
}

fn udp_candidates(remote: &TransportParameters) -> Vec<&IceCandidate> {
    remote.ice_candidates.iter().filter(|candidate| candidate.protocol == "udp").collect()
}

fn agent_config(local: IpAddr) -> AgentConfig {
    let network = if local.is_ipv4() { NetworkType::Udp4 } else { NetworkType::Udp6 };
    AgentConfig {
        is_controlling: true,
        network_types: vec![network],
        candidate_types: vec![CandidateType::Host],
        multicast_dns_mode: MulticastDnsMode::Disabled,
        include_loopback: true,
        ip_filter: Arc::new(Some(Box::new(move |ip| ip == local))),
        check_interval: CHECK_INTERVAL,
        keepalive_interval: Some(CONSENT_INTERVAL),
        ..AgentConfig::default()
    }
}

/// The agent's relay candidates are UDP ones, over IPv4.
fn relayed_config(relays: &[IceServer]) -> Result<AgentConfig, ClientError> {
    let mut urls = Vec::new();
    for server in relays {
        for text in &server.urls {
            let mut url = Url::parse_url(text)?;
            url.username = server.username.clone().unwrap_or_default();
            url.password = server.credential.clone().unwrap_or_default();
            if url.scheme == SchemeType::Turn && url.proto == ProtoType::Udp {
                urls.push(url);
            }
        }
    }
    if urls.is_empty() {
        return Err(ClientError::Protocol("no relay over UDP".into()));
    }
    Ok(AgentConfig {
        urls,
        network_types: vec![NetworkType::Udp4],
        candidate_types: vec![CandidateType::Relay],
        ip_filter: Arc::new(None),
        ..agent_config(Ipv4Addr::UNSPECIFIED.into())
    })
}

async fn check(
    agent: &Agent,
    remote: &IceParameters,
    candidates: &[&IceCandidate],
) -> Result<Arc<dyn Conn + Send + Sync>, ClientError> {
    gather(agent, candidates).await?;
    // Never cancelled by the channel: the caller's time limit drops the whole future.
    let (_cancel, cancelled) = mpsc::channel(1);
    Ok(agent.dial(cancelled, remote.username_fragment.clone(), remote.password.clone()).await?)
}

/// Opens the local port, and lets the agent know where the node is.
async fn gather(agent: &Agent, candidates: &[&IceCandidate]) -> Result<(), ClientError> {
    let gathered = Arc::new(Notify::new());
    let done = gathered.clone();
    agent.on_candidate(Box::new(move |candidate| {
        if candidate.is_none() {
            done.notify_one();
        }
        Box::pin(async {})
    }));
    agent.gather_candidates()?;
    gathered.notified().await;
    for candidate in candidates {
        let IceCandidate { foundation, priority, address, port, kind, .. } = candidate;
        let line = format!("{foundation} 1 udp {priority} {address} {port} typ {kind}");
        let candidate: Arc<dyn Candidate + Send + Sync> = Arc::new(unmarshal_candidate(&line)?);
        agent.add_remote_candidate(&candidate)?;
    }
    Ok(())
}

/// The local address this machine would send from; nothing is sent.
fn route_to(remote: SocketAddr) -> Result<IpAddr, ClientError> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}
