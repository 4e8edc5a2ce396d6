//! What a key is expanded to: AES's round keys (FIPS 197 section 5.2) and the powers of GHASH's key.

use super::ghash::{self, Powers};
use super::vectors::{BLOCK, load_block, store_block};
use std::arch::x86_64::*;
use zeroize::Zeroize;

/// Round keys of AES-256; AES-128 uses the first eleven.
pub(crate) const ROUND_KEYS_MAX: usize = 15;

pub(crate) type RoundKeys = [[u8; BLOCK]; ROUND_KEYS_MAX];

/// A key that this CPU can seal with.
#[repr(align(64))]
pub(crate) struct Expanded {
    pub(crate) powers: Powers,
    pub(crate) round_keys: RoundKeys,
    pub(crate) is_256: bool,
}

impl Drop for Expanded {
    fn drop(&mut self) {
        self.powers.zeroize();
        self.round_keys.zeroize();
    }
}

impl Expanded {
    /// None for a length that is neither 16 nor 32 bytes, or if this CPU lacks an instruction.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        if !has_instructions() {
            return None;
        }
        // SAFETY: this CPU has the instructions, of which those of `expand` are some.
        unsafe { expand(key) }
    }
}

/// Whether this CPU, and the operating system, know each instruction that is used here.
fn has_instructions() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f")
        && has!("avx512bw")
        && has!("avx512vl")
        && has!("vaes")
        && has!("vpclmulqdq")
        && has!("aes")
        && has!("pclmulqdq")
        && has!("avx2")
        && has!("ssse3")
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes,pclmulqdq,avx2,ssse3")]
fn expand(key: &[u8]) -> Option<Expanded> {
    let (round_keys, rounds) = match *key {
        [..] if key.len() == 16 => (of_128(key.first_chunk()?), 10),
        [..] if key.len() == 32 => (of_256(key.first_chunk()?, key.last_chunk()?), 14),
        _ => return None,
    };
    let mut block = load_block(round_keys.first()?);
    for (round, key) in round_keys.iter().enumerate().take(rounds + 1).skip(1) {
        let key = load_block(key);
        block = if round == rounds { _mm_aesenclast_si128(block, key) } else { _mm_aesenc_si128(block, key) };
    }
    let powers = ghash::powers(store_block(block));
    Some(Expanded { powers, round_keys, is_256: rounds == 14 })
}

/// A round key from an earlier one and from what AES's schedule makes of the last one.
#[inline]
#[target_feature(enable = "sse2")]
fn next(earlier: __m128i, made: __m128i) -> __m128i {
    let key = _mm_xor_si128(earlier, _mm_slli_si128::<4>(earlier));
    let key = _mm_xor_si128(key, _mm_slli_si128::<8>(key));
    _mm_xor_si128(key, made)
}

/// The round key of a round with this constant.
#[inline]
#[target_feature(enable = "sse2,aes")]
fn with_constant<const CONSTANT: i32>(earlier: __m128i, last: __m128i) -> __m128i {
    next(earlier, _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<CONSTANT>(last)))
}

/// The round key of a round without a constant, as AES-256 has every other.
#[inline]
#[target_feature(enable = "sse2,aes")]
fn without_constant(earlier: __m128i, last: __m128i) -> __m128i {
    next(earlier, _mm_shuffle_epi32::<0xaa>(_mm_aeskeygenassist_si128::<0>(last)))
}

#[target_feature(enable = "sse2,aes")]
fn of_128(key: &[u8; 16]) -> RoundKeys {
    let k0 = load_block(key);
    let k1 = with_constant::<0x01>(k0, k0);
    let k2 = with_constant::<0x02>(k1, k1);
    let k3 = with_constant::<0x04>(k2, k2);
    let k4 = with_constant::<0x08>(k3, k3);
    let k5 = with_constant::<0x10>(k4, k4);
    let k6 = with_constant::<0x20>(k5, k5);
    let k7 = with_constant::<0x40>(k6, k6);
    let k8 = with_constant::<0x80>(k7, k7);
    let k9 = with_constant::<0x1b>(k8, k8);
    let k10 = with_constant::<0x36>(k9, k9);
    let zero = _mm_setzero_si128();
    stored([k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, zero, zero, zero, zero])
}

#[target_feature(enable = "sse2,aes")]
fn of_256(low: &[u8; 16], high: &[u8; 16]) -> RoundKeys {
    let (k0, k1) = (load_block(low), load_block(high));
    let k2 = with_constant::<0x01>(k0, k1);
    let k3 = without_constant(k1, k2);
    let k4 = with_constant::<0x02>(k2, k3);
    let k5 = without_constant(k3, k4);
    let k6 = with_constant::<0x04>(k4, k5);
    let k7 = without_constant(k5, k6);
    let k8 = with_constant::<0x08>(k6, k7);
    let k9 = without_constant(k7, k8);
    let k10 = with_constant::<0x10>(k8, k9);
    let k11 = without_constant(k9, k10);
    let k12 = with_constant::<0x20>(k10, k11);
    let k13 = without_constant(k11, k12);
    let k14 = with_constant::<0x40>(k12, k13);
    stored([k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14])
}

#[target_feature(enable = "sse2")]
fn stored(keys: [__m128i; ROUND_KEYS_MAX]) -> RoundKeys {
    let mut out = [[0; BLOCK]; ROUND_KEYS_MAX];
    for (bytes, key) in out.iter_mut().zip(keys) {
        *bytes = store_block(key);
    }
    out
}
