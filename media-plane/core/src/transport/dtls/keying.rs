//! What a DTLS-SRTP handshake is for.

use crate::srtp::{MasterKey, SrtpError, Suite};
use std::fmt;
use zeroize::Zeroizing;

/// Exported keying material: client key, server key, client salt, server salt (RFC 5764
/// section 4.2). Erased when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKeyMaterial {
    /// The SRTP profile that the handshake chose.
    pub suite: Suite,
    /// Two keys and two salts of the suite's lengths.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether this side was the DTLS server, that is, writes with the server's key.
    pub is_server: bool,
}

/// Each side's master key as seen from here.
#[derive(Clone, Debug)]
pub struct SrtpKeys {
    /// What the peer protects with.
    pub inbound: MasterKey,
    /// What we protect with.
    pub outbound: MasterKey,
}

impl SrtpKeyMaterial {
    /// The two master keys. An error if the length is not the suite's.
    pub fn split(&self) -> Result<SrtpKeys, SrtpError> {
        let (client, server) = MasterKey::split(self.suite, &self.bytes)?;
        Ok(match self.is_server {
            true => SrtpKeys { inbound: client, outbound: server },
            false => SrtpKeys { inbound: server, outbound: client },
        })
    }
}

impl fmt::Debug for SrtpKeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeyMaterial").field("suite", &self.suite).finish_non_exhaustive()
    }
}
