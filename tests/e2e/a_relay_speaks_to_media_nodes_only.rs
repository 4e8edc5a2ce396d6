//! With a credential that is good, a relay can be asked for nothing but the media nodes: not for its own
//! host, its network, a cloud's metadata, or an etcd, however the address is written.

use railgun_tests::relay::{NODE, NODE_IPV6, Relay, SECRETS, credential, unix_seconds};
use railgun_tests::{Refused, TurnClient};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// etcd's, for those of them where somebody could listen.
const PORT: u16 = 2379;

const FORBIDDEN: [&str; 40] = [
    // The relay's own host, by any name for it.
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "203.0.113.1",
    "10.66.0.1",
    // Its networks, the client's host, and the media node's neighbour.
    "10.66.0.66",
    "203.0.113.66",
    "203.0.113.10",
    "203.0.113.3",
    "169.254.169.254",
    // Where somebody else's could be.
    "8.8.8.8",
    "10.0.0.1",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "2001:db8:77::1",
    "2001:db8:77::66",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    // IPv4 in IPv6: mapped, compatible, NAT64, 6to4, Teredo.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.66.0.66",
    "::ffff:203.0.113.66",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2002:a42:42::1",
    "2001:0:7f00:1::1",
];

#[test]
fn whatever_is_no_media_node_is_refused_in_every_way() {
    let Some(relay) = Relay::start().unwrap() else { return };
    // On every address of the relay's host and of a neighbour, IPv4 and IPv6.
    let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let listeners = ["relay", "other"].map(|host| relay.link().on(host, || listen(everywhere, PORT)));
    let refused = relay.as_client(async || {
        let ipv4 = allocate(&relay, NODE.into()).await;
        let ipv6 = allocate(&relay, NODE_IPV6.into()).await;
        let mut refused = 0;
        for (number, text) in (0..).zip(FORBIDDEN) {
            let peer = SocketAddr::new(text.parse().unwrap(), PORT);
            let allocation = if peer.is_ipv4() { &ipv4 } else { &ipv6 };
            allocation.send(peer, b"indication").await.unwrap();
            for (way, answer) in [
                ("CreatePermission", allocation.create_permission(peer).await.unwrap()),
                ("ChannelBind", allocation.bind_channel(number, peer).await.unwrap()),
                ("Connect", allocation.connect(peer).await.unwrap()),
            ] {
                assert!(answer.is_err(), "{way} of {text} was not refused");
                refused += 1;
            }
            allocation.send(peer, b"indication").await.unwrap();
            allocation.send_on_channel(number, b"channel data").await.unwrap();
        }
        refused
    });
    assert_eq!(refused, 3 * FORBIDDEN.len());
    for listener in listeners {
        let heard = listener.recv_from(&mut [0; 64]);
        assert!(heard.is_err(), "{:?} was reached from {heard:?}", listener.local_addr());
    }
}

#[test]
fn a_media_node_is_reached_by_permission_and_by_channel() {
    let Some(relay) = Relay::start().unwrap() else { return };
    for node in [IpAddr::from(NODE), NODE_IPV6.into()] {
        let listener = relay.link().on("node", || listen(node, 40_000));
        let peer = SocketAddr::new(node, 40_000);
        let relayed = relay.as_client(async || {
            let allocation = allocate(&relay, node).await;
            allocation.create_permission(peer).await.unwrap().unwrap();
            allocation.send(peer, b"indication").await.unwrap();
            allocation.bind_channel(0, peer).await.unwrap().unwrap();
            allocation.send_on_channel(0, b"channel data").await.unwrap();
            allocation.relayed()
        });
        for expected in [&b"indication"[..], b"channel data"] {
            let mut heard = [0; 64];
            let (length, from) = listener.recv_from(&mut heard).unwrap();
            assert_eq!((&heard[..length], from), (expected, relayed));
        }
        // Never where a media node of the same host would be.
        assert!((50_000..60_000).contains(&relayed.port()));
    }
}

#[test]
fn tcp_is_relayed_to_nobody() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        let answer = TurnClient::allocate_tcp(relay.address(), good_credential()).await.unwrap();
        assert!(answer.is_err(), "an allocation for TCP was given");
        let etcd = SocketAddr::new(NODE.into(), PORT);
        let answer = allocate(&relay, NODE.into()).await.connect(etcd).await.unwrap();
        assert!(answer.is_err(), "TCP to a media node was not refused");
    });
}

#[test]
fn coturn_knows_every_option_of_the_configuration() {
    let Some(relay) = Relay::start().unwrap() else { return };
    let log = relay.log().unwrap();
    for complaint in ["Bad configuration format", "Unknown", "Wrong address format", "ERROR", "cannot"] {
        assert!(!log.contains(complaint), "{complaint}:\n{log}");
    }
}

fn good_credential() -> (String, String) {
    credential(SECRETS[0], unix_seconds() + 3600)
}

async fn allocate(relay: &Relay, family: IpAddr) -> TurnClient {
    let answer: Result<_, Refused> =
        TurnClient::allocate(relay.address(), good_credential(), family).await.unwrap();
    answer.unwrap()
}

/// A socket that waits a moment, so that what is on its way arrives.
fn listen(ip: IpAddr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket
}
