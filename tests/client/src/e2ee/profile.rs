//! The key by which the leaves of a user's device are proven, so that others who saw it know it when it comes again.

use super::mls_peer::MlsPeer;
use crate::error::{ClientError, read};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// To be kept where nobody else reads it: whoever has it can come in this profile's name.
#[derive(Clone)]
pub struct Profile {
    bytes: [u8; Self::BYTES],
}

impl Profile {
    pub const BYTES: usize = 64;

    /// The seed of an Ed25519 key (RFC 8032, section 5.1.5) and its public key, 32 bytes each.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self { bytes }
    }

    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.bytes
    }

    /// One that nobody has seen.
    ///
    /// # Errors
    /// [`ClientError::Mls`] if the process has ended.
    pub async fn new(peer: &MlsPeer) -> Result<Self, ClientError> {
        let answer = peer.ask(&json!({ "do": "profile" })).await?;
        let text: String = read("a profile", &answer["profile"])?;
        let bytes = STANDARD.decode(text).ok().and_then(|it| it.try_into().ok());
        let wrong = || ClientError::Mls(format!("a profile that is not {} bytes", Self::BYTES));
        bytes.map(Self::from_bytes).ok_or_else(wrong)
    }

    /// As a request has it.
    pub(super) fn text(&self) -> String {
        STANDARD.encode(self.bytes)
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}
