//! A client of mls-rs with the one suite, the names of leaves, and commits as this version has them.

use crate::names::Names;
use crate::primitives::{BANNED, SUITE};
use mls_rs::Client;
use mls_rs::client_builder::{
    BaseConfig, WithCryptoProvider, WithIdentityProvider, WithKeyPackageRepo, WithMlsRules,
};
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::BasicCredential;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

pub(crate) type Config = WithMlsRules<
    DefaultMlsRules,
    WithKeyPackageRepo<
        InMemoryKeyPackageStorage,
        WithCryptoProvider<RustCryptoProvider, WithIdentityProvider<Names, BaseConfig>>,
    >,
>;

/// `packages`: key packages that it may be added by, beside those that it makes.
pub(crate) fn client_of(
    names: Names,
    identity: Vec<u8>,
    secret: SignatureSecretKey,
    public: SignaturePublicKey,
    packages: InMemoryKeyPackageStorage,
) -> Client<Config> {
    let signing = SigningIdentity::new(BasicCredential::new(identity).into_credential(), public);
    // Each one's own secrets alone, and the tree by a GroupInfo: together they would be too long for a message.
    let options = CommitOptions::new().with_single_welcome_message(false).with_ratchet_tree_extension(false);
    let builder = Client::builder().identity_provider(names).crypto_provider(RustCryptoProvider::default());
    let builder =
        builder.key_package_repo(packages).mls_rules(DefaultMlsRules::new().with_commit_options(options));
    builder.extension_type(BANNED).signing_identity(signing, secret, SUITE).build()
}
