//! SRTP profiles and the pair of contexts that DTLS keys make.

use crate::error::ClientError;
use webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use webrtc_dtls::state::State;
use webrtc_srtp::config::Config;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

/// Packets a late one may be behind the newest of its stream.
const RTP_REPLAY_WINDOW: usize = 1024;
const RTCP_REPLAY_WINDOW: usize = 128;

/// RFC 5764 and RFC 7714 protection profiles, in the node's order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpProfile {
    AeadAes256Gcm,
    AeadAes128Gcm,
    AesCm128HmacSha1_80,
}

impl SrtpProfile {
    pub const ALL: [Self; 3] = [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80];

    pub(crate) const fn offered(self) -> SrtpProtectionProfile {
        match self {
            Self::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            Self::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            Self::AesCm128HmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        }
    }

    pub(crate) fn chosen(profile: SrtpProtectionProfile) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.offered() == profile)
    }

    const fn protection(self) -> ProtectionProfile {
        match self {
            Self::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        }
    }
}

/// One context per direction; each serves RTP and RTCP.
pub(crate) struct Contexts {
    pub(crate) sending: Context,
    pub(crate) receiving: Context,
}

impl Contexts {
    /// RFC 5764 §4.2 from a finished handshake.
    pub(crate) async fn derive(
        state: State,
        profile: SrtpProfile,
        is_client: bool,
    ) -> Result<Self, ClientError> {
        let protection = profile.protection();
        let mut config = Config { profile: protection, ..Config::default() };
        config.extract_session_keys_from_dtls(state, is_client).await?;
        let keys = &config.keys;
        let sending = Context::new(&keys.local_master_key, &keys.local_master_salt, protection, None, None)?;
        let receiving = Context::new(
            &keys.remote_master_key,
            &keys.remote_master_salt,
            protection,
            Some(srtp_replay_protection(RTP_REPLAY_WINDOW)),
            Some(srtcp_replay_protection(RTCP_REPLAY_WINDOW)),
        )?;
        Ok(Self { sending, receiving })
    }
}
