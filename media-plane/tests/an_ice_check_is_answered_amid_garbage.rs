//! The loop from end to end: datagrams in, answers out, whatever else arrives between them.

use crate::support::{self, Link, join, session};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::transport_parameters::TransportDirection;
use std::net::UdpSocket;
use std::time::Duration;
use stun::agent::TransactionId;
use stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USERNAME, AttrType, RawAttribute};
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message};
use stun::textattrs::TextAttribute;

fn attribute(typ: AttrType, value: &[u8]) -> Box<RawAttribute> {
    let length = u16::try_from(value.len()).unwrap();
    Box::new(RawAttribute { typ, length, value: value.to_vec() })
}

fn binding_request(username: String, password: String) -> Message {
    let mut message = Message::new();
    message
        .build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(TextAttribute::new(ATTR_USERNAME, username)),
            attribute(ATTR_PRIORITY, &1u32.to_be_bytes()),
            attribute(ATTR_ICE_CONTROLLING, &1u64.to_be_bytes()),
            Box::new(MessageIntegrity::new_short_term_integrity(password)),
            Box::new(FINGERPRINT),
        ])
        .unwrap();
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ice_check_is_answered_amid_garbage() {
    let (node, channel) = support::start_node();
    let mut link = Link::open(&channel).await;
    let request = link.send("lobby", join(1)).await;
    link.reply(request).await.unwrap();
    let create = Command::CreateTransport { session: session(1), direction: TransportDirection::Send };
    let request = link.send("lobby", create).await;
    let Ok(Reply::TransportCreated { parameters, .. }) = link.reply(request).await else {
        panic!("no transport")
    };
    let candidate = &parameters.ice_candidates[0];
    let to = (candidate.address, candidate.port);
    assert!(node.media_addresses().contains(&to.into()));

    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let ice = &parameters.ice_parameters;
    for round in 0..20u8 {
        for len in [0, 1, 2, 11, 12, 13, 20, 100, 1200, 1500, 9000] {
            client.send_to(&vec![round.wrapping_mul(13); len], to).unwrap();
        }
        let check = binding_request(format!("{}:client", ice.username_fragment), ice.password.clone());
        client.send_to(&check.raw, to).unwrap();
        let mut answer = Message::new();
        answer.raw = vec![0; 1500];
        let len = client.recv(&mut answer.raw).unwrap();
        answer.raw.truncate(len);
        answer.decode().unwrap();
        assert_eq!((answer.typ, answer.transaction_id), (BINDING_SUCCESS, check.transaction_id));
    }
    node.stop().await;
}
