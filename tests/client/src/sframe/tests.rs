//! The vectors that the SDK is held against, and those of RFC 9605.

use super::frame::Sender;
use super::key::{FrameKey, read_header, write_header};
use super::{Epoch, FrameCodec, FrameOpener, FrameSealer, SframeError, Suite};
use railgun_protocol::signal::Source;
use serde_json::Value;
use std::collections::HashMap;

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

#[test]
fn the_vectors_of_rfc_9605_are_met() {
    let vectors = read(include_str!("../../../../shared/fixtures/e2ee/rfc9605.json"));
    for vector in vectors["header"].as_array().unwrap() {
        let (kid, counter, encoded) =
            (number(&vector["kid"]), number(&vector["ctr"]), hex(&vector["encoded"]));
        assert_eq!(write_header(kid, counter), encoded);
        assert_eq!(read_header(&encoded), Some((kid, counter, encoded.len())));
    }
    for vector in vectors["sframe"].as_array().unwrap() {
        let suite = Suite::from_number(vector["cipher_suite"].as_u64().unwrap().try_into().unwrap()).unwrap();
        let (kid, counter) = (vector["kid"].as_u64().unwrap(), vector["ctr"].as_u64().unwrap());
        let key = FrameKey::new(suite, &hex(&vector["base_key"]), kid);
        assert_eq!(
            (key.key.clone(), key.salt.to_vec()),
            (hex(&vector["sframe_key"]), hex(&vector["sframe_salt"]))
        );
        assert_eq!(key.nonce(counter).to_vec(), hex(&vector["nonce"]));
        let header = write_header(kid, counter);
        let aad = [header.clone(), hex(&vector["metadata"])].concat();
        assert_eq!(aad, hex(&vector["aad"]));
        let sealed = key.seal(counter, &aad, &hex(&vector["pt"])).unwrap();
        assert_eq!([header, sealed.clone()].concat(), hex(&vector["ct"]));
        assert_eq!(key.open(counter, &aad, &sealed), Some(hex(&vector["pt"])));
    }
}

/// Of every codec the key schedule and the sealed part; of Opus and VP8 the whole frame.
#[test]
fn the_frames_of_the_sdk_are_opened_and_made_alike() {
    let vectors = read(include_str!("../../../../shared/fixtures/e2ee/frames.json"));
    let mut whole = 0;
    for vector in vectors.as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let epoch = Epoch {
            suite: Suite::from_number(vector["suite"].as_u64().unwrap().try_into().unwrap()).unwrap(),
            number: vector["epoch"].as_u64().unwrap(),
            channel: vector["channelId"].as_str().unwrap().into(),
            secret: hex(&vector["epochSecret"]).try_into().unwrap(),
        };
        let source: Source = serde_json::from_value(vector["source"].clone()).unwrap();
        let session = vector["sessionId"].as_str().unwrap();
        let base_key = epoch.base_key(session, source);
        assert_eq!(base_key.to_vec(), hex(&vector["baseKey"]), "{name}");
        let (kid, counter) = (number(&vector["kid"]), vector["ctr"].as_u64().unwrap());
        assert_eq!(kid >> 48, u64::from(epoch.id()), "{name}");
        let key = FrameKey::new(epoch.suite, &base_key, kid);
        assert_eq!(
            (key.key.clone(), key.salt.to_vec()),
            (hex(&vector["key"]), hex(&vector["salt"])),
            "{name}"
        );
        let aad = [write_header(kid, counter), hex(&vector["metadata"])].concat();
        let (_, _, len) = read_header(&hex(&vector["sframe"])).unwrap();
        let sealed = &hex(&vector["sframe"])[len..];
        let plain = key.open(counter, &aad, sealed).unwrap();

        let codec = match vector["codec"].as_str().unwrap() {
            "opus" => FrameCodec::Opus,
            "vp8" => FrameCodec::Vp8,
            _ => continue,
        };
        let plain = [hex(&vector["clear"]), plain].concat();
        assert_eq!(plain, hex(&vector["plain"]), "{name}");
        let sender = Sender { session: session.into(), source, codec };
        let mut sealer = FrameSealer { sender: sender.clone(), key, kid, counter };
        assert_eq!(sealer.seal(&plain), hex(&vector["wire"]), "{name}");
        let mut opener = FrameOpener { sender, epoch, keys: HashMap::new() };
        let mut wire = hex(&vector["wire"]);
        assert_eq!(opener.open(&wire).as_ref(), Ok(&plain), "{name}");
        // One bit, wherever it is, and another source, and another codec.
        for at in 0..wire.len() {
            wire[at] ^= 0x10;
            assert!(opener.open(&wire).is_err(), "{name}: byte {at}");
            wire[at] ^= 0x10;
        }
        opener.sender.source = if source == Source::Mic { Source::Camera } else { Source::Mic };
        assert_eq!(opener.open(&wire), Err(SframeError::Forged), "{name}");
        whole += 1;
    }
    assert_eq!(whole, 8);
}

#[test]
fn invites_are_read_for_their_own_channel() {
    let vectors = read(include_str!("../../../../shared/fixtures/e2ee/invites.json"));
    for vector in vectors.as_array().unwrap() {
        let (text, channel) = (vector["text"].as_str().unwrap(), vector["channelId"].as_str().unwrap());
        let epoch = Epoch::from_invite(text, channel).unwrap();
        assert_eq!(u64::from(epoch.suite.number()), vector["suite"].as_u64().unwrap());
        assert_eq!(epoch.number, vector["epoch"].as_u64().unwrap());
        assert_eq!(epoch.secret.to_vec(), hex(&vector["epochSecret"]));
        assert_eq!(Epoch::from_invite(text, "another").unwrap_err(), SframeError::OtherChannel);
        assert_eq!(Epoch::from_invite(&text[..20], channel).unwrap_err(), SframeError::Invite);
    }
    let made = Epoch::invite(3, "c", [9; 32]);
    let read = Epoch::from_invite(&made, "c").unwrap();
    assert_eq!((read.number, read.secret), (3, [9; 32]));
}

#[test]
fn the_codes_of_the_sdk_are_computed_alike() {
    let vectors = read(include_str!("../../../../shared/fixtures/e2ee/mls-epochs.json"));
    for vector in vectors.as_array().unwrap() {
        let secret = hex(&vector["epochSecret"]).try_into().unwrap();
        let number = vector["number"].as_u64().unwrap();
        let epoch = Epoch::of_group(number, vector["channelId"].as_str().unwrap(), secret);
        assert_eq!(epoch.code(), vector["code"].as_str().unwrap());
    }
}
