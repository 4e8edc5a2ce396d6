//! ClientHellos that offer what must not be used: older versions, suites without forward secrecy,
//! authentication or encryption. None is answered with a ServerHello.

use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::time::Instant;

const DTLS12: [u8; 2] = [0xfe, 0xfd];
const DTLS10: [u8; 2] = [0xfe, 0xff];
/// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
const GOOD_SUITE: u16 = 0xc02b;
/// SRTP_AEAD_AES_128_GCM (RFC 7714 section 14.2)
const GOOD_PROFILE: u16 = 7;

#[derive(Clone)]
struct Offer {
    version: [u8; 2],
    suites: Vec<u16>,
    srtp: Vec<u16>,
    extended_master_secret: bool,
}

fn good() -> Offer {
    Offer {
        version: DTLS12,
        suites: vec![GOOD_SUITE],
        srtp: vec![GOOD_PROFILE],
        extended_master_secret: true,
    }
}

/// A list of 16-bit values behind its length in bytes.
fn list(values: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
}

fn extension(number: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), data].concat()
}

/// The offer as a client's first datagram (RFC 6347 section 4.2.2, RFC 5246 section 7.4.1.2).
fn client_hello(offer: &Offer) -> Vec<u8> {
    let mut extensions = [
        // supported_groups: x25519, P-256; uncompressed points; ECDSA with P-256 and SHA-256.
        extension(10, &list(&[29, 23])),
        extension(11, &[1, 0]),
        extension(13, &list(&[0x0403])),
    ]
    .concat();
    if !offer.srtp.is_empty() {
        extensions.extend(extension(14, &[list(&offer.srtp), vec![0]].concat()));
    }
    if offer.extended_master_secret {
        extensions.extend(extension(23, &[]));
    }
    let body = [
        &offer.version[..],
        &[0x5a; 32],
        // No session, no cookie.
        &[0, 0],
        &list(&offer.suites),
        // No compression.
        &[1, 0],
        &u16::try_from(extensions.len()).unwrap().to_be_bytes(),
        &extensions,
    ]
    .concat();
    let len = &u32::try_from(body.len()).unwrap().to_be_bytes()[1..];
    let handshake = [&[1][..], len, &[0, 0, 0, 0, 0], len, &body].concat();
    let len = u16::try_from(handshake.len()).unwrap().to_be_bytes();
    [&[22][..], &offer.version, &[0; 8], &len, &handshake].concat()
}

/// Whether a server answers the offer with a ServerHello.
fn is_taken(offer: &Offer) -> bool {
    let digest = DtlsFingerprint { algorithm: "sha-256".into(), value: vec!["AB"; 32].join(":") };
    let (certificate, now) = (Certificate::generate().unwrap(), Instant::now());
    let version = DtlsVersion::Dtls12;
    let mut server = DtlsTransport::new(certificate, version, DtlsRole::Client, &[digest], now).unwrap();
    server.start(now);
    server.handle(&client_hello(offer), now);
    let mut buffer = [0; POLL_BUFFER_LEN];
    let mut is_taken = false;
    loop {
        match server.poll(&mut buffer) {
            // A plaintext handshake record whose first message is of type 2.
            DtlsOutput::Packet(len) => is_taken |= len > 13 && buffer[0] == 22 && buffer[13] == 2,
            DtlsOutput::None => return is_taken,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_good_one_is() {
    assert!(is_taken(&good()));
}

#[test]
fn whatever_is_weak_about_it() {
    let suites = |suites: &[u16]| Offer { suites: suites.to_vec(), ..good() };
    let offers = [
        ("DTLS 1.0", Offer { version: DTLS10, ..good() }),
        ("no suite", suites(&[])),
        ("NULL with NULL", suites(&[0x0000])),
        ("RSA without encryption", suites(&[0x0002, 0x003b])),
        ("ECDHE without encryption", suites(&[0xc006])),
        ("RC4", suites(&[0x0005, 0xc007])),
        ("CBC", suites(&[0xc009, 0xc00a, 0xc023])),
        ("3DES", suites(&[0xc008])),
        ("keys without forward secrecy", suites(&[0x009c, 0x009d])),
        ("nobody's key", suites(&[0x00a6, 0xc018])),
        ("shared keys", suites(&[0x00a8, 0xc0a8, 0xccac])),
        ("a certificate that the node does not have", suites(&[0xc02f, 0xc030])),
    ];
    let taken: Vec<&str> =
        offers.iter().filter(|(_, offer)| is_taken(offer)).map(|(name, _)| *name).collect();
    assert!(taken.is_empty(), "{taken:?}");
}
