use crate::dtls_pair::{Network, Node, Peer, Weather};
use railgun_media_core::srtp::Suite;
use railgun_media_core::transport::dtls::DtlsVersion;
use railgun_protocol::transport_parameters::DtlsRole;
use std::time::Duration;

const STORM: Weather = Weather { loss: 10, repeat: 10, reorder: 20 };

fn handshake(version: DtlsVersion, peer_role: DtlsRole, weather: Weather, seed: u64) -> Duration {
    let mut network = Network::new(weather, seed);
    let began = network.now;
    let mut node = Node::new(version, peer_role, began);
    let mut peer = Peer::new(version, peer_role == DtlsRole::Client, seed, began);
    let is_through = network.run(&mut node, &mut peer);
    assert!(is_through, "{version:?} {peer_role:?} seed {seed}: {:?}", node.failure);
    let keys = node.keys.unwrap();
    assert_eq!(Some(keys.bytes.to_vec()), peer.keys);
    assert_eq!(keys.suite, Suite::AeadAes256Gcm);
    assert_eq!(keys.bytes.len(), 2 * (32 + 12));
    assert_eq!(keys.is_server, peer_role == DtlsRole::Client);
    network.now - began
}

#[test]
fn every_handshake_of_100_at_ten_percent_loss_completes() {
    let mut times: Vec<_> =
        (0..100).map(|seed| handshake(DtlsVersion::Dtls12, DtlsRole::Client, STORM, seed)).collect();
    times.sort_unstable();
    assert!(times[50] < Duration::from_millis(500), "median {:?}", times[50]);
}

#[test]
fn every_version_and_role_completes_at_ten_percent_loss() {
    for version in [DtlsVersion::Dtls12, DtlsVersion::Dtls13, DtlsVersion::Auto] {
        for peer_role in [DtlsRole::Client, DtlsRole::Server] {
            for seed in 0..10 {
                handshake(version, peer_role, STORM, seed);
            }
        }
    }
}

#[test]
fn without_loss_a_server_needs_two_round_trips() {
    let took = handshake(DtlsVersion::Dtls12, DtlsRole::Client, Weather::default(), 7);
    assert!(took < 2 * 2 * Duration::from_millis(15), "{took:?}");
}

#[test]
fn a_peer_that_does_not_say_client_is_met_by_a_client() {
    handshake(DtlsVersion::Dtls12, DtlsRole::Auto, Weather::default(), 7);
}
