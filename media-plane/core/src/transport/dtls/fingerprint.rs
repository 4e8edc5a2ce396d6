//! Certificate fingerprints (RFC 8122 section 5): the only thing that ties a DTLS peer to its
//! signalling.

use aws_lc_rs::{constant_time, digest};
use railgun_protocol::limits::FINGERPRINTS_MAX;
use railgun_protocol::transport_parameters::DtlsFingerprint;
use thiserror::Error;

/// Why a list of fingerprints was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says why")]
pub enum FingerprintError {
    #[error("no fingerprints")]
    Empty,
    #[error("more than {FINGERPRINTS_MAX} fingerprints")]
    TooMany,
    #[error("only MD5, SHA-1 or unknown fingerprints")]
    NoStrongHash,
    #[error("fingerprint value is not colon-separated hex pairs of its algorithm's length")]
    BadValue,
}

/// The digest that a peer's certificate must have.
pub(super) struct ExpectedDigest {
    algorithm: &'static digest::Algorithm,
    digest: Vec<u8>,
}

impl ExpectedDigest {
    /// The first of `fingerprints` made with SHA-256, SHA-384 or SHA-512. Clients list one; those
    /// after it are not alternatives, since that would let the weakest certificate in.
    pub(super) fn first_strong(fingerprints: &[DtlsFingerprint]) -> Result<Self, FingerprintError> {
        if fingerprints.is_empty() {
            return Err(FingerprintError::Empty);
        }
        if fingerprints.len() > FINGERPRINTS_MAX {
            return Err(FingerprintError::TooMany);
        }
        let (algorithm, value) = fingerprints
            .iter()
            .find_map(|entry| Some((strong_algorithm(&entry.algorithm)?, &entry.value)))
            .ok_or(FingerprintError::NoStrongHash)?;
        let digest = parse_hex_pairs(value, algorithm.output_len()).ok_or(FingerprintError::BadValue)?;
        Ok(Self { algorithm, digest })
    }

    pub(super) fn matches(&self, certificate_der: &[u8]) -> bool {
        let actual = digest::digest(self.algorithm, certificate_der);
        constant_time::verify_slices_are_equal(actual.as_ref(), &self.digest).is_ok()
    }
}

fn strong_algorithm(name: &str) -> Option<&'static digest::Algorithm> {
    match name.to_ascii_lowercase().as_str() {
        "sha-256" => Some(&digest::SHA256),
        "sha-384" => Some(&digest::SHA384),
        "sha-512" => Some(&digest::SHA512),
        _ => None,
    }
}

fn parse_hex_pairs(value: &str, len: usize) -> Option<Vec<u8>> {
    if value.len() != len * 3 - 1 {
        return None;
    }
    value
        .split(':')
        .map(|pair| match pair.as_bytes() {
            [high, low] => u8::try_from(hex_digit(*high)? << 4 | hex_digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

fn hex_digit(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

/// `AB:CD:..`, the form of `a=fingerprint` and of mediasoup's `dtlsParameters`.
pub(super) fn format_hex_pairs(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(algorithm: &str, value: &str) -> DtlsFingerprint {
        DtlsFingerprint { algorithm: algorithm.into(), value: value.into() }
    }

    fn sha256_of(der: &[u8]) -> String {
        format_hex_pairs(digest::digest(&digest::SHA256, der).as_ref())
    }

    #[test]
    fn the_first_strong_fingerprint_decides() {
        let list = [
            entry("sha-1", "00:11"),
            entry("SHA-256", &sha256_of(b"first").to_lowercase()),
            entry("sha-256", &sha256_of(b"second")),
        ];
        let expected = ExpectedDigest::first_strong(&list).unwrap();
        assert!(expected.matches(b"first"));
        assert!(!expected.matches(b"second"));
    }

    #[test]
    fn every_accepted_hash_is_computed_as_named() {
        for (name, algorithm) in
            [("sha-256", &digest::SHA256), ("sha-384", &digest::SHA384), ("sha-512", &digest::SHA512)]
        {
            let value = format_hex_pairs(digest::digest(algorithm, b"der").as_ref());
            let expected = ExpectedDigest::first_strong(&[entry(name, &value)]).unwrap();
            assert!(expected.matches(b"der"), "{name}");
            assert!(!expected.matches(b"dex"), "{name}");
        }
    }

    #[test]
    fn weak_empty_and_malformed_lists_are_refused() {
        let good = sha256_of(b"der");
        let refused = |list: &[DtlsFingerprint]| ExpectedDigest::first_strong(list).err();
        assert_eq!(refused(&[]), Some(FingerprintError::Empty));
        assert_eq!(
            refused(&vec![entry("sha-256", &good); FINGERPRINTS_MAX + 1]),
            Some(FingerprintError::TooMany)
        );
        let weak = [entry("sha-1", "00"), entry("md5", "00"), entry("", ""), entry("sha-999", &good)];
        assert_eq!(refused(&weak), Some(FingerprintError::NoStrongHash));
        let spaced = good.replacen(':', " ", 1);
        let signed = good.replacen(&good[..2], "+1", 1);
        for value in ["", "AB", &good[3..], &spaced, &signed, &good.replace(&good[..1], "é")] {
            assert_eq!(refused(&[entry("sha-256", value)]), Some(FingerprintError::BadValue), "{value}");
        }
    }
}
