//! What is sealed here is, bit for bit, what aws-lc seals, and what the published vectors say.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use proptest::prelude::*;
use railgun_gcm::{BadLength, LEN_MAX, SealingKey};

/// The ciphertext and the tag behind it, by aws-lc.
fn by_aws_lc(key: &[u8], nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).unwrap();
    sealed
}

fn by_us(key: &SealingKey, nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0xa5; plain.len()];
    let tag = key.seal(nonce, aad, plain, &mut sealed).unwrap();
    sealed.extend(tag);
    sealed
}

/// Keys of both sizes, if this CPU can seal; says so if it cannot.
fn keys() -> Vec<(Vec<u8>, SealingKey)> {
    let bytes: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(73) ^ 0x5c).collect();
    let keys = [16, 32].into_iter().filter_map(|len| {
        let key = &bytes[32 - len..];
        Some((key.to_vec(), SealingKey::new(key)?))
    });
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        println!("this CPU lacks AVX-512, VAES or VPCLMULQDQ: nothing is shown");
    }
    keys
}

/// Test cases 3, 4, 15 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
#[test]
fn the_published_vectors_are_met() {
    let key = "feffe9928665731c6d6a8f9467308308";
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                 b16aedf5aa0de657ba637b391aafd255";
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let of_128 = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05\
                  1ba30b396a0aac973d58e091473f5985";
    let of_256 = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
                  c5f61e6393ba7a0abcc9f662898015ad";
    let cases = [
        (key.to_owned(), 64, "", of_128, "4d5c2af327cd64a62cf35abd2ba6fab4"),
        (key.to_owned(), 60, aad, of_128, "5bc94fbc3221a5db94fae95ae7121a47"),
        (key.repeat(2), 64, "", of_256, "b094dac5d93471bdec1a502270e3cc6c"),
        (key.repeat(2), 60, aad, of_256, "76fc6ece0f4e1768cddf8853bb2d551b"),
    ];
    let nonce = hex::decode("cafebabefacedbaddecaf888").unwrap().try_into().unwrap();
    let (plain, aad_of) = (hex::decode(plain).unwrap(), |aad| hex::decode(aad).unwrap());
    for (key, len, aad, sealed, tag) in cases {
        let Some(key) = SealingKey::new(&hex::decode(key).unwrap()) else { return };
        let expected = [&hex::decode(sealed).unwrap()[..len], &hex::decode(tag).unwrap()].concat();
        assert_eq!(by_us(&key, nonce, &aad_of(aad), &plain[..len]), expected);
    }
}

#[test]
fn each_length_of_payload_and_of_additional_data_is_sealed_as_aws_lc_does() {
    let bytes: Vec<u8> = (0..4_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    for (raw, key) in keys() {
        for aad in [0_usize, 1, 12, 15, 16, 17, 20, 28, 32, 48, 63, 64, 65, 127, 128, 129, 300] {
            for len in 0..=(if aad == 28 { 1_600 } else { 300 }) {
                let ([.., high, low], [.., last]) = (usize::to_be_bytes(len), aad.to_be_bytes());
                let nonce = [low, 1, 2, 3, 4, 5, 6, 7, 8, 9, high, last];
                let (aad, plain) = (&bytes[5..5 + aad], &bytes[len % 7..len % 7 + len]);
                assert!(
                    by_us(&key, nonce, aad, plain) == by_aws_lc(&raw, nonce, aad, plain),
                    "{} bytes of payload, {} of additional data",
                    plain.len(),
                    aad.len()
                );
            }
        }
    }
}

#[test]
fn the_counter_carries_beyond_a_byte_and_beyond_two() {
    let bytes = vec![7; LEN_MAX];
    for (raw, key) in keys() {
        for len in [4_000, 4_080, 4_096, 4_097, 16_384, 65_535, LEN_MAX] {
            let plain = &bytes[..len];
            assert!(
                by_us(&key, [0xff; 12], plain, plain) == by_aws_lc(&raw, [0xff; 12], plain, plain),
                "{len}"
            );
        }
    }
}

#[test]
fn wrong_lengths_are_refused_and_write_nothing() {
    assert!(SealingKey::new(&[0; 15]).is_none() && SealingKey::new(&[0; 24]).is_none());
    for (_, key) in keys() {
        let mut place = [9; 20];
        assert_eq!(key.seal([0; 12], &[], &[1; 19], &mut place), Err(BadLength));
        assert_eq!(place, [9; 20]);
        let long = vec![0; LEN_MAX + 1];
        assert_eq!(key.seal([0; 12], &long, &[], &mut []), Err(BadLength));
        assert_eq!(key.seal([0; 12], &[], &long, &mut long.clone()), Err(BadLength));
    }
}

/// What is behind a packet in its buffer is not touched, wherever the packet begins.
#[test]
fn nothing_beside_the_place_is_written() {
    for (_, key) in keys() {
        for start in 0..70 {
            for len in [0, 1, 15, 16, 63, 64, 65, 255, 256, 257, 1_172] {
                let mut buffer = vec![0xee; start + len + 70];
                let plain = vec![0; len];
                key.seal([1; 12], b"header", &plain, &mut buffer[start..start + len]).unwrap();
                let around = buffer[..start].iter().chain(&buffer[start + len..]);
                assert!(around.copied().all(|byte| byte == 0xee), "{start} {len}");
            }
        }
    }
}

proptest! {
    #[test]
    fn random_keys_nonces_and_packets_are_sealed_as_aws_lc_does(
        key in prop_oneof![
            proptest::collection::vec(any::<u8>(), 16),
            proptest::collection::vec(any::<u8>(), 32),
        ],
        nonce: [u8; 12],
        aad in proptest::collection::vec(any::<u8>(), 0..140),
        plain in proptest::collection::vec(any::<u8>(), 0..1_700),
    ) {
        let Some(sealing) = SealingKey::new(&key) else { return Ok(()) };
        prop_assert_eq!(by_us(&sealing, nonce, &aad, &plain), by_aws_lc(&key, nonce, &aad, &plain));
    }
}
