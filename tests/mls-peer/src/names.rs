//! Whose a leaf is: `01 || vec(session id) || vec(user id) || vec(proof)`, each `vec` with two bytes of length
//! (`docs/end-to-end-encryption.md`, Names). Two leaves with one session are the same client, whatever their proofs.

use crate::encoding::{read_vec, write_vec};
use crate::primitives::{Failure, provider};
use crate::profile::Profile;
use mls_rs::crypto::SignaturePublicKey;
use mls_rs::error::IntoAnyError;
use mls_rs::identity::{CredentialType, SigningIdentity};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuiteProvider, ExtensionList, IdentityProvider};
use mls_rs_core::identity::MemberValidationContext;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"railgun e2ee 1 leaf";
/// A proof by a key of the profile, which others believe when they first see it.
const FIRST_USE: u8 = 1;
/// A proof of the application's, which is the application's to check.
const APPLICATIONS: u8 = 2;
const KEY_BYTES: usize = 32;

#[derive(Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) session_id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) proof: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct NoName;

impl std::fmt::Display for NoName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a credential that names no session, or is not bound to its leaf")
    }
}

impl std::error::Error for NoName {}

impl IntoAnyError for NoName {}

impl Name {
    pub(crate) fn of(identity: &SigningIdentity) -> Result<Self, NoName> {
        let bytes = &identity.credential.as_basic().ok_or(NoName)?.identifier;
        let (version, rest) = bytes.split_first().ok_or(NoName)?;
        let (session, rest) = read_vec(rest).ok_or(NoName)?;
        let (user, rest) = read_vec(rest).ok_or(NoName)?;
        let (proof, rest) = read_vec(rest).ok_or(NoName)?;
        let is_whole = *version == VERSION && rest.is_empty();
        let name = || Self { session_id: session.to_vec(), user_id: user.to_vec(), proof: proof.to_vec() };
        is_whole.then(name).ok_or(NoName)
    }

    /// The identity of a basic credential for a leaf with this signature key, with a proof by a profile's key.
    pub(crate) fn proven(
        channel_id: &str,
        (session_id, user_id): (&str, &str),
        leaf_key: &SignaturePublicKey,
        Profile { secret, public }: &Profile,
    ) -> Result<Vec<u8>, Failure> {
        let mut name =
            Self { session_id: session_id.into(), user_id: user_id.into(), proof: vec![FIRST_USE] };
        let signature = provider().sign(secret, &name.bound(channel_id, leaf_key))?;
        name.proof.extend(public.as_bytes());
        name.proof.extend(signature);
        let mut out = vec![VERSION];
        [&name.session_id, &name.user_id, &name.proof].iter().for_each(|part| write_vec(&mut out, part));
        Ok(out)
    }

    /// What a proof signs.
    fn bound(&self, channel_id: &str, leaf_key: &SignaturePublicKey) -> Vec<u8> {
        let mut out = LABEL.to_vec();
        let parts = [channel_id.as_bytes(), &self.session_id, &self.user_id, leaf_key.as_bytes()];
        parts.iter().for_each(|part| write_vec(&mut out, part));
        out
    }

    /// Whether the proof is for this channel and leaf. Whom to believe is not decided here.
    fn is_bound(&self, channel_id: &str, leaf_key: &SignaturePublicKey) -> bool {
        let Some((kind, rest)) = self.proof.split_first() else { return false };
        let Some((key, signature)) = rest.split_at_checked(KEY_BYTES) else { return *kind == APPLICATIONS };
        match *kind {
            FIRST_USE => {
                let signed = self.bound(channel_id, leaf_key);
                provider().verify(&key.to_vec().into(), signature, &signed).is_ok()
            }
            kind => kind == APPLICATIONS,
        }
    }
}

/// Of one channel; without one no proof is checked.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) channel_id: Option<String>,
}

impl Names {
    pub(crate) fn check(&self, identity: &SigningIdentity) -> Result<(), NoName> {
        let name = Name::of(identity)?;
        let is_bound = |channel: &String| name.is_bound(channel, &identity.signature_key);
        self.channel_id.as_ref().is_none_or(is_bound).then_some(()).ok_or(NoName)
    }
}

impl IdentityProvider for Names {
    type Error = NoName;

    fn validate_member(
        &self,
        identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: MemberValidationContext<'_>,
    ) -> Result<(), NoName> {
        self.check(identity)
    }

    fn validate_external_sender(
        &self,
        identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: Option<&ExtensionList>,
    ) -> Result<(), NoName> {
        self.check(identity)
    }

    fn identity(&self, identity: &SigningIdentity, _: &ExtensionList) -> Result<Vec<u8>, NoName> {
        Name::of(identity).map(|name| name.session_id)
    }

    fn valid_successor(
        &self,
        before: &SigningIdentity,
        after: &SigningIdentity,
        _: &ExtensionList,
    ) -> Result<bool, NoName> {
        let (before, after) = (Name::of(before)?, Name::of(after)?);
        Ok((before.session_id, before.user_id) == (after.session_id, after.user_id))
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC]
    }
}
