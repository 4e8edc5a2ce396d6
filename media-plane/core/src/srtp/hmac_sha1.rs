//! HMAC-SHA1 (RFC 2104) with the key's part done beforehand, by whichever of two implementations is the faster
//! on this CPU; both give the same tags.
//!
//! The `sha1` crate has code for the SHA extensions of x86 and else none but portable code. aws-lc has assembler
//! for every CPU, but its HMAC copies and erases a whole context for each packet. See ARCHITECTURE.md for what
//! each costs, and on what that was measured.

use aws_lc_rs::hmac::{Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key};
use sha1::{Digest, Sha1};

const BLOCK: usize = 64;

/// An implementation of SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sha1Implementation {
    /// The `sha1` crate's, for CPUs with SHA extensions that it uses.
    Extensions,
    /// aws-lc's: AVX2, AVX or SSSE3 on x86, the SHA extensions of aarch64.
    Assembler,
}

impl Sha1Implementation {
    /// The faster one here.
    pub fn of_this_cpu() -> Self {
        if has_extensions() { Self::Extensions } else { Self::Assembler }
    }
}

/// Whether the `sha1` crate uses them: those are its conditions.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_extensions() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("sha") && has!("sse2") && has!("ssse3") && has!("sse4.1")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn has_extensions() -> bool {
    false
}

/// The states of HMAC's inner and outer hash after the key, which is at most 64 bytes (one block of SHA-1).
#[derive(Clone)]
pub struct HmacSha1(Keyed);

#[derive(Clone)]
enum Keyed {
    Extensions {
        inner: Sha1,
        outer: Sha1,
    },
    /// 1,232 bytes, which would be those of every key.
    Assembler(Box<Key>),
}

impl HmacSha1 {
    /// Bytes of `key` after the 64th are ignored; SRTP's key has 20.
    pub fn new(key: &[u8]) -> Self {
        Self::with(Sha1Implementation::of_this_cpu(), key)
    }

    /// [`Self::new`] by an implementation of the caller's choice.
    pub fn with(implementation: Sha1Implementation, key: &[u8]) -> Self {
        let key = key.get(..BLOCK).unwrap_or(key);
        let after = |pad: u8| {
            let mut block = [pad; BLOCK];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            Sha1::new_with_prefix(block)
        };
        Self(match implementation {
            Sha1Implementation::Extensions => Keyed::Extensions { inner: after(0x36), outer: after(0x5c) },
            Sha1Implementation::Assembler => {
                Keyed::Assembler(Box::new(Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)))
            }
        })
    }

    /// The tag of `message` followed by `suffix`.
    #[inline]
    pub fn tag(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        match &self.0 {
            Keyed::Extensions { inner, outer } => {
                let mut inner = inner.clone();
                inner.update(message);
                inner.update(suffix);
                let mut outer = outer.clone();
                outer.update(inner.finalize());
                outer.finalize().into()
            }
            Keyed::Assembler(key) => {
                let mut context = Context::with_key(key);
                context.update(message);
                context.update(suffix);
                context.sign().as_ref().first_chunk().copied().unwrap_or_default()
            }
        }
    }
}

impl std::fmt::Debug for HmacSha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacSha1").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::hmac;
    use proptest::prelude::*;

    const BOTH: [Sha1Implementation; 2] = [Sha1Implementation::Extensions, Sha1Implementation::Assembler];

    /// RFC 2202 section 3: key, data, digest, of those cases whose key is no longer than a block.
    #[test]
    fn both_implementations_give_the_tags_of_rfc_2202_whatever_this_cpu_has() {
        let sequence: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 5] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (&[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
            (&sequence, &[0xcd; 50], "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
            (&[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
        ];
        for implementation in BOTH {
            for (key, data, expected) in cases {
                let hmac = HmacSha1::with(implementation, key);
                for cut in 0..=data.len() {
                    let (start, end) = data.split_at(cut);
                    let tag = hmac.tag(start, end).map(|byte| format!("{byte:02x}")).concat();
                    assert_eq!(tag, expected, "{implementation:?}");
                }
            }
        }
    }

    #[test]
    fn the_extensions_are_used_where_the_sha1_crate_uses_them() {
        let expected = if cfg!(target_arch = "x86_64") && has_extensions() {
            Sha1Implementation::Extensions
        } else {
            Sha1Implementation::Assembler
        };
        assert_eq!(Sha1Implementation::of_this_cpu(), expected);
        let chosen = matches!(HmacSha1::new(b"key").0, Keyed::Extensions { .. });
        assert_eq!(chosen, expected == Sha1Implementation::Extensions);
    }

    proptest! {
        #[test]
        fn both_implementations_equal_a_whole_hmac_of_aws_lc(
            key in proptest::collection::vec(any::<u8>(), 0..=BLOCK),
            message in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 0_usize..300,
        ) {
            let (start, end) = message.split_at(cut.min(message.len()));
            let key_of_other = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
            let other = hmac::sign(&key_of_other, &message);
            for implementation in BOTH {
                let tag = HmacSha1::with(implementation, &key).tag(start, end);
                prop_assert_eq!(&tag[..], other.as_ref(), "{:?}", implementation);
            }
        }
    }
}
