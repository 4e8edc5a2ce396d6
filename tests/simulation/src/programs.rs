//! The programs of a cluster as their `main` starts them, with this world's addresses and files.

use crate::addresses::{
    RPC_PORT, SIGNALING_PORT, balancer_address, etcd_address, hooks_address, node_address, relay_address,
    replica_address,
};
use crate::etcd;
use crate::hooks;
use crate::operator;
use crate::relay;
use crate::timeline_host::VirtualTimelineHost;
use crate::tokens;
use crate::told;
use crate::worker_host::VirtualWorkerHost;
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use railgun_control::auth::JwksSource;
use railgun_control::{Control, JoinLimits, MediaNodes};
use railgun_media::Node;
use railgun_media_core::transport::ice_lite::Relays;
use railgun_protocol::plan::Tier;
use railgun_settings::EtcdSettings;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;

const PREFIX: &str = "/rg/v1";

fn etcd_settings() -> EtcdSettings {
    EtcdSettings {
        endpoints: vec![format!("http://{}:{}", etcd_address(), etcd::PORT)],
        user: None,
        ca: None,
        identity: None,
        prefix: PREFIX.into(),
    }
}

pub(crate) async fn node(index: usize, end: Arc<Notify>) {
    let address = node_address(index);
    loop {
        let mut config = railgun_media::Config {
            node_id: format!("media-{index}"),
            announced: vec![address.into()],
            workers: 1,
            ..railgun_media::Config::default()
        };
        config.rtc.listen_ip = Some(address.into());
        config.rpc.listen = SocketAddr::from((address, RPC_PORT));
        config.rpc.insecure = true;
        config.etcd = Some(etcd_settings());
        let relay = relay_address().to_string().parse();
        config.rtc.relays = relay.ok().and_then(|relay| Relays::new(vec![relay])).unwrap_or_default();
        let Ok(listener) = TcpListener::bind(config.rpc.listen).await else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        match Node::start_on(config, VirtualWorkerHost) {
            Ok(mut node) => {
                let refused = node.refused();
                let mut rpc = tokio::spawn(node.serve_rpc(TcpListenerStream::new(listener), None));
                let is_ended = tokio::select! {
                    () = refused => false,
                    _ = &mut rpc => false,
                    () = end.notified() => {
                        node.drain().await;
                        true
                    }
                };
                node.stop().await;
                if is_ended {
                    return;
                }
            }
            Err(error) => told::broken("A node starts", || format!("{error:#}")),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// `count`: of all replicas.
pub(crate) async fn replica(index: usize, count: usize, end: Arc<Notify>) {
    let mut config = railgun_control::Config {
        listen: SocketAddr::from((replica_address(index), SIGNALING_PORT)),
        ..railgun_control::Config::default()
    };
    let file = |name| Some(tokens::directory().join(name));
    config.operators.listen = Some(SocketAddr::from((replica_address(index), operator::PORT)));
    config.operators.tokens = file(tokens::OPERATORS);
    config.operators.audit = Some(tokens::audit(index));
    config.calls.folder = Some(tokens::calls(index));
    config.calls.users = true;
    let url = |other| format!("http://{}:{}/", replica_address(other), operator::PORT).parse().ok();
    config.calls.peers = (0..count).filter(|other| *other != index).filter_map(url).collect();
    config.webhooks.url = format!("http://{}:{}/hooks", hooks_address(), hooks::PORT).parse().ok();
    config.webhooks.secret_file = file(tokens::HOOKS);
    config.turn.urls =
        format!("turn:{}:{}?transport=udp", relay_address(), relay::PORT).parse().into_iter().collect();
    config.turn.secrets_file = file(tokens::TURN);
    let keys = format!("http://{}:{}/jwks.json", hooks_address(), hooks::PORT).parse();
    config.auth.jwks = Some(match keys {
        Ok(url) if index % 2 == 1 => JwksSource::Url(url),
        _ => JwksSource::File(tokens::jwks()),
    });
    config.channels.create_on_join = true;
    config.channels.default_tier = Tier::Free;
    config.trusted_proxies = vec![IpNet::from(IpAddr::from(balancer_address()))];
    config.joins = JoinLimits { per_minute: 0, cooldown: 0 };
    config.media.insecure = true;
    config.etcd = Some(etcd_settings());
    let media = MediaNodes::of(&config).expect("the world's own configuration");
    match Control::start_on(config, media, None, Registry::default(), Arc::new(VirtualTimelineHost)).await {
        Ok(control) => {
            end.notified().await;
            control.stop().await;
        }
        Err(error) => told::broken("A replica starts", || format!("{error:#}")),
    }
}
