//! GHASH (NIST SP 800-38D section 6.4) by carry-less multiplication, in the form of POLYVAL (RFC 8452 appendix A):
//! with the bytes of each block in reverse and the hash key times x, a product needs no shift, and its reduction is
//! two multiplications.

use super::vectors::{BLOCK, VECTOR, load};
use std::arch::x86_64::*;

/// The highest power of the hash key that is kept: sixteen blocks of payload, and the lengths behind them.
const POWER_MAX: usize = 17;
/// Zeros before the powers, so that the 16th begins a cache line, and behind them, where a vector load may reach.
const ZEROS: usize = 3 * BLOCK;
const POWERS: usize = ZEROS + POWER_MAX * BLOCK + ZEROS;
/// x^127 + x^126 + x^121 + 1, and x^128.
const POLYNOMIAL: u128 = 0xc200_0000_0000_0000_0000_0000_0000_0001;

/// Powers of the hash key: the 17th down to the first, then zeros.
pub(crate) type Powers = [u8; POWERS];

/// Computes the powers of the hash key `h`, which is the all-zero block, encrypted.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vpclmulqdq,pclmulqdq,ssse3")]
pub(crate) fn powers(h: [u8; BLOCK]) -> Powers {
    let h = u128::from_be_bytes(h);
    let h = h << 1 ^ POLYNOMIAL & 0_u128.wrapping_sub(h >> 127);
    let h = super::vectors::load_block(&h.to_le_bytes());
    let mut powers = [0; POWERS];
    let mut power = h;
    let (places, _) = powers.as_chunks_mut::<BLOCK>();
    for place in places.iter_mut().skip(ZEROS / BLOCK).take(POWER_MAX).rev() {
        *place = super::vectors::store_block(power);
        power = multiplied(power, h);
    }
    powers
}

/// The powers from `power` downwards, as a vector: zeros follow the first power.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn from_power(powers: &Powers, power: usize) -> __m512i {
    let at = ZEROS + POWER_MAX.saturating_sub(power) * BLOCK;
    match powers.get(at..).and_then(|powers| powers.first_chunk::<VECTOR>()) {
        Some(bytes) => load(bytes),
        None => _mm512_setzero_si512(),
    }
}

/// A sum of products of blocks and powers, not reduced yet, in four lanes.
#[derive(Clone, Copy)]
pub(crate) struct Sum {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

impl Sum {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn zero() -> Self {
        let zero = _mm512_setzero_si512();
        Self { low: zero, middle: zero, high: zero }
    }

    /// Adds each of four blocks times the power in its place.
    #[inline]
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    pub(crate) fn add(&mut self, blocks: __m512i, powers: __m512i) {
        let low = _mm512_clmulepi64_epi128::<0x00>(blocks, powers);
        let high = _mm512_clmulepi64_epi128::<0x11>(blocks, powers);
        let one = _mm512_clmulepi64_epi128::<0x01>(blocks, powers);
        let other = _mm512_clmulepi64_epi128::<0x10>(blocks, powers);
        self.low = _mm512_xor_si512(self.low, low);
        self.high = _mm512_xor_si512(self.high, high);
        self.middle = _mm512_ternarylogic_epi64::<0x96>(self.middle, one, other);
    }

    /// The sum as one block.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,pclmulqdq")]
    pub(crate) fn reduced(self) -> __m128i {
        reduce(of_lanes(self.low), of_lanes(self.middle), of_lanes(self.high))
    }
}

/// The four lanes, added.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn of_lanes(vector: __m512i) -> __m128i {
    let halves = _mm256_xor_si256(_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64::<1>(vector));
    _mm_xor_si128(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves))
}

/// The product of two blocks.
#[inline]
#[target_feature(enable = "sse2,pclmulqdq")]
fn multiplied(a: __m128i, b: __m128i) -> __m128i {
    let middle = _mm_xor_si128(_mm_clmulepi64_si128::<0x01>(a, b), _mm_clmulepi64_si128::<0x10>(a, b));
    reduce(_mm_clmulepi64_si128::<0x00>(a, b), middle, _mm_clmulepi64_si128::<0x11>(a, b))
}

/// A product of 256 bits, divided by x^128: twice its lowest 64 bits are made zero and dropped.
#[inline]
#[target_feature(enable = "sse2,pclmulqdq")]
fn reduce(low: __m128i, middle: __m128i, high: __m128i) -> __m128i {
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let polynomial = _mm_set_epi64x(-0x3e00_0000_0000_0000, 1);
    let step = _mm_clmulepi64_si128::<0x10>(low, polynomial);
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), step);
    let step = _mm_clmulepi64_si128::<0x10>(low, polynomial);
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), step);
    _mm_xor_si128(high, low)
}
