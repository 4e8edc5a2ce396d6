//! Whose a leaf is: `01 || vec(session id) || vec(user id) || vec(proof)`, each `vec` with two bytes of length
//! (`docs/end-to-end-encryption.md`, Names). Two leaves with one session are the same client, whatever their proofs.

use mls_rs::error::IntoAnyError;
use mls_rs::identity::{CredentialType, SigningIdentity};
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, IdentityProvider};
use mls_rs_core::identity::MemberValidationContext;

#[derive(PartialEq)]
pub(crate) struct Name {
    pub(crate) session_id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct NoName;

impl std::fmt::Display for NoName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a credential that names no session")
    }
}

impl std::error::Error for NoName {}

impl IntoAnyError for NoName {}

impl Name {
    pub(crate) fn of(identity: &SigningIdentity) -> Result<Self, NoName> {
        let bytes = &identity.credential.as_basic().ok_or(NoName)?.identifier;
        let (version, rest) = bytes.split_first().ok_or(NoName)?;
        let (session, rest) = vec_of(rest).ok_or(NoName)?;
        let (user, rest) = vec_of(rest).ok_or(NoName)?;
        let (_proof, rest) = vec_of(rest).ok_or(NoName)?;
        let is_whole = *version == 1 && rest.is_empty();
        is_whole.then(|| Self { session_id: session.to_vec(), user_id: user.to_vec() }).ok_or(NoName)
    }
}

fn vec_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Proofs are checked by who knows the keys of users, which this member does not.
#[derive(Clone)]
pub(crate) struct Names;

impl IdentityProvider for Names {
    type Error = NoName;

    fn validate_member(
        &self,
        identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: MemberValidationContext<'_>,
    ) -> Result<(), NoName> {
        Name::of(identity).map(|_| ())
    }

    fn validate_external_sender(
        &self,
        identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: Option<&ExtensionList>,
    ) -> Result<(), NoName> {
        Name::of(identity).map(|_| ())
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
        Ok(Name::of(before)? == Name::of(after)?)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC]
    }
}
