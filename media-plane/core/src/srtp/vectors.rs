//! The test vectors of RFC 3711 appendix B.2 and RFC 7714 sections 16 and 17, which name session keys.

use super::cipher::{Algorithm, GcmKey, PacketCipher};
use super::inbound::{InboundSession, InboundStream};
use super::outbound::OutboundSession;
use super::{InboundControl, OutboundControl, Suite};
use crate::packet::rtp::RtpHeader;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn gcm<G: GcmKey>(suite: Suite) -> PacketCipher<G> {
    let key: Vec<u8> = (0..).take(suite.key_len()).collect();
    PacketCipher::with_session_keys(suite, &key, &[], b"Quid pro quo").unwrap()
}

#[test]
fn rfc_3711_counter_mode_key_stream() {
    let cipher: PacketCipher = PacketCipher::with_session_keys(
        Suite::AesCm128HmacSha1_80,
        &hex("2B7E151628AED2A6ABF7158809CF4F3C"),
        &[0; 20],
        &hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    )
    .unwrap();
    let Algorithm::Cm(key) = &cipher.algorithm else { panic!("counter mode") };
    let mut stream = vec![0; 0xff02 * 16];
    key.apply(cipher.iv(0, 0), &mut stream).unwrap();
    assert_eq!(
        stream[..48],
        hex(
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
        )
    );
    assert_eq!(
        stream[0xfeff * 16..],
        hex(
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44"
        )
    );
}

#[test]
fn rfc_7714_rtp() {
    let plain = hex(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465
         73207472 6573",
    );
    for (suite, sealed) in [
        (
            Suite::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            Suite::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
             1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ] {
        let sealed = hex(sealed);
        let mut out = [0; 100];
        out[..12].copy_from_slice(&plain[..12]);
        let outbound = OutboundSession { cipher: gcm(suite) };
        let len = outbound.seal_rtp(0xf17b, 0x5501_a0b2, 12, &plain[12..], &mut out).unwrap();
        assert_eq!(out[..len], sealed);
        let inbound = InboundSession { cipher: gcm(suite) };
        let header = RtpHeader::parse(&out[..len]).unwrap();
        let len = inbound.open_rtp(&mut InboundStream::default(), &header, &mut out[..len]).unwrap();
        assert_eq!(out[..len], plain);
    }
}

#[test]
fn rfc_7714_rtcp() {
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
         deadbeef deadbeef",
    );
    for (suite, sealed) in [
        (
            Suite::AeadAes128Gcm,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
             86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            Suite::AeadAes256Gcm,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
             c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ] {
        let sealed = hex(sealed);
        let mut out = [0; 100];
        out[..plain.len()].copy_from_slice(&plain);
        let mut outbound = OutboundControl { cipher: gcm(suite), next_index: 0x5d4 };
        let len = outbound.seal_rtcp(&mut out, plain.len()).unwrap();
        assert_eq!(out[..len], sealed);
        let mut inbound = InboundControl { cipher: gcm(suite), senders: Vec::new() };
        let len = inbound.open_rtcp(&mut out[..len]).unwrap();
        assert_eq!(out[..len], plain);
    }
}
