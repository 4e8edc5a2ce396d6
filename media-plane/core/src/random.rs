//! The one source of randomness of a table: a generator that the engine's seed started.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

pub(crate) type Rng = ChaCha12Rng;

/// Random text of `len` letters and digits.
pub(crate) fn text(rng: &mut Rng, len: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let letter = |bits: u8| char::from(ALPHABET[usize::from(bits & 31)]);
    (0..len).map(|_| letter(rng.random())).collect()
}
