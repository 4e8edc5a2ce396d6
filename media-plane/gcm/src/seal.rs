//! Sealing: counter mode over the payload, and GHASH over additional data, ciphertext and lengths.
//!
//! Neither waits for the other: the rounds that make the keystream of sixteen blocks stand between the products that
//! GHASH takes of the sixteen blocks before. A sum of sixteen products is reduced once.

use super::ghash::{Powers, Sum, from_power};
use super::key_schedule::{Expanded, ROUND_KEYS_MAX, RoundKeys};
use super::vectors::{
    BLOCK, VECTOR, load, load_block, load_part, reverse, reverse_block, store, store_block, store_part,
};
use std::arch::x86_64::*;

/// Bytes of sixteen blocks.
const STRIDE: usize = 4 * VECTOR;

impl Expanded {
    /// `plain` and `sealed` have one length.
    #[inline]
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], plain: &[u8], sealed: &mut [u8]) -> [u8; BLOCK] {
        // SAFETY: `Expanded::new` gave a key, so this CPU has the instructions.
        unsafe {
            if self.is_256 {
                seal::<14>(self, nonce, aad, plain, sealed)
            } else {
                seal::<10>(self, nonce, aad, plain, sealed)
            }
        }
    }
}

/// `ROUNDS`: 10 for AES-128, 14 for AES-256.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes,pclmulqdq,avx2,ssse3")]
fn seal<const ROUNDS: usize>(
    key: &Expanded,
    nonce: [u8; 12],
    aad: &[u8],
    plain: &[u8],
    sealed: &mut [u8],
) -> [u8; BLOCK] {
    let Expanded { powers, round_keys, .. } = key;
    let keys = broadcast(round_keys);
    let mut counter = Counter::new(nonce);
    let tag_mask = encrypt_block::<ROUNDS>(round_keys, counter.first);
    let mut hash = hash_of(powers, aad);

    let (strides, rest) = plain.as_chunks::<STRIDE>();
    let (sealed_strides, sealed_rest) = sealed.as_chunks_mut::<STRIDE>();
    // The last stride's blocks: GHASH takes them while the next keystream is made.
    let mut waiting = None;
    for (from, to) in strides.iter().zip(sealed_strides) {
        let counters = counter.next();
        let keystream = match waiting {
            None => encrypt::<ROUNDS, 4>(&keys, counters),
            Some(blocks) => encrypt_and_hash::<ROUNDS>(&keys, counters, blocks, powers, &mut hash),
        };
        waiting = Some(seal_stride(from, to, keystream));
    }
    let keystream = match (waiting, rest.len()) {
        (Some(blocks), _) => encrypt_and_hash::<ROUNDS>(&keys, counter.next(), blocks, powers, &mut hash),
        (None, ..=VECTOR) => some::<ROUNDS, 1>(&keys, &mut counter),
        (None, ..=128) => some::<ROUNDS, 2>(&keys, &mut counter),
        (None, ..=192) => some::<ROUNDS, 3>(&keys, &mut counter),
        (None, _) => some::<ROUNDS, 4>(&keys, &mut counter),
    };

    // The lengths come last, times the first power; the blocks before them each have one power more.
    let power = rest.len().div_ceil(BLOCK) + 1;
    let mut sum = Sum::zero();
    sum.add(_mm512_zextsi128_si512(lengths(aad.len(), plain.len())), from_power(powers, 1));
    let parts = rest.chunks(VECTOR).zip(sealed_rest.chunks_mut(VECTOR));
    for ((number, (from, to)), keystream) in (0..).zip(parts).zip(keystream) {
        let sealed = store_part(to, _mm512_xor_si512(load_part(from), keystream));
        let mut blocks = reverse(sealed);
        if number == 0 {
            blocks = _mm512_xor_si512(blocks, _mm512_zextsi128_si512(hash));
        }
        sum.add(blocks, from_power(powers, power - 4 * number));
    }
    if rest.is_empty() {
        sum.add(_mm512_zextsi128_si512(hash), from_power(powers, 1));
    }
    store_block(_mm_xor_si128(reverse_block(sum.reduced()), tag_mask))
}

/// XORs sixteen blocks with their keystream, and gives them as GHASH takes them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn seal_stride(from: &[u8; STRIDE], to: &mut [u8; STRIDE], mut keystream: [__m512i; 4]) -> [__m512i; 4] {
    let parts = from.as_chunks::<VECTOR>().0.iter().zip(to.as_chunks_mut::<VECTOR>().0);
    for ((from, to), blocks) in parts.zip(&mut keystream) {
        let sealed = _mm512_xor_si512(load(from), *blocks);
        store(to, sealed);
        *blocks = reverse(sealed);
    }
    keystream
}

/// The hash of `data`, padded with zeros to whole blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vpclmulqdq,pclmulqdq,avx2,ssse3")]
fn hash_of(powers: &Powers, data: &[u8]) -> __m128i {
    let mut hash = _mm_setzero_si128();
    for part in data.chunks(VECTOR) {
        let blocks = _mm512_xor_si512(reverse(load_part(part)), _mm512_zextsi128_si512(hash));
        let mut sum = Sum::zero();
        sum.add(blocks, from_power(powers, part.len().div_ceil(BLOCK)));
        hash = sum.reduced();
    }
    hash
}

