use stun::agent::TransactionId;
use stun::attributes::RawAttribute;
use stun::attributes::{
    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_SOFTWARE, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use stun::fingerprint::FINGERPRINT as CRATE_FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST as CRATE_BINDING_REQUEST, Getter, Message};
use stun::textattrs::TextAttribute;
use stun::xoraddr::XorMappedAddress;

use super::*;

/// RFC 5769 section 2.1.
const SAMPLE: &[u8; 108] =
    b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
\x80\x22\x00\x10STUN test client\
\x00\x24\x00\x04\x6e\x00\x01\xff\
\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
\x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
const SAMPLE_PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
const SAMPLE_ID: [u8; 12] = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

const PASSWORD: &str = "a password of twenty-two";

fn raw(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_be_bytes(), u16::try_from(value.len()).unwrap().to_be_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A request of these attributes, with the right length and, at its end, FINGERPRINT.
fn request(attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".to_vec();
    bytes.extend(attributes.concat());
    let length = u16::try_from(bytes.len() - HEADER + 8).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let value = fingerprint::of(&bytes).to_be_bytes();
    bytes.extend(raw(FINGERPRINT, &value));
    bytes
}

fn user() -> Vec<u8> {
    raw(USERNAME, b"node:peer")
}

fn integrity() -> Vec<u8> {
    raw(MESSAGE_INTEGRITY, &[0; 20])
}

fn filler() -> Vec<u8> {
    raw(0xc057, &[0; 12])
}

#[test]
fn the_request_of_rfc_5769_is_read() {
    let request = BindingRequest::parse(SAMPLE).unwrap();
    assert_eq!(request.transaction_id, SAMPLE_ID);
    assert_eq!((request.local_ufrag(), request.remote_ufrag()), ("evtj", "h6vY"));
    assert_eq!((request.priority, request.use_candidate), (Some(0x6e00_01ff), false));
    assert_eq!(request.ice_controlling, None, "the sample is of a controlled agent");
    assert!(request.verify_integrity(SAMPLE, &IntegrityKey::new(SAMPLE_PASSWORD)));
    assert!(!request.verify_integrity(SAMPLE, &IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBu")));
    assert!(!request.verify_integrity(&SAMPLE[..60], &IntegrityKey::new(SAMPLE_PASSWORD)));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let key = IntegrityKey::new(SAMPLE_PASSWORD);
    for at in 0..SAMPLE.len() {
        let mut bytes = *SAMPLE;
        bytes[at] ^= 1;
        let taken = BindingRequest::parse(&bytes).is_ok_and(|request| request.verify_integrity(&bytes, &key));
        assert!(!taken, "byte {at}");
    }
}

/// The mapped addresses of RFC 5769 sections 2.2 and 2.3.
#[test]
fn addresses_are_masked_as_in_rfc_5769() {
    let mut out = [0; BINDING_SUCCESS_MAX];
    let key = IntegrityKey::new(SAMPLE_PASSWORD);
    let len = write_binding_success(&mut out, &SAMPLE_ID, "192.0.2.1:32853".parse().unwrap(), &key);
    assert_eq!(len, 64);
    assert_eq!(out[20..32], *b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
    let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(write_binding_success(&mut out, &SAMPLE_ID, v6, &key), 76);
    assert_eq!(
        out[20..44],
        *b"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"
    );
}

#[test]
fn a_request_of_the_stun_crate_is_read() {
    let mut message = Message::new();
    let attribute = |kind, value: &[u8]| RawAttribute {
        typ: kind,
        length: u16::try_from(value.len()).unwrap(),
        value: value.to_vec(),
    };
    let id = TransactionId::new();
    message
        .build(&[
            Box::new(CRATE_BINDING_REQUEST),
            Box::new(id),
            Box::new(TextAttribute::new(ATTR_USERNAME, "node:browser".into())),
            Box::new(attribute(ATTR_PRIORITY, &[0, 0, 1, 2])),
            Box::new(attribute(ATTR_ICE_CONTROLLING, &[0, 0, 0, 0, 0, 0, 0, 9])),
            Box::new(attribute(ATTR_USE_CANDIDATE, &[])),
            Box::new(TextAttribute::new(ATTR_SOFTWARE, "crate".into())),
            Box::new(MessageIntegrity::new_short_term_integrity(PASSWORD.into())),
            Box::new(CRATE_FINGERPRINT),
        ])
        .unwrap();
    let request = BindingRequest::parse(&message.raw).unwrap();
    assert_eq!(request.transaction_id, id.0);
    assert_eq!((request.local_ufrag(), request.remote_ufrag()), ("node", "browser"));
    assert_eq!((request.priority, request.ice_controlling), (Some(258), Some(9)));
    assert!(request.use_candidate);
    assert!(request.verify_integrity(&message.raw, &IntegrityKey::new(PASSWORD.as_bytes())));
}

#[test]
fn the_stun_crate_reads_the_response() {
    for address in ["203.0.113.7:40001", "[2001:db8::7]:40001", "[::ffff:203.0.113.7]:40001"] {
        let mapped: SocketAddr = address.parse().unwrap();
        let mut out = [0; BINDING_SUCCESS_MAX];
        let key = IntegrityKey::new(PASSWORD.as_bytes());
        let len = write_binding_success(&mut out, &SAMPLE_ID, mapped, &key);
        let mut message = Message::new();
        message.unmarshal_binary(&out[..len]).unwrap();
        assert_eq!(message.typ, stun::message::BINDING_SUCCESS);
        assert_eq!(message.transaction_id.0, SAMPLE_ID);
        CRATE_FINGERPRINT.check(&message).unwrap();
        MessageIntegrity::new_short_term_integrity(PASSWORD.into()).check(&mut message).unwrap();
        let mut read = XorMappedAddress::default();
        read.get_from(&message).unwrap();
        assert_eq!((read.ip, read.port), (mapped.ip().to_canonical(), mapped.port()));
    }
}

#[test]
fn every_way_to_be_wrong_has_its_error() {
    let changed = |at: usize, value: u8| {
        let mut bytes = SAMPLE.to_vec();
        bytes[at] = value;
        bytes
    };
    let attributes =
        |middle: &[Vec<u8>]| request(&[&[user(), filler(), filler()], middle, &[integrity()]].concat());
    assert!(BindingRequest::parse(&attributes(&[])).is_ok());
    let after_fingerprint = {
        let mut bytes = attributes(&[]);
        bytes.extend(filler());
        let length = u16::try_from(bytes.len() - HEADER).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        let at = bytes.len() - filler().len() - 8;
        let value = fingerprint::of(&bytes[..at]).to_be_bytes();
        bytes[at + 4..at + 8].copy_from_slice(&value);
        bytes
    };
    for (bytes, error) in [
        (SAMPLE[..75].to_vec(), StunError::TooShort),
        (vec![0; 1501], StunError::TooLong),
        (changed(1, 0x11), StunError::NotBindingRequest),
        (changed(4, 0), StunError::BadCookie),
        (changed(3, 0x54), StunError::BadLength),
        (SAMPLE[..104].to_vec(), StunError::BadLength),
        (changed(23, 0xff), StunError::AttributePastEnd),
        (attributes(&[raw(PRIORITY, &[0; 5])]), StunError::BadAttributeLength),
        (attributes(&[raw(USE_CANDIDATE, &[0])]), StunError::BadAttributeLength),
        (attributes(&[raw(ICE_CONTROLLING, &[0; 4])]), StunError::BadAttributeLength),
        (attributes(&[raw(MESSAGE_INTEGRITY, &[0; 32])]), StunError::BadAttributeLength),
        (attributes(&[user()]), StunError::DuplicateAttribute),
        (attributes(&[raw(PRIORITY, &[0; 4]), raw(PRIORITY, &[0; 4])]), StunError::DuplicateAttribute),
        (attributes(&[integrity()]), StunError::AttributeAfterIntegrity),
        (attributes(&[integrity(), raw(PRIORITY, &[0; 4])]), StunError::AttributeAfterIntegrity),
        (after_fingerprint, StunError::AttributeAfterFingerprint),
        (attributes(&[raw(0x0014, b"realm")]), StunError::UnknownAttribute),
        (
            attributes(&[raw(ICE_CONTROLLING, &[0; 8]), raw(ICE_CONTROLLED, &[0; 8])]),
            StunError::ConflictingRoles,
        ),
        (request(&[filler(), filler(), integrity()]), StunError::NoUsername),
        (request(&[user(), filler(), filler(), filler()]), StunError::NoIntegrity),
        (changed(107, 0), StunError::BadFingerprint),
        (request(&[raw(USERNAME, b"node"), filler(), filler(), integrity()]), StunError::BadUsername),
        (request(&[raw(USERNAME, b"nod:peer"), filler(), filler(), integrity()]), StunError::BadUsername),
        (request(&[raw(USERNAME, b"node:p\xffer"), filler(), filler(), integrity()]), StunError::BadUsername),
        (request(&[raw(USERNAME, &[b'u'; 509]), integrity()]), StunError::BadAttributeLength),
    ] {
        assert_eq!(BindingRequest::parse(&bytes), Err(error));
    }
    let mut without_fingerprint = SAMPLE[..100].to_vec();
    without_fingerprint[3] = 80;
    assert_eq!(BindingRequest::parse(&without_fingerprint), Err(StunError::NoFingerprint));
}
