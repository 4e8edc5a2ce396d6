//! Loads, stores and byte orders of 512-bit vectors, each of four 128-bit blocks.
//!
//! All unsafe memory access of this crate is in this file.

use std::arch::x86_64::*;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16;
/// Bytes of a vector.
pub(crate) const VECTOR: usize = 64;

#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(bytes: &[u8; VECTOR]) -> __m512i {
    // SAFETY: the 64 bytes are readable, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(bytes: &mut [u8; VECTOR], vector: __m512i) {
    // SAFETY: the 64 bytes are writable, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) }
}

/// The first bytes of `bytes`, at most 64, followed by zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn load_part(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask has a bit for each readable byte and no other, and what it leaves out is not accessed.
    unsafe { _mm512_maskz_loadu_epi8(first(bytes.len()), bytes.as_ptr().cast()) }
}

/// Writes as many bytes of `vector` as `bytes` has, at most 64, and gives the vector with zeros in place of the rest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn store_part(bytes: &mut [u8], vector: __m512i) -> __m512i {
    let mask = first(bytes.len());
    // SAFETY: the mask has a bit for each writable byte and no other, and what it leaves out is not accessed.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask, vector) };
    _mm512_maskz_mov_epi8(mask, vector)
}

/// A bit for each of the first `len` bytes of a vector.
#[inline]
fn first(len: usize) -> u64 {
    if len >= VECTOR { u64::MAX } else { (1 << len) - 1 }
}

#[inline]
#[target_feature(enable = "sse2")]
pub(crate) fn load_block(bytes: &[u8; BLOCK]) -> __m128i {
    // SAFETY: the 16 bytes are readable, and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
pub(crate) fn store_block(block: __m128i) -> [u8; BLOCK] {
    let mut bytes = [0; BLOCK];
    // SAFETY: the 16 bytes are writable, and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), block) };
    bytes
}

/// Each block with its bytes in reverse: GCM's polynomials have their first bit at the top.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn reverse(vector: __m512i) -> __m512i {
    _mm512_shuffle_epi8(vector, _mm512_broadcast_i32x4(reversed()))
}

#[inline]
#[target_feature(enable = "ssse3")]
pub(crate) fn reverse_block(block: __m128i) -> __m128i {
    _mm_shuffle_epi8(block, reversed())
}

#[inline]
#[target_feature(enable = "sse2")]
fn reversed() -> __m128i {
    _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}
