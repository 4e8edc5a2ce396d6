//! What every part of this program has of MLS: the suite, the extensions, the label of the exported secret.

use mls_rs::extension::ExtensionType;
use mls_rs::{CipherSuite, CryptoProvider};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

pub(crate) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// Of the GroupContext: sessions whose commits are not applied.
pub(crate) const BANNED: ExtensionType = ExtensionType::new(0xf0e3);
/// Of a GroupInfo: the commits that led to its epoch.
pub(crate) const COMMITS: ExtensionType = ExtensionType::new(0xf0e2);
/// Of the secret that the keys of frames are derived from.
pub(crate) const LABEL: &[u8] = b"railgun e2ee 1";

pub(crate) type Failure = Box<dyn std::error::Error>;

/// The primitives of the one suite that groups have.
pub(crate) fn provider() -> <RustCryptoProvider as CryptoProvider>::CipherSuiteProvider {
    RustCryptoProvider::default().cipher_suite_provider(SUITE).expect("the provider has the suite")
}