/// The last block of GHASH: both lengths in bits, its bytes in reverse.
#[inline]
#[target_feature(enable = "sse2")]
fn lengths(aad: usize, payload: usize) -> __m128i {
    let bits = |bytes: usize| i64::try_from(bytes * 8).unwrap_or(i64::MAX);
    _mm_set_epi64x(bits(aad), bits(payload))
}

/// Counter blocks (NIST SP 800-38D section 6.5): the nonce, then 32 bits that count.
struct Counter {
    /// The block whose keystream masks the tag; those of the payload follow it.
    first: __m128i,
    /// The next four, with the counting bits in this CPU's order.
    next: __m512i,
}

impl Counter {
    #[inline]
    #[target_feature(enable = "avx512f,ssse3")]
    fn new(nonce: [u8; 12]) -> Self {
        let mut first = [0; BLOCK];
        if let Some(place) = first.first_chunk_mut() {
            *place = nonce;
        }
        let zero = load_block(&first);
        let steps = _mm512_set_epi32(5, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0);
        Self {
            first: _mm_or_si128(zero, _mm_set_epi32(1 << 24, 0, 0, 0)),
            next: _mm512_or_si512(_mm512_broadcast_i32x4(zero), steps),
        }
    }

    /// The next `4 * N` blocks.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn next<const N: usize>(&mut self) -> [__m512i; N] {
        let order =
            _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
        let four = _mm512_broadcast_i32x4(_mm_set_epi32(4, 0, 0, 0));
        let mut blocks = [_mm512_setzero_si512(); N];
        for block in &mut blocks {
            *block = _mm512_shuffle_epi8(self.next, order);
            self.next = _mm512_add_epi32(self.next, four);
        }
        blocks
    }
}

type Broadcast = [__m512i; ROUND_KEYS_MAX];

/// Each round key in all four lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(keys: &RoundKeys) -> Broadcast {
    let mut out = [_mm512_setzero_si512(); ROUND_KEYS_MAX];
    for (out, key) in out.iter_mut().zip(keys) {
        *out = _mm512_broadcast_i32x4(load_block(key));
    }
    out
}

/// The first step of AES: adds the first round key.
#[inline]
#[target_feature(enable = "avx512f")]
fn whiten<const N: usize>(key: __m512i, blocks: &mut [__m512i; N]) {
    for block in blocks {
        *block = _mm512_xor_si512(*block, key);
    }
}

/// One round of AES, of `ROUNDS`.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn encrypt_round<const ROUNDS: usize, const N: usize>(round: usize, key: __m512i, blocks: &mut [__m512i; N]) {
    for block in blocks {
        *block = if round == ROUNDS {
            _mm512_aesenclast_epi128(*block, key)
        } else {
            _mm512_aesenc_epi128(*block, key)
        };
    }
}

/// Encrypts `4 * N` blocks.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn encrypt<const ROUNDS: usize, const N: usize>(keys: &Broadcast, mut blocks: [__m512i; N]) -> [__m512i; N] {
    let [first, keys @ ..] = keys;
    whiten(*first, &mut blocks);
    for (round, key) in (1..=ROUNDS).zip(keys) {
        encrypt_round::<ROUNDS, N>(round, *key, &mut blocks);
    }
    blocks
}

/// Encrypts sixteen blocks, and between the rounds takes sixteen others into the hash, so that neither waits for the
/// other. The first of those, to which the hash so far is added, is the last to be taken.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,vaes,vpclmulqdq,pclmulqdq,avx2")]
fn encrypt_and_hash<const ROUNDS: usize>(
    keys: &Broadcast,
    mut blocks: [__m512i; 4],
    mut others: [__m512i; 4],
    powers: &Powers,
    hash: &mut __m128i,
) -> [__m512i; 4] {
    let [first, ..] = &mut others;
    *first = _mm512_xor_si512(*first, _mm512_zextsi128_si512(*hash));
    let mut sum = Sum::zero();
    let [first, keys @ ..] = keys;
    whiten(*first, &mut blocks);
    for (round, key) in (1..=ROUNDS).zip(keys) {
        encrypt_round::<ROUNDS, 4>(round, *key, &mut blocks);
        if round % 2 == 0 && round <= 8 {
            let number = 4 - round / 2;
            sum.add(others[number], from_power(powers, 16 - 4 * number));
        }
    }
    *hash = sum.reduced();
    blocks
}

/// The keystream of `4 * N` blocks, with zeros up to sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes")]
fn some<const ROUNDS: usize, const N: usize>(keys: &Broadcast, counter: &mut Counter) -> [__m512i; 4] {
    let made = encrypt::<ROUNDS, N>(keys, counter.next());
    let mut all = [_mm512_setzero_si512(); 4];
    for (place, made) in all.iter_mut().zip(made) {
        *place = made;
    }
    all
}

#[inline]
#[target_feature(enable = "sse2,aes")]
fn encrypt_block<const ROUNDS: usize>(keys: &RoundKeys, block: __m128i) -> __m128i {
    let [first, keys @ ..] = keys;
    let mut block = _mm_xor_si128(block, load_block(first));
    for (round, key) in (1..=ROUNDS).zip(keys) {
        let key = load_block(key);
        block = if round == ROUNDS { _mm_aesenclast_si128(block, key) } else { _mm_aesenc_si128(block, key) };
    }
    block
}
